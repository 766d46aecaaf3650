package fcd_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

const invocations = "/2023-03-30/functions/test/invocations"

// A client sends signed requests to a handler over a real connection.
type client struct {
	t      *testing.T
	server *httptest.Server
	// as signs; its zero value sends unsigned requests.
	as account.Identity
}

func newClient(t *testing.T, h http.Handler, as account.Identity) *client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &client{t, server, as}
}

// do sends a request and returns its answer, or nil if the connection was cut.
func (c *client) do(method, target, body string, header http.Header) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+target, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if c.as.AccessKeyID != "" {
		openapi.SignACS3(r, []byte(body), c.as, time.Now())
	}
	response, err := c.server.Client().Do(r)
	if err != nil {
		return nil, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(text)
}

func (c *cloud) user(t *testing.T, action, resource string) account.Identity {
	t.Helper()
	return c.dir.PutUser("someone",
		policy(t, `{"Version":"1","Statement":[{"Effect":"Allow","Action":"`+action+`","Resource":"`+resource+`"}]}`))
}

func TestAPI(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	api := newClient(t, c.Server, c.user(t, "fc:InvokeFunction", "acs:fc:cn-hangzhou:1234567890123456:functions/*"))
	async := http.Header{"X-Fc-Invocation-Type": {"Async"}}
	task := http.Header{"X-Fc-Invocation-Type": {"Async"}, "X-Fc-Async-Task-Id": {"task-1"}}
	for _, tc := range []struct {
		name, method, target, body string
		header                     http.Header
		status                     int
		want, errorType            string
	}{
		{"a result", "POST", invocations, `{"a":1}`, nil, 200, `{"a":1}`, ""},
		{"a qualifier", "POST", invocations + "?qualifier=LATEST", `{"a":1}`, nil, 200, `{"a":1}`, ""},
		{"another version", "POST", invocations + "?qualifier=7", `{}`, nil, 404, "VersionNotFound", "FcCommonError"},
		{"an error of the function", "POST", invocations, `{"do":"panic"}`, nil, 200, "stackTrace", "UnhandledInvocationError"},
		{"another function", "POST", strings.Replace(invocations, "test", "other", 1), `{}`, nil, 404, "FunctionNotFound", "FcCommonError"},
		{"another path", "POST", "/2023-03-30/functions", `{}`, nil, 404, "PathNotSupported", "FcCommonError"},
		{"another method", "GET", invocations, "", nil, 405, "MethodNotAllowed", "FcCommonError"},
		{"an unknown type", "POST", invocations, `{}`, http.Header{"X-Fc-Invocation-Type": {"Later"}}, 400, "InvalidArgument", "FcCommonError"},
		{"asynchronous", "POST", invocations, `{"a":"async"}`, async, 202, "", ""},
		{"asynchronous and large", "POST", invocations, strings.Repeat("x", 128<<10+1), async, 400, "InvalidArgument", "FcCommonError"},
		{"a task", "POST", invocations, `{}`, task, 202, "", ""},
		{"the same task", "POST", invocations, `{}`, task, 409, "AsyncTaskAlreadyExists", "FcCommonError"},
		{"a malformed task", "POST", invocations, `{}`, http.Header{"X-Fc-Invocation-Type": {"Async"}, "X-Fc-Async-Task-Id": {"1"}}, 400, "InvalidArgument", "FcCommonError"},
	} {
		response, body := api.do(tc.method, tc.target, tc.body, tc.header)
		if response == nil || response.StatusCode != tc.status || !strings.Contains(body, tc.want) || response.Header.Get("X-Fc-Error-Type") != tc.errorType {
			t.Errorf("%s: got %+v %s, want %d with %q and error type %q", tc.name, response, body, tc.status, tc.want, tc.errorType)
			continue
		}
		if response.Header.Get("X-Fc-Request-Id") == "" {
			t.Errorf("%s: the answer has no request id", tc.name)
		}
	}
	c.output.waitFor(t, `payload {"a":"async"}`, 1)
	c.idle(t)
	first := c.tap.Calls()[0]
	if first.Service != "fc" || first.Action != "fc:InvokeFunction" || first.Principal != api.as.ARN || !first.Applied ||
		first.Resource != "acs:fc:cn-hangzhou:1234567890123456:functions/test" {
		t.Errorf("unexpected call %+v", first)
	}
}

func TestAPIAuthenticatesAndAuthorizes(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	elsewhere := c.user(t, "fc:InvokeFunction", "acs:fc:cn-beijing:*:functions/test")
	forged := elsewhere
	forged.Secret = "wrong"
	for name, tc := range map[string]struct {
		as     account.Identity
		status int
		code   string
	}{
		"not signed":   {account.Identity{}, 400, "IncompleteSignature"},
		"wrong secret": {forged, 400, "SignatureDoesNotMatch"},
		"not allowed":  {elsewhere, 403, "AccessDenied"},
	} {
		response, body := newClient(t, c.Server, tc.as).do("POST", invocations, `{}`, nil)
		if response.StatusCode != tc.status || !strings.Contains(body, tc.code) {
			t.Errorf("%s: got %d %s, want %d %s", name, response.StatusCode, body, tc.status, tc.code)
		}
	}
	if got := c.Stats().Invocations; got != 0 {
		t.Errorf("the function was invoked %d times", got)
	}
}

