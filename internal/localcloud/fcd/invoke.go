package fcd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// unhandled is the error type of an invocation that failed within the function.
//
// Guess: the documents name HandledInvocationError, too, without saying when a Go function causes it.
const unhandled = "UnhandledInvocationError"

// A Result is how an invocation ended that reached the function.
type Result struct {
	// RequestID identifies the invocation; retries share it.
	RequestID string
	// Payload is the function's result or, if ErrorType is set, a JSON object with errorMessage and perhaps errorType.
	Payload []byte
	// ErrorType is the value of X-Fc-Error-Type, empty if the function returned a result.
	ErrorType string
	// Duration is how long the invocation took in real time, the start of a process included.
	Duration time.Duration
	// Cold tells that a process was started for it.
	Cold bool
}

// Invoke invokes the function and waits for its result. It is never retried. An error means that the function was not
// reached (ErrNotDeployed, ErrThrottled, ErrClosed, or its role could not be assumed), or that ctx ended first; the
// invocation then goes on.
func (s *Server) Invoke(ctx context.Context, payload []byte) (Result, error) {
	return s.invoke(ctx, newRequestID(), payload)
}

func (s *Server) invoke(ctx context.Context, requestID string, payload []byte) (Result, error) {
	type ending struct {
		result Result
		err    error
	}
	if !s.enter() {
		return Result{}, fmt.Errorf("invoke function: %w", ErrClosed)
	}
	done := make(chan ending, 1)
	go func() {
		result, err := s.run(requestID, payload, 0)
		s.finish()
		done <- ending{result, err}
	}()
	select {
	case e := <-done:
		return e.result, e.err
	case <-ctx.Done():
		return Result{}, fmt.Errorf("invoke function: %w", ctx.Err())
	}
}

// run makes one attempt at an event.
func (s *Server) run(requestID string, payload []byte, retry int) (Result, error) {
	f, err := s.deployed()
	if err != nil {
		return Result{}, fmt.Errorf("invoke function: %w", err)
	}
	begin := time.Now()
	identity, err := s.assume(f.spec.Role, requestID)
	if err != nil {
		return Result{}, fmt.Errorf("invoke function: %w", err)
	}
	i, cold, err := f.pool.acquire()
	if err != nil {
		return Result{}, fmt.Errorf("invoke function: %w", err)
	}
	defer f.pool.release(i)
	s.mu.Lock()
	s.invocations++
	s.mu.Unlock()
	a, how := i.do(&invocation{
		requestID: requestID, payload: payload, retry: retry, identity: identity, answer: make(chan answer, 1),
	}, f.timeout)
	result := Result{RequestID: requestID, Payload: a.payload, Duration: time.Since(begin), Cold: cold}
	switch {
	case how == expired:
		// Guess: the wording, after that of a process that ended.
		result.fail(fmt.Sprintf("Function timed out after %v seconds (maxMemoryUsage: 0MB)", f.timeout.Seconds()))
	case how == exited:
		result.fail(fmt.Sprintf("Process exited unexpectedly before completing request (duration: %dms, maxMemoryUsage: 0MB)",
			result.Duration.Milliseconds()))
	case a.failed:
		result.ErrorType = unhandled
	}
	s.options.Log.Debug("function invoked", "requestId", requestID, "retry", retry, "cold", cold,
		"duration", result.Duration, "errorType", result.ErrorType)
	return result, nil
}

func (r *Result) fail(message string) {
	r.ErrorType = unhandled
	r.Payload, _ = json.Marshal(map[string]string{"errorMessage": message}) // strings always encode
}

// environment is all that a new process gets, except for what belongs to its instance.
//
// Guess: the credentials here are those of the process's start. Whether the platform renews them in a living instance was
// not found; the function has to take those of its context.
func (s *Server) environment(f *function) ([]string, error) {
	identity, err := s.assume(f.spec.Role, "instance")
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"TMPDIR": os.TempDir(), "FC_FUNC_CODE_PATH": filepath.Dir(f.binary), "FC_ACCOUNT_ID": f.accountID,
		"FC_FUNCTION_HANDLER": f.spec.Handler, "FC_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.spec.MemoryMB),
		"FC_FUNCTION_NAME": f.spec.Name, "FC_REGION": f.region, "FC_CUSTOM_LISTEN_PORT": "9000", "FC_VER_ID": "LATEST",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": identity.AccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": identity.Secret,
		"ALIBABA_CLOUD_SECURITY_TOKEN": identity.Token,
	}
	maps.Copy(values, f.spec.Environment)
	maps.Copy(values, s.options.Env)
	environment := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		environment = append(environment, name+"="+values[name])
	}
	return environment, nil
}
