package page_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	options := sampleOptions()
	options.AllowActions, options.PlainHTTP = true, false
	account := pagetest.Account(sampleNow)
	h := handlerOf(account, account, options)
	for _, target := range []string{"/", "/?format=json", "/images/" + idOf(t, account, "web"), "/badge.svg", "/assets/page.js", "/none"} {
		w := get(t, h, target)
		size := 0
		for name, values := range w.Header() {
			for _, v := range values {
				size += len(name) + len(v) + 4
			}
		}
		if size > 1200 {
			t.Errorf("%s: %d bytes of headers; Function Compute allows 8 KB", target, size)
		}
		csp := w.Header().Get("Content-Security-Policy")
		mustContain(t, csp, "default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'")
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "data:") || strings.Contains(csp, "*") {
			t.Errorf("%s: the policy is %q", target, csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Vary": "Accept",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", target, name, got)
			}
		}
		if !strings.HasPrefix(target, "/badge") && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", target, w.Header().Get("Cache-Control"))
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := handlerOf(accountOf(1), nil, sampleOptions())
	d := parse(t, get(t, h, "/"))
	for target, contentType := range map[string]string{
		attr(d.one("link", "rel=stylesheet"), "href"): "text/css; charset=utf-8", attr(d.one("script"), "src"): "text/javascript; charset=utf-8",
		attr(d.one("link", "rel=icon"), "href"): "image/svg+xml",
	} {
		w := get(t, h, target)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType {
			t.Errorf("%s: status %d, %s", target, w.Code, w.Header().Get("Content-Type"))
		}
		mustContain(t, w.Header().Get("Cache-Control"), "immutable")
		other, _, _ := strings.Cut(target, "?")
		if got := get(t, h, other+"?v=other").Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("another version's %s is kept: %s", other, got)
		}
	}
}

// The whole page has to be light: a function answers it, maybe over a slow line.
func TestWeight(t *testing.T) {
	t.Parallel()
	h := handlerOf(pagetest.Account(sampleNow), nil, sampleOptions())
	weigh := func(target string) int { return get(t, h, target).Body.Len() }
	assets := weigh("/assets/page.css") + weigh("/assets/page.js") + weigh("/assets/icon.svg")
	if n := weigh("/"); n > 80<<10 || assets > 32<<10 {
		t.Errorf("the page has %d bytes, its assets %d", n, assets)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	options := sampleOptions()
	options.Hosts = []string{"127.0.0.1:8080"}
	h := handlerOf(accountOf(1), nil, options)
	for host, want := range map[string]int{"127.0.0.1:8080": 200, "evil.example": 421, "127.0.0.1:80": 421, "": 421} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: status %d", host, w.Code)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h := handlerOf(accountOf(1), nil, sampleOptions())
	for _, target := range []string{"/images", "/images/m-00000/retry", "/images/m-00000/cancel"} {
		r := httptest.NewRequest("POST", target, nil)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusNotFound {
			t.Errorf("a read-only page answers POST %s with %d", target, w.Code)
		}
	}
	account := accountOf(1)
	options := sampleOptions()
	options.AllowActions = true
	withForms := handlerOf(account, account, options)
	for _, tt := range []struct {
		method, target string
		h              http.Handler
		status         int
		allow          string
	}{
		{"HEAD", "/", h, 200, ""}, {"HEAD", "/images/m-00000", h, 200, ""}, {"HEAD", "/badge.svg", h, 200, ""},
		{"POST", "/", h, 405, "GET, HEAD"}, {"DELETE", "/images/m-00000", h, 405, "GET, HEAD"}, {"PUT", "/badge.svg", h, 405, "GET, HEAD"},
		{"GET", "/images", withForms, 405, "POST"}, {"GET", "/images/m-00000/retry", withForms, 405, "POST"},
		{"GET", "/nowhere", h, 404, ""}, {"GET", "/images", h, 404, ""}, {"GET", "/images/m-00000/", h, 404, ""}, {"GET", "/assets/", h, 404, ""},
		{"GET", "/assets/none.js", h, 404, ""}, {"GET", "/assets/..%2ftemplates%2flayout.html", h, 404, ""},
	} {
		w := httptest.NewRecorder()
		tt.h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.target, nil))
		if w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
			t.Errorf("%s %s: status %d, Allow %q", tt.method, tt.target, w.Code, w.Header().Get("Allow"))
		}
		if tt.status >= 400 {
			mustContain(t, w.Body.String(), `"type":"about:blank"`, `"remedy":"`, `"status":`+fmt.Sprint(tt.status))
		}
	}
}

