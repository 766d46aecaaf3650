package handler

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/fc-runtime-go-sdk/events"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// httpEvent is the event of FC's HTTP trigger for a request; target may have a query.
func httpEvent(t testing.TB, method, target, body string, headers map[string]string) json.RawMessage {
	t.Helper()
	rawPath, rawQuery, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		t.Fatal(err)
	}
	query := map[string]string{}
	for name := range values {
		query[name] = strings.Join(values[name], ",")
	}
	all := map[string]string{}
	if body != "" {
		all["content-type"] = "application/json"
	}
	for name, v := range headers {
		all[strings.ToLower(name)] = v
	}
	event, err := json.Marshal(map[string]any{
		"version": "v1", "rawPath": rawPath, "body": body, "isBase64Encoded": false, "headers": all, "queryParameters": query,
		"requestContext": map[string]any{"requestId": "gw-1", "http": map[string]any{"method": method, "path": rawPath}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return event
}

func do(t testing.TB, h *Handler, ctx context.Context, event json.RawMessage) Response {
	t.Helper()
	answer, err := h.Handle(ctx, event)
	if err != nil {
		t.Fatal(err)
	}
	return answer.(Response)
}

var bearer = map[string]string{"Authorization": "Bearer t"}

func TestHTTP(t *testing.T) {
	t.Parallel()
	known := func(id string) bool { return id == "m-known" || id == "m-running" }
	const huge = maxBody + 1
	tests := []struct {
		method, target, body string
		status               int
		reason               string   // of the problem
		contains             string   // in the body
		calls                []string // of the domain
	}{
		{"GET", "/healthz", "", 200, "", `{"status":"ok","version":"v1.2.3"}`, nil},
		{"HEAD", "/healthz", "", 200, "", "", nil},
		{"POST", "/healthz", "", 405, "method-not-allowed", "GET, HEAD", nil},

		{"POST", "/exports", `{"imageId":"m-1"}`, 202, "", `"state":"exporting"`, []string{"submit m-1 explicit"}},
		{"POST", "/exports", `{"imageId":"m-known"}`, 200, "", `"state":"exported"`, []string{"submit m-known explicit"}},
		{"POST", "/exports", `{"imageId":"m-known","force":true}`, 202, "", `"new":true`, []string{"submit m-known explicit force"}},
		{"POST", "/exports", "", 400, "malformed-request", "body.imageId: is missing", nil},
		{"POST", "/exports", `{}`, 400, "malformed-request", "body.imageId: is missing", nil},
		{"POST", "/exports", `[]`, 400, "malformed-request", "body: is an array", nil},
		{"POST", "/exports", `{"imageId":`, 400, "malformed-request", "body: is not JSON", nil},
		{"POST", "/exports", `{"imageId":"m-1","colour":1}`, 400, "malformed-request", "body.colour: is not a known field", nil},
		{"POST", "/exports", `{"imageid":"m-1"}`, 400, "malformed-request", "body.imageid: is not a known field", nil},
		{"POST", "/exports", `{"imageId":"m-1","force":1}`, 400, "malformed-request", "body.force: is a number", nil},
		{"POST", "/exports", `{"imageId":"../m-1"}`, 422, "invalid-value", "body.imageId", nil},
		{"POST", "/exports", strings.Repeat(" ", huge), 413, "body-too-large", "65536 bytes", nil},
		{"PUT", "/exports", "", 405, "method-not-allowed", "GET, HEAD, POST", nil},

		{"GET", "/exports", "", 200, "", `{"exports":[],"cursor":"next"}`, []string{`list "" 0 ""`}},
		{"GET", "/exports?state=queued&limit=100&cursor=m-9", "", 200, "", "", []string{`list "queued" 100 "m-9"`}},
		{"GET", "/exports?state=done", "", 400, "invalid-value", "state", nil},
		{"GET", "/exports?limit=101", "", 400, "invalid-value", "limit", nil},
		{"GET", "/exports?limit=0", "", 400, "invalid-value", "limit", nil},
		{"GET", "/exports?limit=1,2", "", 400, "invalid-value", "limit", nil},
		{"HEAD", "/exports", "", 200, "", "", []string{`list "" 0 ""`}},

		{"GET", "/exports/m-known", "", 200, "", `"state":"exported"`, []string{"get m-known"}},
		{"GET", "/exports/m-1", "", 404, "unknown-export", "no export of this image", []string{"get m-1"}},
		{"GET", "/exports/%6d-known", "", 200, "", `"state":"exported"`, []string{"get m-known"}},
		{"GET", "/exports/m-1%2Fx", "", 400, "invalid-value", "", nil},
		{"GET", "/exports/centos_7", "", 400, "invalid-value", "", nil},
		{"DELETE", "/exports/m-known", "", 405, "method-not-allowed", "GET, HEAD", nil},

		{"POST", "/exports/m-known/cancel", "", 200, "", `"state":"cancelled"`, []string{"cancel m-known"}},
		{"POST", "/exports/m-running/cancel", "", 202, "", `"state":"exporting"`, []string{"cancel m-running"}},
		{"POST", "/exports/m-known/cancel", "{}", 200, "", `"state":"cancelled"`, []string{"cancel m-known"}},
		{"POST", "/exports/m-known/cancel", `{"x":1}`, 400, "malformed-request", "body.x", nil},
		{"POST", "/exports/m-1/cancel", "", 404, "unknown-export", "", []string{"cancel m-1"}},
		{"GET", "/exports/m-known/cancel", "", 405, "method-not-allowed", "POST", nil},
		{"POST", "/exports/x/cancel", "", 400, "invalid-value", "", nil},
		{"POST", "/exports/m-known/retry", "", 202, "", `"new":true`, []string{"get m-known", "submit m-known explicit force"}},
		{"POST", "/exports/m-known/retry", `{"x":1}`, 400, "malformed-request", "body.x", nil},
		{"POST", "/follow", `{"x":1}`, 400, "malformed-request", "body.x", nil},
		{"POST", "/exports/m-1/retry", "", 404, "unknown-export", "", []string{"get m-1"}},
		{"POST", "/exports/x/retry", "", 400, "invalid-value", "", nil},

		{"POST", "/sweep", "", 200, "", `{"rounds":[{"action":"sweep","seen":0}]}`, []string{"sweep 0s false 0"}},
		{"POST", "/sweep", `{"maxAge":"720h","dryRun":true,"limit":5}`, 200, "", `"dryRun":true`, []string{"sweep 720h0m0s true 5"}},
		{"POST", "/sweep", `{"maxAge":"30d"}`, 422, "invalid-value", "body.maxAge", nil},
		{"POST", "/sweep", `{"limit":-1}`, 422, "invalid-value", "body.limit", nil},
		{"POST", "/sweep", `{"action":"drain"}`, 400, "malformed-request", "body.action", nil},
		{"POST", "/follow", "", 200, "", `"action":"drain"`, []string{"follow", "drain"}},
		{"GET", "/follow", "", 405, "method-not-allowed", "POST", nil},

		{"GET", "/export", "", 404, "unknown-path", "", nil},
		{"GET", "/exports/", "", 404, "unknown-path", "", nil},
		{"GET", "//exports", "", 404, "unknown-path", "", nil},
		{"GET", "/exports/../healthz", "", 404, "unknown-path", "", nil},
		{"GET", "/%zz", "", 400, "malformed-request", "path", nil},
		{"GET", "exports", "", 400, "malformed-request", "path", nil},
		{"G T", "/exports", "", 400, "malformed-request", "method", nil},
	}
	for _, test := range tests {
		name := test.method + " " + test.target + " " + test.body[:min(len(test.body), 40)]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ferry := &fakeFerry{known: known}
			h := newTestHandler(t, ferry, Options{Auth: "token", Token: "t", Version: "v1.2.3"})
			r := do(t, h, invoked(t), httpEvent(t, test.method, test.target, test.body, bearer))
			if r.StatusCode != test.status {
				t.Fatalf("status %d, want %d: %s", r.StatusCode, test.status, r.Body)
			}
			if !slices.Equal(ferry.called(), test.calls) {
				t.Errorf("called %q, want %q", ferry.called(), test.calls)
			}
			if !strings.Contains(r.Body, test.contains) {
				t.Errorf("answered %s, want %s in it", r.Body, test.contains)
			}
			if r.Headers["Cache-Control"] != "no-store" || r.Headers["X-Content-Type-Options"] != "nosniff" {
				t.Errorf("headers %v", r.Headers)
			}
			switch {
			case test.method == "HEAD":
				if r.Body != "" || r.Headers["Content-Type"] != "application/json" {
					t.Errorf("HEAD answers %+v", r)
				}
			case test.reason != "":
				checkProblem(t, r, test.status, test.reason)
			case r.Headers["Content-Type"] != "application/json":
				t.Errorf("Content-Type %q", r.Headers["Content-Type"])
			}
			if test.status == 405 && r.Headers["Allow"] != test.contains {
				t.Errorf("Allow %q, want %q", r.Headers["Allow"], test.contains)
			}
		})
	}
}

