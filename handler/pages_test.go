package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/metrics"
	"imageferry/internal/restore"
)

// The status page's part of fakeFerry: it lists m-known and m-running.

func (f *fakeFerry) Recent(_ context.Context, o export.Filter, cursor string, limit int) (export.Recent, error) {
	if cursor == "strange" {
		return export.Recent{}, export.ErrCursor
	}
	m := &manifest.Manifest{Image: manifest.Image{ID: "m-known", Name: "<b>known</b>"}, State: manifest.Exported}
	return export.Recent{Exports: []*manifest.Manifest{m}}, f.record(fmt.Sprintf("recent %q %d", o.State, limit), manifest.Trigger{})
}

func (f *fakeFerry) Overview(context.Context) (export.Overview, error) {
	return export.Overview{States: map[manifest.State]int{manifest.Exported: 1}, Total: 1}, f.record("overview", manifest.Trigger{})
}

func (f *fakeFerry) History(_ context.Context, id string) ([]manifest.Entry, error) {
	if err := f.record("history "+id, manifest.Trigger{}); err != nil {
		return nil, err
	}
	if !f.exists(id) {
		return nil, fmt.Errorf("history: %w", export.ErrUnknown)
	}
	return []manifest.Entry{{Revision: 1, Manifest: &manifest.Manifest{Revision: 1, State: manifest.Exported, Image: manifest.Image{ID: id, Name: "known"}}}}, nil
}

func (f *fakeFerry) Progress(context.Context, []string) (map[string]int, error) { return nil, nil }

func (f *fakeFerry) Rehearsals(context.Context, string) (*restore.Rehearsals, error) { return nil, nil }
func (f *fakeFerry) AtWork(context.Context) ([]*restore.Record, error)               { return nil, nil }
func (f *fakeFerry) RestoresOf(context.Context, string) ([]*restore.Record, error)   { return nil, nil }

func (f *fakeFerry) Destination() manifest.Destination {
	return manifest.Destination{Region: "cn-hangzhou", Bucket: "a-secret-bucket", Format: "raw"}
}