// Every failure has a reason that is documented, with a remedy.
func TestFailures(t *testing.T) {
	t.Parallel()
	h := page.New(sampleOptions()).Handler(page.Backend{Source: accountOf(1), RequestID: "req-1"})
	for target, reason := range map[string]string{
		"/?state=lost&format=json": "invalid-value", "/?cursor=x&format=json": "invalid-value", "/images/m-none?format=json": "unknown-export",
	} {
		w := get(t, h, target)
		var p struct{ Type, Title, Detail, Reason, Remedy, Instance string }
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s: %v %s", target, err, w.Body)
		}
		if p.Reason != reason || p.Remedy != page.Reasons()[reason] || p.Remedy == "" || p.Instance != "req-1" || p.Title != http.StatusText(w.Code) {
			t.Errorf("%s: %+v", target, p)
		}
	}
}

func TestRoutesFitAMux(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	options := sampleOptions()
	options.AllowActions = true
	routes := slices.Collect(maps.Keys(page.New(options).Routes(page.Backend{Source: accountOf(0)})))
	for _, pattern := range append(routes, "GET /exports/{imageId}", "POST /exports", "GET /healthz") {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	for target, want := range map[string]string{"/": "GET /{$}", "/images/m-1": "GET /images/{imageId}", "/exports/m-1": "GET /exports/{imageId}"} {
		if _, got := mux.Handler(httptest.NewRequest("GET", target, nil)); got != want {
			t.Errorf("%s goes to %q", target, got)
		}
	}
}

func TestBadge(t *testing.T) {
	t.Parallel()
	states := map[manifest.State]int{manifest.Exported: 12345, manifest.Failed: 2}
	known := export.Overview{States: states, Coverage: &export.Coverage{Exported: 999, Wanted: 1000}}
	tests := []struct {
		source page.Source
		query  string
		want   string
		fill   string
	}{
		{overviewOf{known}, "", "images exported: 99.9 %", "#8a5300"},
		{overviewOf{known}, "?show=coverage", "images exported: 99.9 %", "#8a5300"},
		{overviewOf{known}, "?show=exported", "images exported: 12,345", "#1a7346"},
		{overviewOf{known}, "?show=failed", "image exports: 2 failed", "#b42318"},
		{overviewOf{export.Overview{}}, "?show=failed", "image exports: none failed", "#1a7346"},
		{overviewOf{export.Overview{States: states}}, "", "images exported: 12,345", "#1a7346"},
		{overviewOf{export.Overview{States: states}}, "?show=coverage", "images: unknown", "#5b6472"},
		{overviewOf{known}, "?show=%3Cscript%3E", "images: unknown", "#5b6472"},
		{overviewOf{export.Overview{Coverage: &export.Coverage{Exported: 5, Wanted: 5}}}, "", "images exported: 100 %", "#1a7346"},
		{overviewOf{export.Overview{Coverage: &export.Coverage{}}}, "", "images exported: 100 %", "#1a7346"},
		{overviewOf{export.Overview{Coverage: &export.Coverage{Wanted: 5}}}, "", "images exported: 0 %", "#b42318"},
		{&pagetest.Memory{Fail: func(string) error { return fmt.Errorf("down") }}, "", "images: unknown", "#5b6472"},
	}
	for _, tt := range tests {
		w := get(t, handlerOf(tt.source, nil, sampleOptions()), "/badge.svg"+tt.query)
		var svg struct {
			Label string `xml:"aria-label,attr"`
			Title string `xml:"title"`
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &svg); err != nil || svg.Label != tt.want || svg.Title != tt.want {
			t.Errorf("%q: %q, %v", tt.query, svg.Label, err)
		}
		mustContain(t, w.Body.String(), tt.fill)
		if got := w.Header().Get("Content-Type"); got != "image/svg+xml" {
			t.Errorf("Content-Type %q", got)
		}
		query, _ := url.ParseQuery(strings.TrimPrefix(tt.query, "?"))
		query.Set("format", "json")
		twin := get(t, handlerOf(tt.source, nil, sampleOptions()), "/badge.svg?"+query.Encode())
		label, message, _ := strings.Cut(tt.want, ": ")
		want := fmt.Sprintf(`{"schemaVersion":1,"label":%q,"message":%q,"color":%q}`, label, message, tt.fill) + "\n"
		if twin.Body.String() != want || twin.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%q as JSON: %s", tt.query, twin.Body)
		}
	}
}