func checkProblem(t *testing.T, r Response, status int, reason string) {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Fatal(err)
	}
	if r.Headers["Content-Type"] != "application/problem+json" || p.Status != status || p.Reason != reason ||
		p.Remedy == "" || p.Title == "" || p.Type != "about:blank" || p.Instance != "req-1" {
		t.Errorf("problem %+v of %s, want %d %s", p, r.Headers["Content-Type"], status, reason)
	}
}

// A failing domain: what a client can do about it shows in the status, and nothing that it must not know.
func TestHTTPDomainErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail   error
		status int
		reason string
		body   string
	}{
		"state":      {fmt.Errorf("cancel: %w: exported", export.ErrState), 409, "wrong-state", "exported"},
		"unknown":    {export.ErrUnknown, 404, "unknown-export", ""},
		"cloud":      {&export.CallError{Op: "PutObject", Code: "AccessDenied", Message: "no", RequestID: "5F0"}, 503, "cloud-call-failed", "PutObject: AccessDenied: no (request 5F0)"},
		"deadline":   {fmt.Errorf("put: %w", context.DeadlineExceeded), 503, "out-of-time", ""},
		"unreadable": {manifest.ErrUnreadable, 500, "journal-unreadable", ""},
		"newer":      {manifest.ErrNewer, 500, "journal-newer", ""},
		"other":      {errors.New("inner workings"), 503, "cloud-call-failed", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ferry := &fakeFerry{fail: func(string) error { return test.fail }}
			h := newTestHandler(t, ferry, Options{Auth: "token", Token: "t"})
			for _, request := range [][2]string{{"POST", "/exports/m-1/cancel"}, {"GET", "/exports/m-1"}, {"GET", "/exports"}, {"POST", "/follow"}} {
				r := do(t, h, invoked(t), httpEvent(t, request[0], request[1], "", bearer))
				if r.StatusCode != test.status || !strings.Contains(r.Body, test.body) || strings.Contains(r.Body, "inner workings") {
					t.Errorf("%v answers %d %s", request, r.StatusCode, r.Body)
				}
				checkProblem(t, r, test.status, test.reason)
			}
		})
	}
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		h := newTestHandler(t, &fakeFerry{fail: func(string) error { panic("inner workings") }}, Options{Auth: "token", Token: "t"})
		r := do(t, h, invoked(t), httpEvent(t, "GET", "/exports", "", bearer))
		checkProblem(t, r, 500, "internal-error")
		if strings.Contains(r.Body, "inner workings") {
			t.Error(r.Body)
		}
	})
	t.Run("refused without an export", func(t *testing.T) {
		t.Parallel()
		h := newTestHandler(t, &fakeFerry{refuse: "manifest-bucket-versioned"}, Options{Auth: "token", Token: "t"})
		r := do(t, h, invoked(t), httpEvent(t, "POST", "/exports", `{"imageId":"m-1"}`, bearer))
		checkProblem(t, r, 409, "manifest-bucket-versioned")
		r = do(t, h, invoked(t), httpEvent(t, "POST", "/exports/m-1/cancel", "", bearer))
		checkProblem(t, r, 409, "manifest-bucket-versioned")
	})
}

