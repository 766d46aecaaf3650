package fcd

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"imageferry/internal/localcloud/trace"
)

const (
	// maxAsyncPayload is the size of an asynchronous payload.
	maxAsyncPayload = 128 << 10
	// maxPause bounds the pauses between attempts.
	maxPause = 5 * time.Minute
)

// A Failure is an asynchronous event that finally failed.
type Failure struct {
	// RequestID and Source identify the event; the source is "api", "http", "timer/<trigger>" or "eventbridge/<trigger>",
	// or what the caller of InvokeAsync named.
	RequestID, Source string
	// Condition is why the platform gave up: "RetriesExhausted" or "EventAgeExceeded".
	Condition string
	// Attempts is how often the function was invoked.
	Attempts int
	// Queue is the failure destination, empty if there is none.
	Queue string
	// Message is what was sent to the queue; Delivered is false if there is no queue or it refused the message.
	Message   json.RawMessage
	Delivered bool
}

// Conditions of a failure. Guess: the platform's own words were not found.
const (
	retriesExhausted = "RetriesExhausted"
	eventAgeExceeded = "EventAgeExceeded"
)

// InvokeAsync takes an event in and returns its request id, or "" if the Server is closed or the payload is larger than
// 128 KB. The function is invoked at least once, and again after an error as often as its configuration says; an event that
// finally fails goes to the failure destination. The source says, for people, where the event comes from.
func (s *Server) InvokeAsync(payload []byte, source string) string {
	requestID := newRequestID()
	if len(payload) > maxAsyncPayload {
		s.options.Log.Error("event dropped: it is larger than 128 KB", "source", source, "bytes", len(payload))
		return ""
	}
	if !s.enqueue(requestID, payload, source) {
		return ""
	}
	return requestID
}

func (s *Server) enqueue(requestID string, payload []byte, source string) bool {
	f, err := s.deployed()
	if err != nil {
		return false
	}
	e := &event{function: f, requestID: requestID, source: source, payload: payload, expires: s.clock.now().Add(f.spec.Async.MaxAge)}
	if !s.enter() {
		return false
	}
	go func() {
		defer s.finish()
		s.work(e)
	}()
	return true
}

// An event is what an asynchronous invocation carries from attempt to attempt.
type event struct {
	function          *function
	requestID, source string
	payload           []byte
	expires           time.Time
	// failed counts the attempts, and last is the result of the last one.
	failed int
	last   Result
}

// work carries an event to its end: a result, the failure destination, or the end of the Server.
func (s *Server) work(e *event) {
	for pause := s.options.RetryBase; ; pause = min(2*pause, maxPause) {
		result, err := s.run(e.requestID, e.payload, e.failed)
		if errors.Is(err, ErrClosed) || err == nil && result.ErrorType == "" {
			return
		}
		// A throttled event waits without losing one of its retries.
		throttled := errors.Is(err, ErrThrottled)
		if !throttled {
			e.failed++
			e.last = result
		}
		if err != nil {
			// Guess: an event that cannot be handed over, as when the role is gone, is treated like a failed one.
			e.last.fail(err.Error())
		}
		if condition := s.lost(e, pause); condition != "" {
			s.fail(e, condition)
			return
		}
		if !s.clock.wait(s.ctx, pause) {
			return
		}
		if !throttled {
			s.mu.Lock()
			s.retries++
			s.mu.Unlock()
		}
	}
}

// lost says why the event is not tried again after a pause, or "" if it is.
func (s *Server) lost(e *event, pause time.Duration) string {
	switch {
	case e.failed > e.function.spec.Async.MaxRetries:
		return retriesExhausted
	case !s.clock.now().Add(pause).Before(e.expires):
		return eventAgeExceeded
	}
	return ""
}

// fail records an event that finally failed, after sending it to the failure destination if there is one.
func (s *Server) fail(e *event, condition string) {
	failure := Failure{
		RequestID: e.requestID, Source: e.source, Condition: condition, Attempts: e.failed,
		Queue: e.function.spec.Async.FailureQueue, Message: s.failureMessage(e, condition),
	}
	failure.Delivered = failure.Queue != "" && s.send(e.function, failure)
	s.options.Log.Warn("event failed", "requestId", failure.RequestID, "source", failure.Source,
		"condition", condition, "attempts", failure.Attempts, "delivered", failure.Delivered)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failure)
}

// failureMessage follows the documented list of fields.
//
// Guess: their exact form, of which no sample was found.
func (s *Server) failureMessage(e *event, condition string) json.RawMessage {
	message, err := json.Marshal(map[string]any{
		"timestamp": s.clock.now().UnixMilli(),
		"requestContext": map[string]any{
			"requestId":              e.requestID,
			"functionArn":            s.functionResource(e.function.spec.Name),
			"condition":              condition,
			"approximateInvokeCount": e.failed,
		},
		"requestPayload":  text(e.payload),
		"responseContext": map[string]any{"statusCode": http.StatusOK, "functionError": e.last.ErrorType},
		"responsePayload": text(e.last.Payload),
	})
	if err != nil {
		panic(fmt.Sprintf("encode failure message: %v", err)) // strings and numbers always encode
	}
	return message
}

// send puts the message into the queue with the function's role, as the platform does.
func (s *Server) send(f *function, failure Failure) bool {
	const action = "mns:SendMessage"
	resource := fmt.Sprintf("acs:mns:%s:%s:/queues/%s/messages", f.region, f.accountID, failure.Queue)
	call := trace.Call{Service: "mns", Action: action, Resource: resource, RequestID: failure.RequestID}
	identity, err := s.assume(f.spec.Role, "destination")
	if err == nil {
		call.Principal = identity.ARN
	}
	call, fault := s.options.Tap.Begin(s.ctx, call)
	switch {
	case err != nil || !s.options.Directory.Allowed(identity, action, resource, nil):
		call.Status, call.Code = http.StatusForbidden, "AccessDenied"
	case fault.Refuse != nil:
		call.Status, call.Code = fault.Refuse.Status, fault.Refuse.Code
	case fault.Cut != trace.CutBefore:
		call.Status, call.Applied = http.StatusCreated, true
	}
	s.options.Tap.End(s.ctx, call, fault)
	return call.Applied
}

// Failures returns the asynchronous events that finally failed, in that order.
func (s *Server) Failures() []Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Failure(nil), s.failures...)
}

// text returns a payload as JSON holds it: as it is if it is UTF-8, else in base64.
func text(payload []byte) string {
	if utf8.Valid(payload) {
		return string(payload)
	}
	return base64.StdEncoding.EncodeToString(payload)
}
