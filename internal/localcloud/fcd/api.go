package fcd

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// taskID is the form of X-Fc-Async-Task-Id.
var taskID = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,127}$`)

// ServeHTTP is the public API, of which it has InvokeFunction (2023-03-30), signed with ACS3-HMAC-SHA256.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := trace.Call{Action: "fc:InvokeFunction", RequestID: newRequestID()}
	name, ok := functionOf(r.URL.Path)
	if !ok {
		refuse(http.StatusNotFound, "PathNotSupported", "The path is not supported.").write(w, call.RequestID)
		return
	}
	call.Resource = s.functionResource(name)
	async, problem := asynchronous(r)
	var body []byte
	if problem == nil {
		body, problem = readBody(r, bodyLimit(async))
	}
	var identity account.Identity
	if problem == nil {
		identity, problem = openapi.VerifyACS3(r, body, s.options.Directory)
	}
	call.Principal = identity.ARN
	s.serve(w, r, call, func() response {
		switch {
		case problem != nil:
			return refuseAs(problem)
		case r.Method != http.MethodPost:
			return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method is not allowed.")
		case !s.options.Directory.Allowed(identity, call.Action, call.Resource, nil):
			return refuse(http.StatusForbidden, "AccessDenied",
				fmt.Sprintf("The caller is not authorized to perform %s on resource %s.", call.Action, call.Resource))
		}
		return s.invokeFunction(r, name, call.RequestID, body, async)
	})
}

// functionOf takes the function's name from the path of InvokeFunction.
func functionOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/2023-03-30/functions/")
	name, found := strings.CutSuffix(rest, "/invocations")
	return name, ok && found && functionName.MatchString(name)
}

func (s *Server) functionResource(name string) string {
	return fmt.Sprintf("acs:fc:%s:%s:functions/%s", s.options.Region, s.options.AccountID, name)
}

func (s *Server) invokeFunction(r *http.Request, name, requestID string, body []byte, async bool) response {
	f, err := s.deployed()
	if err != nil {
		return refusal(err)
	}
	if name != f.spec.Name {
		return refusal(ErrNotDeployed)
	}
	if qualifier := r.URL.Query().Get("qualifier"); qualifier != "" && qualifier != "LATEST" {
		return refuse(http.StatusNotFound, "VersionNotFound", "The version or alias does not exist.")
	}
	if async {
		return s.accept(r, requestID, body, "api")
	}
	result, err := s.invoke(r.Context(), requestID, body)
	if err != nil {
		return refusal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if result.ErrorType != "" {
		// The documents say that a status of 200 does not tell whether the function succeeded.
		header.Set("X-Fc-Error-Type", result.ErrorType)
	}
	return response{status: http.StatusOK, header: header, body: result.Payload, code: result.ErrorType}
}

// accept takes an asynchronous invocation in, once for each task id that callers choose. The answer has no body.
//
// Guess: the ids of the HTTP trigger and of the API are the same function's, so that one is taken for both.
func (s *Server) accept(r *http.Request, requestID string, payload []byte, source string) response {
	if id := r.Header.Get("X-Fc-Async-Task-Id"); id != "" {
		if !taskID.MatchString(id) {
			return refuse(http.StatusBadRequest, "InvalidArgument", "The asynchronous task id is malformed.")
		}
		if !s.claimTask(id) {
			// Guess: the code; the status is documented.
			return refuse(http.StatusConflict, "AsyncTaskAlreadyExists", "The asynchronous task exists already.")
		}
	}
	if !s.enqueue(requestID, payload, source) {
		return refusal(ErrClosed)
	}
	return response{status: http.StatusAccepted}
}

func (s *Server) claimTask(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tasks[id] {
		return false
	}
	s.tasks[id] = true
	return true
}
