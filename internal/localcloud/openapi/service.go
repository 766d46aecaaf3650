// Package openapi is the protocol that the platform's RPC services share: requests signed with HMAC-SHA1 in their
// parameters or with ACS3-HMAC-SHA256 in a header, and answers and errors in XML or JSON.
package openapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
)

// A Request is an authenticated call of an action.
type Request struct {
	Action    string
	RequestID string
	Params    Params
	Identity  account.Identity
	// SourceIP and UserAgent are the client's.
	SourceIP, UserAgent string
	// Time is when the request arrived.
	Time time.Time
}

// An Operation is one action of a service.
type Operation struct {
	// Required are the parameters that must not be empty.
	Required []string
	// Resources are what the caller needs the permission for, in RAM's notation; nil when none is needed.
	Resources func(*Request) []string
	// Denied is answered without that permission; nil stands for the service's own.
	Denied *Error
	// Apply carries the call out. Its context outlives the client's connection, as a server's work does.
	Apply func(context.Context, *Request) (Result, *Error)
}

// A Service answers the actions of one product. Its fields are set before the first request and not changed afterwards.
type Service struct {
	// Name is the product in RAM's notation, such as "ecs".
	Name string
	// Version is the only API version that there is.
	Version    string
	Operations map[string]Operation
	Directory  *account.Directory
	Tap        *trace.Tap
	// Denied is answered to a caller without permission.
	Denied *Error
	// Done, if set, is called after each call of an authenticated caller that was denied, failed or took effect, before
	// it is answered. Exactly one of the result and the error is nil.
	Done func(*Request, Result, *Error)
	Log  *slog.Logger

	nonces nonces
}

// ServeHTTP authenticates a request, passes it through the tap, authorizes and applies it, and answers.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, format, err := s.accept(r)
	operation := s.Operations[req.Action]
	call, fault := s.Tap.Begin(r.Context(), trace.Call{
		Service: s.Name, Action: s.Name + ":" + req.Action, Operation: req.Action, Resource: resource(operation, req),
		Principal: req.Identity.ARN, RequestID: req.RequestID,
	})
	var result Result
	switch {
	case fault.Refuse != nil:
		err = &Error{Status: fault.Refuse.Status, Code: fault.Refuse.Code, Message: fault.Refuse.Message}
	case fault.Cut == trace.CutBefore:
		s.Tap.End(r.Context(), call, fault)
		panic(http.ErrAbortHandler)
	case err == nil:
		result, err = s.perform(context.WithoutCancel(r.Context()), operation, req)
		call.Applied = err == nil
	}
	status, body := s.answer(r.Host, format, req, result, err)
	if err != nil {
		call.Code = err.Code
	}
	if fault.Mangle != nil && call.Applied {
		status, body = fault.Mangle(status, body)
	}
	cut := fault.Refuse == nil && fault.Cut == trace.CutAfter
	if !cut {
		call.Status = status
	}
	s.Tap.End(r.Context(), call, fault)
	s.Log.Debug("call", "service", s.Name, "action", req.Action, "principal", call.Principal, "status", call.Status, "code", call.Code)
	if cut {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", contentType(format))
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Acs-Request-Id", req.RequestID)
	w.Header().Set("X-Acs-Trace-Id", newTraceID())
	w.WriteHeader(status)
	if fault.Cut == trace.CutBody {
		trace.Break(w, body)
	}
	_, _ = w.Write(body) // a client that has gone is not an error of the service
}

// accept reads and authenticates a request. The Request is usable for an answer even when there is an error.
func (s *Service) accept(r *http.Request) (*Request, string, *Error) {
	req := &Request{RequestID: newRequestID(), SourceIP: host(r.RemoteAddr), UserAgent: r.UserAgent(), Time: time.Now()}
	m, err := parse(r)
	req.Action, req.Params = m.action, Params(m.params)
	if err == nil {
		err = s.checkAction(m)
	}
	if err != nil {
		return req, m.format, err
	}
	nonce := m.params.Get("SignatureNonce")
	if m.acs3 {
		nonce = r.Header.Get("X-Acs-Signature-Nonce")
		req.Identity, err = VerifyACS3(r, m.body, s.Directory)
	} else {
		req.Identity, err = verifyRPC(r.Method, m.params, s.Directory)
	}
	if err == nil && !s.nonces.use(req.Identity.AccessKeyID+" "+nonce, req.Time) {
		err = Errorf(http.StatusBadRequest, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	return req, m.format, err
}

func (s *Service) checkAction(m message) *Error {
	switch {
	case m.action == "":
		return mandatory("Action")
	case m.version == "":
		return mandatory("Version")
	case m.version != s.Version:
		return Errorf(http.StatusBadRequest, "InvalidVersion", "Specified parameter Version is not valid.")
	}
	if _, ok := s.Operations[m.action]; !ok {
		return noSuchAction()
	}
	return nil
}

// perform authorizes and applies a call.
func (s *Service) perform(ctx context.Context, operation Operation, req *Request) (Result, *Error) {
	var result Result
	err := s.authorize(operation, req)
	if err == nil {
		result, err = operation.Apply(ctx, req)
	}
	if err == nil {
		result.setRequestID(req.RequestID)
	}
	if s.Done != nil {
		s.Done(req, result, err)
	}
	return result, err
}

// authorize checks the parameters first, because they name the resource.
func (s *Service) authorize(operation Operation, req *Request) *Error {
	for _, name := range operation.Required {
		if req.Params.Get(name) == "" {
			return Missing(name)
		}
	}
	if operation.Resources == nil {
		return nil
	}
	for _, resource := range operation.Resources(req) {
		if s.Directory.Allowed(req.Identity, s.Name+":"+req.Action, resource, nil) {
			continue
		}
		if operation.Denied != nil {
			return operation.Denied
		}
		return s.Denied
	}
	return nil
}

func (s *Service) answer(hostID, format string, req *Request, result Result, err *Error) (int, []byte) {
	if err == nil {
		body, encodeErr := encode(format, req.Action+"Response", result)
		if encodeErr == nil {
			return http.StatusOK, body
		}
		s.Log.Error("encode answer", "action", req.Action, "error", encodeErr)
		err = Errorf(http.StatusInternalServerError, "InternalError", "The request processing has failed due to some unknown error.")
	}
	body, _ := encode(format, "", failure{RequestID: req.RequestID, HostID: hostID, Code: err.Code,
		Message: err.Message, Recommend: s.diagnosis(err.Code, req.RequestID)}) // strings always encode
	return err.Status, body
}

// diagnosis is the address that the platform sends along with an error.
func (s *Service) diagnosis(code, requestID string) string {
	return "https://api.aliyun.com/troubleshoot?q=" + code + "&product=" + strings.ToUpper(s.Name[:1]) + s.Name[1:] +
		"&requestId=" + requestID
}

func resource(operation Operation, req *Request) string {
	if operation.Resources == nil || req.Identity.ARN == "" {
		return "*"
	}
	return strings.Join(operation.Resources(req), ",")
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
