package fcd

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// A response is what Function Compute answers to an HTTP request.
type response struct {
	status int
	header http.Header
	body   []byte
	// code is the platform's error code or the function's error type, empty on success.
	code string
	// refused tells that the function was not invoked.
	refused bool
}

// refuse answers an error of the platform in its JSON form.
func refuse(status int, code, message string) response {
	body, _ := json.Marshal(map[string]string{"Code": code, "Message": message}) // strings always encode
	return response{
		status: status, code: code, body: body, refused: true,
		header: http.Header{"Content-Type": {"application/json"}, "X-Fc-Error-Type": {"FcCommonError"}},
	}
}

func refuseAs(err *openapi.Error) response { return refuse(err.Status, err.Code, err.Message) }

// refusal is the answer for an invocation that did not reach the function.
//
// Guess: the codes and, but for 429, the statuses.
func refusal(err error) response {
	switch {
	case errors.Is(err, ErrThrottled):
		return refuse(http.StatusTooManyRequests, "ResourceExhausted", "The number of concurrent invocations exceeds the limit.")
	case errors.Is(err, ErrNotDeployed):
		return refuse(http.StatusNotFound, "FunctionNotFound", "The function does not exist.")
	case errors.Is(err, ErrClosed):
		return refuse(http.StatusServiceUnavailable, "ServiceUnavailable", "The service is temporarily unavailable.")
	}
	return refuse(http.StatusInternalServerError, "InternalServerError", err.Error())
}

// serve passes a call through the tap, applies it unless a fault prevents that, and writes the answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, call trace.Call, apply func() response) {
	call.Service = "fc"
	call, fault := s.options.Tap.Begin(r.Context(), call)
	var answer response
	switch {
	case fault.Refuse != nil:
		answer = refuse(fault.Refuse.Status, fault.Refuse.Code, fault.Refuse.Message)
	case fault.Cut != trace.CutBefore:
		answer = apply()
		call.Applied = !answer.refused
		if fault.Mangle != nil {
			answer.status, answer.body = fault.Mangle(answer.status, answer.body)
		}
	}
	call.Status, call.Code = answer.status, answer.code
	if fault.Cut != trace.CutNone {
		call.Status = 0
	}
	s.options.Tap.End(r.Context(), call, fault)
	if fault.Cut != trace.CutNone {
		panic(http.ErrAbortHandler) // the way in which net/http lets a handler cut its connection
	}
	answer.write(w, call.RequestID)
}

func (a response) write(w http.ResponseWriter, requestID string) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Fc-Request-Id", requestID)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone needs no answer
}

// readBody reads what a request carries; more than limit is an error of the platform.
func readBody(r *http.Request, limit int64) ([]byte, *openapi.Error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, openapi.Errorf(http.StatusBadRequest, "InvalidArgument", "The request body could not be read.")
	}
	if int64(len(body)) > limit {
		// Guess: documented for HTTP triggers, and taken for the API, too.
		return nil, openapi.Errorf(http.StatusBadRequest, "InvalidArgument", "The request body is larger than %d bytes.", limit)
	}
	return body, nil
}

// asynchronous tells whether the caller asks for an asynchronous invocation.
func asynchronous(r *http.Request) (bool, *openapi.Error) {
	switch kind := r.Header.Get("X-Fc-Invocation-Type"); kind {
	case "", "Sync":
		return false, nil
	case "Async":
		return true, nil
	default:
		return false, openapi.Errorf(http.StatusBadRequest, "InvalidArgument", "The invocation type %q is neither Sync nor Async.", kind)
	}
}

// bodyLimit is the size of a payload.
func bodyLimit(async bool) int64 {
	if async {
		return maxAsyncPayload
	}
	return maxPayload
}