func TestHTTPMediaTypes(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]int{
		"application/json": 202, "application/json; charset=utf-8": 202, "Application/JSON": 202, "application/vnd.x+json": 202,
		"application/x-www-form-urlencoded": 415, "text/plain": 415, "": 415, "application/": 415,
	} {
		h := newTestHandler(t, &fakeFerry{}, Options{Auth: "token", Token: "t"})
		headers := map[string]string{"Authorization": "Bearer t", "Content-Type": contentType}
		r := do(t, h, invoked(t), httpEvent(t, "POST", "/exports", `{"imageId":"m-1"}`, headers))
		if r.StatusCode != want {
			t.Errorf("Content-Type %q answers %d, want %d", contentType, r.StatusCode, want)
		}
		if want == 415 {
			checkProblem(t, r, want, "not-json")
		}
	}
}

func TestHTTPAuthentication(t *testing.T) {
	t.Parallel()
	const signed = "ACS3-HMAC-SHA256 Credential=LTAIexample,SignedHeaders=host,Signature=00"
	tests := []struct {
		name          string
		opts          Options
		authorization string
		status        int
	}{
		{"token", Options{Auth: "token", Token: "r1ght"}, "Bearer r1ght", 200},
		{"token, scheme in lower case", Options{Auth: "token", Token: "r1ght"}, "bearer r1ght", 200},
		{"wrong token", Options{Auth: "token", Token: "r1ght"}, "Bearer wr0ng", 401},
		{"longer token", Options{Auth: "token", Token: "r1ght"}, "Bearer r1ght ", 401},
		{"no token", Options{Auth: "token", Token: "r1ght"}, "", 401},
		{"other scheme", Options{Auth: "token", Token: "r1ght"}, "Basic r1ght", 401},
		{"token not configured", Options{Auth: "token"}, "Bearer ", 401},
		{"nothing configured, nothing sent", Options{Auth: "token"}, "", 401},
		{"beginning of the token", Options{Auth: "token", Token: "r1ght"}, "Bearer r1gh", 401},
		{"token without a scheme", Options{Auth: "token", Token: "r1ght"}, "r1ght", 401},
		{"token twice", Options{Auth: "token", Token: "r1ght"}, "Bearer r1ght,Bearer r1ght", 401},
		{"signed", Options{Auth: "function"}, signed, 200},
		{"not signed", Options{Auth: "function"}, "", 401},
		{"signature without a value", Options{Auth: "function"}, "ACS3", 401},
		{"other signature", Options{Auth: "function"}, "ACS3-HMAC-SHA256X Credential=x", 401},
		{"token instead of signature", Options{Auth: "function", Token: "r1ght"}, "Bearer r1ght", 401},
		{"off", Options{Auth: "off", Token: "r1ght"}, "Bearer r1ght", 403},
		{"default", Options{Token: "r1ght"}, "Bearer r1ght", 403},
		{"misspelt", Options{Auth: "tokens", Token: "r1ght"}, "Bearer r1ght", 403},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			test.opts.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			ferry := &fakeFerry{}
			h := newTestHandler(t, ferry, test.opts)
			headers := map[string]string{"Authorization": test.authorization}
			r := do(t, h, invoked(t), httpEvent(t, "GET", "/exports", "", headers))
			if r.StatusCode != test.status {
				t.Fatalf("status %d, want %d", r.StatusCode, test.status)
			}
			if (test.status == 200) != (len(ferry.called()) == 1) {
				t.Errorf("called %v", ferry.called())
			}
			if test.status == 401 && r.Headers["Www-Authenticate"] == "" {
				t.Errorf("headers %v", r.Headers)
			}
			// Nobody learns which paths there are, and health is for everyone.
			if r := do(t, h, invoked(t), httpEvent(t, "GET", "/nowhere", "", headers)); test.status != 200 && r.StatusCode != test.status {
				t.Errorf("an unknown path answers %d", r.StatusCode)
			}
			if r := do(t, h, invoked(t), httpEvent(t, "GET", "/healthz", "", nil)); r.StatusCode != 200 {
				t.Errorf("/healthz answers %d", r.StatusCode)
			}
			for _, secret := range []string{"LTAIexample", "Signature=00", "r1ght", "wr0ng"} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log has %q: %s", secret, log.String())
				}
			}
		})
	}
}

