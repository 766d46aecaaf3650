// Package ossd is the embedded cloud's Object Storage Service: buckets and objects in memory behind OSS's own wire
// format, with its signatures (V1 and V4), its security tokens, RAM's decisions and OSS's documented errors.
//
// What it holds to, and what it leaves out, follows OSS's published reference. Where the reference is silent the code
// says "Guess:". It has no lifecycle and one version per object; a request for what it lacks is answered NotImplemented,
// never silently taken for something else. Objects take the memory of their distinct bytes: copies share those of their
// source, and runs of zeros cost nothing.
package ossd

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/trace"
)

// A Server is OSS seen through the endpoint of one region. It also knows buckets of other regions, to refuse them as OSS
// does; [Server.In] is the same OSS seen through the endpoint of one of those. It is an http.Handler, keeps everything in memory
// and is safe for concurrent use. Like OSS it is strongly consistent: a call that begins after another one was answered sees
// what that one did, listings included.
type Server struct {
	region string
	*state
}

// state is what the endpoints of all regions have in common.
type state struct {
	dir     *account.Directory
	tap     *trace.Tap
	log     *slog.Logger
	maxBody int // MaxBody, in bytes

	mu      sync.RWMutex
	buckets map[string]*bucket

	notices notices
	digests digests
}

// New returns an OSS without buckets for the region, such as "cn-hangzhou". The directory decides who may do what, and
// every call passes the tap. A nil logger discards.
func New(region string, dir *account.Directory, tap *trace.Tap, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{region, &state{dir: dir, tap: tap, log: log, maxBody: MaxBody, buckets: map[string]*bucket{}}}
}

// In is this OSS at the endpoint of a region.
func (s *Server) In(region string) *Server { return &Server{region, s.state} }

// ServeHTTP answers one call. Requests are addressed as OSS requires, by virtual host (bucket.endpoint/key), and on an IP
// address or localhost, where no virtual host can exist, by path (/bucket/key).
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := s.receive(hr)
	a, cut := s.call(hr.Context(), r)
	if cut == trace.CutBefore || cut == trace.CutAfter {
		abort(w)
		return
	}
	a.writeTo(w, r, cut)
}

// call takes a request through the whole pipeline and reports where its connection is to be cut.
// A caller that went away does not stop its call: on a real network it would not, either.
func (s *Server) call(ctx context.Context, r *request) (a answer, cut trace.Cut) {
	call, fault := s.tap.Begin(ctx, trace.Call{
		Service:   "oss",
		Action:    r.op.action,
		Operation: r.op.name,
		Resource:  s.resource(r),
		Principal: r.identity.ARN,
		RequestID: r.id,
	})
	var failure *Error
	switch {
	case fault.Refuse != nil:
		failure = &Error{Status: fault.Refuse.Status, Code: fault.Refuse.Code, Message: fault.Refuse.Message}
	case fault.Cut == trace.CutBefore:
		cut = trace.CutBefore
	default:
		a, failure = s.perform(call, r)
		call.Applied = failure == nil
		cut = fault.Cut
	}
	if failure != nil {
		a = failure.answer(r)
		call.Code = failure.Code
	}
	if call.Applied && fault.Mangle != nil {
		status, body := fault.Mangle(a.status, a.body.Bytes())
		a.status, a.body = status, content.Of(body)
	}
	if cut == trace.CutNone || cut == trace.CutBody {
		call.Status = a.status
	}
	s.tap.End(ctx, call, fault)
	s.log.Debug("oss call", "action", call.Action, "resource", call.Resource, "principal", call.Principal,
		"status", call.Status, "code", call.Code, "fault", call.Fault, "requestId", call.RequestID)
	if r.created != nil {
		s.notices.send(*r.created)
	}
	return a, cut
}

// perform authorises the request and applies it.
func (s *Server) perform(call trace.Call, r *request) (answer, *Error) {
	if r.problem != nil {
		return answer{}, r.problem
	}
	if err := s.authorise(r); err != nil {
		return answer{}, err
	}
	if r.op.copies {
		unmodified, err := s.readSource(call, r)
		if err != nil || unmodified != nil {
			return answerOr(unmodified), err
		}
	}
	return r.op.apply(s, r)
}

// abort closes the connection without an answer. The peer of a TCP connection sees a reset, as when a network breaks.
func abort(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server's own way to close a connection that cannot be taken over
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