func TestAPIHonoursFaults(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	api := newClient(t, c.Server, c.user(t, "fc:*", "*"))
	for name, tc := range map[string]struct {
		fault   trace.Fault
		status  int // 0: cut
		applied bool
	}{
		"refused":    {trace.Fault{Refuse: &trace.Refusal{Status: 429, Code: "ResourceExhausted"}}, 429, false},
		"cut before": {trace.Fault{Cut: trace.CutBefore}, 0, false},
		"cut after":  {trace.Fault{Cut: trace.CutAfter}, 0, true},
		"mangled":    {trace.Fault{Mangle: func(int, []byte) (int, []byte) { return 502, []byte("<html>") }}, 502, true},
	} {
		c.tap.Reset()
		before := c.Stats().Invocations
		c.tap.Inject(func(trace.Call) trace.Fault { return tc.fault })
		response, _ := api.do("POST", invocations, `{}`, nil)
		status := 0
		if response != nil {
			status = response.StatusCode
		}
		calls := c.tap.Calls()
		if applied := c.Stats().Invocations > before; status != tc.status || applied != tc.applied || calls[0].Applied != tc.applied || calls[0].Status != status {
			t.Errorf("%s: status %d, applied %v, recorded %+v", name, status, applied, calls)
		}
	}
}

func TestHTTPTriggerAsksForASignature(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	signed := newClient(t, c.HTTPTrigger(), c.user(t, "ecs:DescribeImages", "*"))
	unsigned := newClient(t, c.HTTPTrigger(), account.Identity{})
	if response, _ := unsigned.do("GET", "/", "", nil); response.StatusCode != 403 {
		t.Errorf("unsigned: got %d, want 403", response.StatusCode)
	}
	if response, _ := signed.do("GET", "/", "", nil); response.StatusCode != 200 {
		t.Errorf("signed: got %d, want 200", response.StatusCode)
	}
	if response, _ := signed.do("DELETE", "/", "", nil); response.StatusCode != 405 {
		t.Errorf("a method that is not enabled: got %d, want 405", response.StatusCode)
	}
	open := deployYAML(t, strings.Replace(specYAML, "authType: function", "authType: anonymous", 1), nil)
	if response, _ := newClient(t, open.HTTPTrigger(), account.Identity{}).do("GET", "/", "", nil); response.StatusCode != 200 {
		t.Errorf("anonymous: got %d, want 200", response.StatusCode)
	}
}

func TestHTTPTriggerBuildsTheDocumentedEvent(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	trigger := newClient(t, c.HTTPTrigger(), c.user(t, "ecs:DescribeImages", "*"))
	response, body := trigger.do("POST", "/a%20b?x=1&x=2&y=3", "hello", http.Header{"X-Many": {"a", "b"}, "User-Agent": {"tester"}})
	var event struct {
		Version, RawPath, Body   string
		IsBase64Encoded          bool
		Headers, QueryParameters map[string]string
		RequestContext           struct {
			AccountID, RequestID, TimeEpoch string
			HTTP                            struct{ Method, Path, SourceIP, UserAgent string }
		}
	}
	if err := json.Unmarshal([]byte(body), &event); err != nil { // the function echoes its event, which has no statusCode
		t.Fatalf("decode %s: %v", body, err)
	}
	line := event.RequestContext.HTTP
	if event.Version != "v1" || event.RawPath != "/a%20b" || line.Path != "/a b" || line.Method != "POST" || line.SourceIP != "127.0.0.1" ||
		line.UserAgent != "tester" || event.Body != "hello" || event.IsBase64Encoded || event.Headers["X-Many"] != "a,b" ||
		event.QueryParameters["x"] != "1,2" || event.RequestContext.AccountID != accountID {
		t.Errorf("unexpected event %+v", event)
	}
	if event.RequestContext.RequestID != response.Header.Get("X-Fc-Request-Id") {
		t.Errorf("request ids %s and %s differ", event.RequestContext.RequestID, response.Header.Get("X-Fc-Request-Id"))
	}
	_, body = trigger.do("POST", "/", "\xff\xfe", nil)
	if !strings.Contains(body, `"isBase64Encoded":true`) || !strings.Contains(body, `"body":"//4="`) {
		t.Errorf("a binary body arrives as %s", body)
	}
}

