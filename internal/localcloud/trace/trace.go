// Package trace is the one seam of the embedded cloud: every call to every service passes through a [Tap], which records
// it and may delay it, refuse it, or cut its connection before or after it is applied.
package trace

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A Call is one request to a service of the embedded cloud. A service fills in what it knows before the call is applied;
// the outcome is recorded afterwards.
type Call struct {
	// Seq numbers the calls of a cloud from 1, in the order in which they reached the seam.
	Seq int `json:"seq"`
	// Time is when the call reached the seam.
	Time time.Time `json:"time"`
	// Service is "ecs", "oss", "sts" or "fc".
	Service string `json:"service"`
	// Action is the call in RAM's notation, such as "ecs:ExportImage" or "oss:PutObject".
	Action string `json:"action"`
	// Operation is the call in its service's API, such as "ExportImage" or "UploadPart": of several operations that need the
	// same permission it names the one.
	Operation string `json:"operation,omitempty"`
	// Resource is what the call acts on in RAM's notation (acs:<service>:<region>:<account>:<relative id>).
	Resource string `json:"resource"`
	// Principal is the ARN of the caller, empty when it was not authenticated.
	Principal string `json:"principal"`
	// RequestID is the id that the service answers with.
	RequestID string `json:"requestId"`
	// Status is the HTTP status answered; 0 when the connection was cut.
	Status int `json:"status"`
	// Code is the service's error code, empty on success.
	Code string `json:"code,omitempty"`
	// Applied tells whether the call took effect. A read that was answered counts as applied.
	Applied bool `json:"applied"`
	// Fault names what was injected, empty when nothing was: "delay", "refuse", "cut-before", "cut-after", "cut-body", "mangle".
	Fault string `json:"fault,omitempty"`
}

// A Refusal is an error that a service answers, in its own wire format, instead of applying the call.
type Refusal struct {
	Status  int
	Code    string
	Message string
}

// A Cut says where the connection of a call breaks.
type Cut int

// Where a connection is cut.
const (
	CutNone   Cut = iota
	CutBefore     // closed without applying the call
	CutAfter      // applied, then closed without an answer
	CutBody       // applied, then closed in the middle of the answer's body; one without a body is whole
)

// A Fault is what an [Injector] does to one call. The zero Fault does nothing.
type Fault struct {
	// Delay is waited before the call is applied, in real time.
	Delay time.Duration
	// AnswerDelay is waited after the call was applied and before it is answered, in real time.
	AnswerDelay time.Duration
	// Refuse, if set, is answered and the call is not applied.
	Refuse *Refusal
	// Cut breaks the connection.
	Cut Cut
	// Mangle, if set, replaces the answer of an applied call: it gets the status and body and returns what is sent.
	Mangle func(status int, body []byte) (int, []byte)
}

// An Injector decides what happens to a call. It is called concurrently.
type Injector func(Call) Fault

// A Tap numbers, delays and records calls. Its methods are safe for concurrent use.
type Tap struct {
	mu      sync.Mutex
	seq     int
	calls   []Call
	inject  Injector
	latency time.Duration
	watch   []func(Call)
}

// NewTap returns a Tap that adds latency to every call and injects nothing.
func NewTap(latency time.Duration) *Tap { return &Tap{latency: latency} }

// Inject replaces the injector; nil injects nothing.
func (t *Tap) Inject(inject Injector) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inject = inject
}

// Watch calls f, outside any lock, after each call that is recorded.
func (t *Tap) Watch(f func(Call)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watch = append(t.watch, f)
}

// Begin takes a call in before it is applied: it numbers the call, asks the injector and waits out the latency and the
// fault's delay, or until ctx is done. The service then has to honour the Fault and to call [Tap.End].
func (t *Tap) Begin(ctx context.Context, call Call) (Call, Fault) {
	t.mu.Lock()
	t.seq++
	call.Seq, call.Time = t.seq, time.Now()
	inject, wait := t.inject, t.latency
	t.mu.Unlock()
	var fault Fault
	if inject != nil {
		fault = inject(call)
	}
	call.Fault = fault.name()
	pause(ctx, wait+fault.Delay)
	return call, fault
}

// End records a call with its outcome, waiting out the fault's AnswerDelay first.
func (t *Tap) End(ctx context.Context, call Call, fault Fault) {
	pause(ctx, fault.AnswerDelay)
	t.mu.Lock()
	t.calls = append(t.calls, call)
	watch := t.watch
	t.mu.Unlock()
	for _, f := range watch {
		f(call)
	}
}

// Note records what a call did in addition, such as reading the source of a copy, under the action and resource that it
// needed a permission for. It is numbered like a call; nothing is injected into it or waited for.
func (t *Tap) Note(call Call) {
	t.mu.Lock()
	t.seq++
	call.Seq, call.Time = t.seq, time.Now()
	t.calls = append(t.calls, call)
	watch := t.watch
	t.mu.Unlock()
	for _, f := range watch {
		f(call)
	}
}

// Calls returns a copy of the record, in the order in which the calls ended.
func (t *Tap) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Call(nil), t.calls...)
}

// Reset forgets the record, not the numbering.
func (t *Tap) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = nil
}

// Break sends the first half of a body, after headers that have promised all of it, and ends the handler and its
// connection: it is how a server honours [CutBody]. It does nothing to an empty body.
func Break(w http.ResponseWriter, body []byte) {
	if len(body) == 0 {
		return
	}
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (f Fault) name() string {
	switch {
	case f.Refuse != nil:
		return "refuse"
	case f.Cut == CutBefore:
		return "cut-before"
	case f.Cut == CutAfter:
		return "cut-after"
	case f.Cut == CutBody:
		return "cut-body"
	case f.Mangle != nil:
		return "mangle"
	case f.Delay > 0 || f.AnswerDelay > 0:
		return "delay"
	}
	return ""
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