// Headers and bodies are not logged, not even when the event, or the domain, is broken.
func TestHTTPLogsNoSecrets(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ferry := &fakeFerry{fail: func(string) error { return errors.New("store is gone") }}
	h := newTestHandler(t, ferry, Options{Auth: "token", Token: "t0p-secret", Log: logger})
	headers := map[string]string{"Authorization": "Bearer t0p-secret", "X-Fc-Security-Token": "t0p-secret"}
	for _, event := range []json.RawMessage{
		httpEvent(t, "POST", "/exports", `{"imageId":"m-1"}`, headers),
		httpEvent(t, "POST", "/exports?token=t0p-secret", `{"t0p":"t0p-secret"}`, headers),
		httpEvent(t, "GET", "/nowhere/t0p-secret", "", headers),
		[]byte(`{"version":"v1","requestContext":{"http":{"method":"GET"}},"headers":{"authorization":["t0p-secret"]}}`),
	} {
		answer, err := h.Handle(invoked(t), event)
		if text := fmt.Sprint(answer, err); strings.Contains(text, "t0p-secret") {
			t.Errorf("answered %s", text)
		}
	}
	if text := log.String(); strings.Contains(text, "t0p-secret") || !strings.Contains(text, "store is gone") {
		t.Errorf("logged %s", text)
	}
}