// TestHTTPTriggerTakesAsynchronousRequests: Function Compute answers by itself, and the function gets the same event as otherwise,
// once for each id that callers choose.
func TestHTTPTriggerTakesAsynchronousRequests(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	trigger := newClient(t, c.HTTPTrigger(), c.user(t, "ecs:DescribeImages", "*"))
	async := func(task string) http.Header {
		header := http.Header{"X-Fc-Invocation-Type": {"Async"}}
		if task != "" {
			header.Set("X-Fc-Async-Task-Id", task)
		}
		return header
	}
	for _, tc := range []struct {
		name, body string
		header     http.Header
		status     int
		want       string
	}{
		{"taken in", "once", async(""), 202, ""},
		{"the largest", strings.Repeat("x", 128<<10), async(""), 202, ""},
		{"too large", strings.Repeat("x", 128<<10+1), async(""), 400, "InvalidArgument"},
		{"a task", "task", async("task-1"), 202, ""},
		{"the same task", "task", async("task-1"), 409, "AsyncTaskAlreadyExists"},
		{"a malformed task", "task", async("1"), 400, "InvalidArgument"},
	} {
		response, body := trigger.do("POST", "/asked", tc.body, tc.header)
		if response.StatusCode != tc.status || !strings.Contains(body, tc.want) || tc.status == 202 && body != "" || response.Header.Get("X-Fc-Request-Id") == "" {
			t.Errorf("%s: got %d %q %v", tc.name, response.StatusCode, body, response.Header)
		}
	}
	c.idle(t)
	all := c.output.waitFor(t, `"rawPath":"/asked"`, 3)
	if strings.Count(all, `"body":"once"`) != 1 || strings.Count(all, `"body":"task"`) != 1 || c.Stats().Invocations != 3 {
		t.Errorf("%d invocations: %.2000s", c.Stats().Invocations, all)
	}
}

func TestHTTPTriggerLimits(t *testing.T) {
	t.Parallel()
	c := deploy(t, nil)
	trigger := newClient(t, c.HTTPTrigger(), c.user(t, "ecs:DescribeImages", "*"))
	for name, tc := range map[string]struct {
		target, body string
		header       http.Header
	}{
		"large headers": {"/", "", http.Header{"X-Large": {strings.Repeat("x", 9<<10)}}},
		"a long URL":    {"/?" + strings.Repeat("x", 5<<10), "", nil},
		"a large event": {"/", strings.Repeat("x", 129<<10), http.Header{"X-Fc-Invocation-Type": {"Async"}}},
	} {
		if response, body := trigger.do("POST", tc.target, tc.body, tc.header); response.StatusCode != 400 || !strings.Contains(body, "InvalidArgument") {
			t.Errorf("%s: got %d %s", name, response.StatusCode, body)
		}
	}
}

func TestHTTPTriggerTranslatesTheResponse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		result string
		status int
		body   string
	}{
		"a response":            {`{"statusCode":201,"headers":{"X-Custom":"yes","X-Fc-Own":"no"},"isBase64Encoded":true,"body":"aGk="}`, 201, "hi"},
		"no response":           {`{"a":1}`, 200, `{"a":1}`},
		"a text":                {`"text"`, 200, `"text"`},
		"an impossible status":  {`{"statusCode":42}`, 502, "BadResponse"},
		"a status that is text": {`{"statusCode":"200"}`, 502, "BadResponse"},
		"a body not in base64":  {`{"statusCode":200,"isBase64Encoded":true,"body":"%"}`, 502, "BadResponse"},
		"large headers":         {`{"statusCode":200,"headers":{"X":"` + strings.Repeat("x", 9<<10) + `"}}`, 502, "BadResponse"},
	} {
		status, header, body := fcd.Translate([]byte(tc.result))
		if status != tc.status || !strings.Contains(body, tc.body) {
			t.Errorf("%s: got %d %s, want %d %s", name, status, body, tc.status, tc.body)
		}
		if header.Get("X-Fc-Own") != "" || tc.status == 201 && header.Get("X-Custom") != "yes" {
			t.Errorf("%s: unexpected headers %v", name, header)
		}
	}
}

func FuzzHTTPResponse(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"headers":{"a":"b"},"body":"x","isBase64Encoded":false}`))
	f.Fuzz(func(t *testing.T, result []byte) {
		if status, _, _ := fcd.Translate(result); status < 200 || status > 599 {
			t.Errorf("status %d", status)
		}
	})
}

func TestHTTPTriggerReportsFunctionErrors(t *testing.T) {
	t.Parallel()
	c := deploy(t, func(o *fcd.Options) { o.Env[alwaysFail] = "1" })
	trigger := newClient(t, c.HTTPTrigger(), c.user(t, "ecs:DescribeImages", "*"))
	response, body := trigger.do("GET", "/", "", nil)
	if response.StatusCode != 502 || response.Header.Get("X-Fc-Error-Type") != "UnhandledInvocationError" || !strings.Contains(body, "as told") {
		t.Errorf("got %d %v %s", response.StatusCode, response.Header, body)
	}
	if response, _ := trigger.do("GET", "/", "", http.Header{"X-Fc-Invocation-Type": {"Async"}}); response.StatusCode != 202 {
		t.Errorf("asynchronous: got %d, want 202", response.StatusCode)
	}
	c.idle(t)
	if failures := c.Failures(); len(failures) != 1 || failures[0].Source != "http" {
		t.Errorf("failures are %+v", failures)
	}
}