// browsing are the headers of a browser that a gateway has given the token.
func browsing(more ...string) map[string]string {
	h := map[string]string{"Authorization": "Bearer t", "Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

// TestPages asks for every view as a browser and as a program does.
func TestPages(t *testing.T) {
	t.Parallel()
	const html, doc, trouble = "text/html; charset=utf-8", "application/json", "application/problem+json"
	for _, test := range []struct {
		method, target string
		headers        map[string]string
		status         int
		contentType    string
		contains       string // or the Location, or Allow
	}{
		{"GET", "/", browsing(), 200, html, "&lt;b&gt;known"},
		{"HEAD", "/", browsing(), 200, html, ""},
		{"GET", "/", bearer, 200, doc, `"exports":[`},
		{"GET", "/?format=json", browsing(), 200, doc, `"total":1`},
		{"GET", "/?format=html", bearer, 200, html, "known"},
		{"GET", "/?state=done", bearer, 400, trouble, "invalid-value"},
		{"GET", "/?cursor=strange", browsing(), 400, html, "This place in the list is gone"},
		{"GET", "/images/m-known", browsing(), 200, html, "known"},
		{"HEAD", "/images/m-known", bearer, 200, doc, ""},
		{"GET", "/images/m-known", bearer, 200, doc, `"revisions":[`},
		{"GET", "/images/m-1", browsing(), 404, html, "No export of this image"},
		{"GET", "/images/m-1", bearer, 404, trouble, "unknown-export"},
		{"GET", "/images/a%2fb", browsing(), 404, html, "unknown-export"},
		{"GET", "/badge.svg", bearer, 200, "image/svg+xml", "images exported"},
		{"GET", "/badge.svg?format=json", bearer, 200, doc, `"schemaVersion":1`},
		{"GET", "/assets/page.css", browsing(), 200, "text/css; charset=utf-8", "color-scheme"},
		{"GET", "/assets/nothing.css", bearer, 404, trouble, "unknown-path"},
		{"POST", "/", bearer, 405, trouble, "GET, HEAD"},
		{"DELETE", "/images/m-known", bearer, 405, trouble, "GET, HEAD"},
		{"POST", "/images", bearer, 404, trouble, "unknown-path"},
		{"POST", "/images/m-known/retry", browsing(), 404, html, "unknown-path"},
		{"GET", "/nowhere", browsing(), 404, html, "unknown-path"},

		// Programs get from the API what they always got; browsers are led to the page.
		{"GET", "/exports", browsing(), 303, "", "/"},
		{"GET", "/exports?state=failed&limit=7&cursor=m-9", browsing(), 303, "", "/?limit=7&state=failed"},
		{"HEAD", "/exports/m-known", browsing(), 303, "", "/images/m-known"},
		{"GET", "/exports/m-known", browsing(), 303, "", "/images/m-known"},
		{"GET", "/exports/m-known?format=json", browsing(), 200, doc, `"state":"exported"`},
		{"GET", "/exports/m-known", bearer, 200, doc, `"state":"exported"`},
		{"GET", "/exports/m-known", browsing("Accept", "*/*"), 200, doc, `"state":"exported"`},
		{"GET", "/exports", browsing("Accept", "application/json, text/html;q=0.5"), 200, doc, `"cursor"`},
	} {
		t.Run(test.method+" "+test.target+" "+test.contentType, func(t *testing.T) {
			t.Parallel()
			h := newTestHandler(t, &fakeFerry{known: func(id string) bool { return id == "m-known" }}, Options{Auth: "token", Token: "t"})
			r := do(t, h, invoked(t), httpEvent(t, test.method, test.target, "", test.headers))
			if r.StatusCode != test.status || test.contentType != "" && r.Headers["Content-Type"] != test.contentType {
				t.Fatalf("%d %s, want %d %s: %.300s", r.StatusCode, r.Headers["Content-Type"], test.status, test.contentType, r.Body)
			}
			got := r.Body
			switch test.status {
			case 303:
				if got = r.Headers["Location"]; got != test.contains {
					t.Errorf("Location %q, want %q", got, test.contains)
				}
			case 405:
				got = r.Headers["Allow"]
			}
			if !strings.Contains(got, test.contains) {
				t.Errorf("%q is missing in %.600s", test.contains, got)
			}
			if test.method == "HEAD" && r.Body != "" {
				t.Error("HEAD has a body")
			}
			if test.contentType == trouble {
				checkProblem(t, r, test.status, problemReason(t, r))
			}
		})
	}
}

func problemReason(t *testing.T, r Response) string {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Fatal(err)
	}
	return p.Reason
}

// TestPagesAreProtected: whoever may not use HTTP learns nothing from the page, and what it says of that names nothing.
func TestPagesAreProtected(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{
		"token": {Auth: "token", Token: "another"}, "function": {Auth: "function"}, "off": {Auth: "off"}, "nothing configured": {},
	} {
		ferry := &fakeFerry{}
		opts.Page = page.Options{AllowActions: true}
		h := newTestHandler(t, ferry, opts)
		for _, target := range []string{"/", "/images/m-known", "/badge.svg", "/assets/page.css", "/exports", "/nowhere"} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				r := do(t, h, invoked(t), httpEvent(t, method, target, "", browsing()))
				if r.StatusCode != 401 && r.StatusCode != 403 || strings.Contains(r.Body, "a-secret-bucket") {
					t.Errorf("%s: %s %s answers %d %.200s", name, method, target, r.StatusCode, r.Body)
				}
			}
		}
		if len(ferry.called()) != 0 {
			t.Errorf("%s: called %v", name, ferry.called())
		}
	}
}

// TestForms goes from the page to the action as a browser does, with another instance for each request.
func TestForms(t *testing.T) {
	t.Parallel()
	key, err := page.DeriveKey("a-token-of-the-test")
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	ferry := &fakeFerry{known: func(id string) bool { return id == "m-known" }}
	instance := func() *Handler {
		return newTestHandler(t, ferry, Options{Auth: "token", Token: "t", Log: slog.New(slog.NewJSONHandler(&log, nil)),
			Page: page.Options{AllowActions: true, Key: key}})
	}
	r := do(t, instance(), invoked(t), httpEvent(t, "GET", "/images/m-known", "", browsing()))
	cookie, _, _ := strings.Cut(r.Headers["Set-Cookie"], ";")
	token := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(r.Body)
	if !strings.HasPrefix(cookie, "__Host-imageferry=") || token == nil {
		t.Fatalf("cookie %q, %d bytes", cookie, len(r.Body))
	}
	send := func(target string, headers map[string]string, form url.Values) Response {
		return do(t, instance(), invoked(t), httpEvent(t, "POST", target, form.Encode(), headers))
	}
	form := browsing("Content-Type", "application/x-www-form-urlencoded", "Cookie", cookie)
	for target, want := range map[string]string{
		"/images": "submit m-1 explicit", "/images/m-known/retry": "submit m-known explicit force", "/images/m-known/cancel": "cancel m-known",
	} {
		r := send(target, form, url.Values{"csrf": {token[1]}, "imageId": {"m-1"}})
		if r.StatusCode != 303 || !strings.HasPrefix(r.Headers["Location"], "/images/m-") {
			t.Errorf("POST %s: %d %.200s", target, r.StatusCode, r.Body)
		}
		if !slices.Contains(ferry.called(), want) {
			t.Errorf("POST %s: called %v", target, ferry.called())
		}
	}
	if text := log.String(); !strings.Contains(text, `"source":"status page, cancel"`) || strings.Contains(text, token[1]) || strings.Contains(text, cookie) {
		t.Errorf("logged %s", text)
	}
	before := len(ferry.called())
	for name, r := range map[string]Response{
		"no token":     send("/images", form, url.Values{"imageId": {"m-1"}}),
		"another site": send("/images", browsing("Content-Type", form["Content-Type"], "Cookie", cookie, "Sec-Fetch-Site", "cross-site"), url.Values{"csrf": {token[1]}, "imageId": {"m-1"}}),
		"no cookie":    send("/images", browsing("Content-Type", form["Content-Type"]), url.Values{"csrf": {token[1]}, "imageId": {"m-1"}}),
	} {
		if r.StatusCode != 403 || !strings.Contains(r.Body, "form-not-accepted") {
			t.Errorf("%s: %d %.200s", name, r.StatusCode, r.Body)
		}
	}
	if r := send("/images/m-9/retry", form, url.Values{"csrf": {token[1]}}); r.StatusCode != 404 {
		t.Errorf("retry of nothing: %d", r.StatusCode)
	}
	if got := ferry.called()[before:]; !slices.Equal(got, []string{"get m-9"}) {
		t.Errorf("called %v", got)
	}
}