func TestHTTPWithoutInvocationContext(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, &fakeFerry{}, Options{Auth: "off"})
	r := do(t, h, t.Context(), httpEvent(t, "GET", "/exports", "", nil))
	if !strings.Contains(r.Body, `"instance":"gw-1"`) {
		t.Errorf("answered %s, want the gateway's request id", r.Body)
	}
}

func TestHTTPLocation(t *testing.T) {
	t.Parallel()
	h := newTestHandler(t, &fakeFerry{}, Options{Auth: "token", Token: "t"})
	r := do(t, h, invoked(t), httpEvent(t, "POST", "/exports", `{"imageId":"m-1"}`, bearer))
	if r.Headers["Location"] != "/exports/m-1" {
		t.Errorf("headers %v", r.Headers)
	}
}

// The answer is what the SDK's type for it says, and text that is no text goes as base64.
func TestResponseShape(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"text", "\xff\x00"} {
		w := newRecorder()
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(w.response("GET"))
		if err != nil {
			t.Fatal(err)
		}
		var got events.HTTPTriggerResponse
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.IsBase64Encoded {
			plain, err := base64.StdEncoding.DecodeString(got.Body)
			if err != nil {
				t.Fatal(err)
			}
			got.Body = string(plain)
		}
		if got.StatusCode != 200 || got.Headers["X-Two"] != "a, b" || got.Body != body {
			t.Errorf("response %+v", got)
		}
	}
}
