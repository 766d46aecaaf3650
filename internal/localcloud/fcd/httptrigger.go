package fcd

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// Limits of an HTTP trigger, in bytes.
const (
	maxRequestHeaders  = 8 << 10
	maxRequestURL      = 4 << 10
	maxResponseHeaders = 8 << 10
)

// httpEvent is the request as a built-in runtime gets it.
type httpEvent struct {
	Version         string            `json:"version"`
	RawPath         string            `json:"rawPath"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	Headers         map[string]string `json:"headers"`
	QueryParameters map[string]string `json:"queryParameters"`
	RequestContext  httpContext       `json:"requestContext"`
}

type httpContext struct {
	AccountID    string   `json:"accountId"`
	DomainName   string   `json:"domainName"`
	DomainPrefix string   `json:"domainPrefix"`
	HTTP         httpLine `json:"http"`
	RequestID    string   `json:"requestId"`
	Time         string   `json:"time"`
	TimeEpoch    string   `json:"timeEpoch"`
}

type httpLine struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// HTTPTrigger is the URL of the function's HTTP trigger. It behaves as behind a custom domain: the platform's own domains
// add "Content-Disposition: attachment", so that browsers do not show pages.
func (s *Server) HTTPTrigger() http.Handler { return http.HandlerFunc(s.serveTrigger) }

func (s *Server) serveTrigger(w http.ResponseWriter, r *http.Request) {
	// Guess: a call of the trigger is no RAM action; this name is the record's only.
	call := trace.Call{Action: "fc:InvokeHTTPTrigger", RequestID: newRequestID()}
	f, err := s.deployed()
	if err == nil && f.spec.HTTP == nil {
		err = ErrNotDeployed
	}
	if err != nil {
		refusal(err).write(w, call.RequestID)
		return
	}
	call.Resource = s.functionResource(f.spec.Name) + "/triggers/" + f.spec.HTTP.Name
	async, problem := asynchronous(r)
	var body []byte
	if problem == nil {
		body, problem = readBody(r, bodyLimit(async))
	}
	var identity account.Identity
	if problem == nil && !f.spec.HTTP.Anonymous {
		// The signature is all that the platform asks for; it needs no permission.
		if identity, problem = openapi.VerifyACS3(r, body, s.options.Directory); problem != nil {
			problem.Status = http.StatusForbidden
		}
	}
	call.Principal = identity.ARN
	s.serve(w, r, call, func() response {
		if problem == nil {
			problem = checkRequest(r, f.spec.HTTP.Methods)
		}
		if problem != nil {
			return refuseAs(problem)
		}
		return s.invokeTrigger(r, call.RequestID, body, async)
	})
}

func checkRequest(r *http.Request, methods []string) *openapi.Error {
	size := 0
	for name, values := range r.Header {
		size += len(name) + len(strings.Join(values, ","))
	}
	switch {
	case !slices.Contains(methods, r.Method):
		// Guess: status and code.
		return openapi.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not enabled.", r.Method)
	case size > maxRequestHeaders:
		return openapi.Errorf(http.StatusBadRequest, "InvalidArgument", "The request headers are larger than 8 KB.")
	case len(r.URL.RequestURI()) > maxRequestURL:
		return openapi.Errorf(http.StatusBadRequest, "InvalidArgument", "The path and query are larger than 4 KB.")
	}
	return nil
}

func (s *Server) invokeTrigger(r *http.Request, requestID string, body []byte, async bool) response {
	event, err := json.Marshal(s.httpEvent(r, requestID, body))
	if err != nil {
		panic(fmt.Sprintf("encode HTTP event: %v", err)) // strings and booleans always encode
	}
	if async {
		// Guess: what the function answers then, whatever its statusCode, is a result, and not tried again.
		return s.accept(r, requestID, event, "http")
	}
	result, err := s.invoke(r.Context(), requestID, event)
	switch {
	case err != nil:
		return refusal(err)
	case result.ErrorType != "":
		// Guess: the status; the header is documented.
		return response{status: http.StatusBadGateway, body: result.Payload, code: result.ErrorType,
			header: http.Header{"Content-Type": {"application/json"}, "X-Fc-Error-Type": {result.ErrorType}}}
	}
	return translate(result.Payload)
}

// translate answers a result of the function, or that it is none that can be answered.
func translate(result []byte) response {
	answer, err := httpResponse(result)
	if err != nil {
		answer = refuse(http.StatusBadGateway, "BadResponse", err.Error())
		answer.refused = false // the function has been invoked
	}
	return answer
}

func (s *Server) httpEvent(r *http.Request, requestID string, body []byte) httpEvent {
	now := time.Now().UTC()
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	domainPrefix := s.options.AccountID + "-local"
	return httpEvent{
		Version: "v1", RawPath: r.URL.EscapedPath(), Body: text(body), IsBase64Encoded: !utf8.Valid(body),
		// Guess: the spelling of header names, which is Go's here, and that Host is not among them.
		Headers: joined(r.Header), QueryParameters: joined(r.URL.Query()),
		RequestContext: httpContext{
			AccountID: s.options.AccountID, DomainPrefix: domainPrefix,
			DomainName: domainPrefix + "." + s.options.Region + ".fcapp.run",
			HTTP: httpLine{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: host, UserAgent: r.UserAgent(),
			},
			RequestID: requestID, Time: now.Format(time.RFC3339), TimeEpoch: strconv.FormatInt(now.UnixMilli(), 10),
		},
	}
}

func joined(values map[string][]string) map[string]string {
	result := make(map[string]string, len(values))
	for name, list := range values {
		result[name] = strings.Join(list, ",")
	}
	return result
}

// httpResponse translates the function's result. Headers that begin with x-fc- are the platform's own and are left out.
//
// Guess: a result without a statusCode is itself the body, as JSON, of a status 200.
func httpResponse(result []byte) (response, error) {
	var fields struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
		Body            string            `json:"body"`
	}
	header := http.Header{"Content-Type": {"application/json"}}
	var object map[string]json.RawMessage
	if json.Unmarshal(result, &object) != nil || object["statusCode"] == nil {
		return response{status: http.StatusOK, header: header, body: bytes.TrimSpace(result)}, nil
	}
	if err := json.Unmarshal(result, &fields); err != nil {
		return response{}, fmt.Errorf("decode the function's response: %w", err)
	}
	if fields.StatusCode < 200 || fields.StatusCode > 599 {
		return response{}, fmt.Errorf("the function's statusCode is %d", fields.StatusCode)
	}
	size := 0
	for name, value := range fields.Headers {
		size += len(name) + len(value)
		if !strings.HasPrefix(strings.ToLower(name), "x-fc-") {
			header.Set(name, value)
		}
	}
	if size > maxResponseHeaders {
		return response{}, errors.New("the response headers are larger than 8 KB")
	}
	body := []byte(fields.Body)
	if fields.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(fields.Body); err != nil {
			return response{}, fmt.Errorf("decode the function's body: %w", err)
		}
	}
	return response{status: fields.StatusCode, header: header, body: body}, nil
}