// TestPageOfAFunctionThatIsNotConfigured says so, and with a face.
func TestPageOfAFunctionThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	h := New(func(context.Context) ([]Target, error) { return nil, errors.New("a secret detail") }, Options{Auth: "token", Token: "t"})
	for target, status := range map[string]int{"/": 503, "/images/m-1": 503, "/badge.svg": 503, "/assets/page.css": 200} {
		r := do(t, h, invoked(t), httpEvent(t, "GET", target, "", browsing()))
		if r.StatusCode != status || status == 503 && !strings.Contains(r.Body, "not-configured") || strings.Contains(r.Body, "secret detail") {
			t.Errorf("%s: %d %.300s", target, r.StatusCode, r.Body)
		}
	}
}

// TestPageErrors: what the domain says is for the log.
func TestPageErrors(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	ferry := &fakeFerry{fail: func(string) error { return errors.New("inner workings") }}
	h := newTestHandler(t, ferry, Options{Auth: "token", Token: "t", Log: slog.New(slog.NewJSONHandler(&log, nil))})
	for _, headers := range []map[string]string{browsing(), bearer} {
		for _, target := range []string{"/", "/images/m-known"} {
			r := do(t, h, invoked(t), httpEvent(t, "GET", target, "", headers))
			if r.StatusCode != 503 || strings.Contains(r.Body, "inner workings") || !strings.Contains(r.Body, "cloud-call-failed") {
				t.Errorf("%s: %d %.300s", target, r.StatusCode, r.Body)
			}
		}
	}
	if !strings.Contains(log.String(), "inner workings") || !strings.Contains(log.String(), `"level":"ERROR","msg":"http"`) {
		t.Errorf("logged %s", log.String())
	}
}

// TestMetrics: the counts are behind the same authentication as everything else.
func TestMetrics(t *testing.T) {
	t.Parallel()
	ferry := &fakeFerry{}
	options := Options{Auth: "token", Token: "t", Metrics: metrics.New("1.2.3", export.Reasons())}
	h := newTestHandler(t, ferry, options)
	r := do(t, h, invoked(t), httpEvent(t, "GET", "/metrics", "", bearer))
	if r.StatusCode != 200 || !strings.HasPrefix(r.Headers["Content-Type"], "text/plain") || !strings.Contains(r.Body, `imageferry_exports{state="exported"} 1`) {
		t.Errorf("%d %v %s", r.StatusCode, r.Headers, r.Body)
	}
	if r := do(t, h, invoked(t), httpEvent(t, "GET", "/metrics", "", nil)); r.StatusCode != 401 {
		t.Errorf("without a token: %d %s", r.StatusCode, r.Body)
	}
	ferry.fail = func(string) error { return errors.New("inner workings") }
	if r := do(t, h, invoked(t), httpEvent(t, "GET", "/metrics", "", bearer)); r.StatusCode != 503 || strings.Contains(r.Body, "inner workings") {
		t.Errorf("without OSS: %d %s", r.StatusCode, r.Body)
	}
	options.Metrics = nil
	if r := do(t, newTestHandler(t, ferry, options), invoked(t), httpEvent(t, "GET", "/metrics", "", bearer)); r.StatusCode != 404 {
		t.Errorf("with none: %d %s", r.StatusCode, r.Body)
	}
}
