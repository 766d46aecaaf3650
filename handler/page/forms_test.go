package page_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/export"
)

// A visit is a browser that has loaded a page with forms.
type visit struct {
	t       *testing.T
	account *pagetest.Memory
	options page.Options
	cookie  *http.Cookie
	token   string
}

func visitOf(t *testing.T, change func(*page.Options)) *visit {
	t.Helper()
	v := &visit{t: t, account: accountOf(1), options: sampleOptions()}
	v.options.AllowActions = true
	if change != nil {
		change(&v.options)
	}
	w := get(t, v.handler(), "/images/m-00000")
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	v.cookie = cookies[0]
	v.token = attr(parse(t, w).all("input", "name=csrf")[0], "value")
	return v
}

// handler is a new instance: nothing may be kept between requests.
func (v *visit) handler() http.Handler { return handlerOf(v.account, v.account, v.options) }

// post sends a form as the browser does; change may forge it.
func (v *visit) post(target string, change func(r *http.Request, form url.Values)) *httptest.ResponseRecorder {
	form := url.Values{"csrf": {v.token}}
	r := httptest.NewRequest("POST", target, nil)
	r.Host = "ferry.example"
	r.Header.Set("Accept", browserAccept)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://ferry.example")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(v.cookie)
	if change != nil {
		change(r, form)
	}
	r.Body = io.NopCloser(strings.NewReader(form.Encode()))
	w := httptest.NewRecorder()
	v.handler().ServeHTTP(w, r)
	return w
}

func TestForms(t *testing.T) {
	t.Parallel()
	v := visitOf(t, nil)
	for _, tt := range []struct{ target, imageID, location, call string }{
		{"/images/m-00000/retry", "", "/images/m-00000?did=retry", "retry m-00000"},
		{"/images/m-00000/cancel", "", "/images/m-00000?did=cancel", "cancel m-00000"},
		{"/images", " m-new ", "/images/m-new?did=submit", "submit m-new"},
	} {
		w := v.post(tt.target, func(_ *http.Request, form url.Values) { form.Set("imageId", tt.imageID) })
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != tt.location {
			t.Errorf("%s: status %d to %q", tt.target, w.Code, w.Header().Get("Location"))
		}
		if calls := v.account.Calls(); calls[len(calls)-1] != tt.call {
			t.Errorf("%s: calls %v", tt.target, calls)
		}
		mustContain(t, text(parse(t, get(t, v.handler(), tt.location)).one("p", "class=did")), "Below is what has become of it.")
	}
	if d := parse(t, get(t, v.handler(), "/images/m-new?did=%3Cb%3E")); len(d.all("p", "class=did")) != 0 {
		t.Error("the page repeats what the address says")
	}
}

func TestForgedForms(t *testing.T) {
	t.Parallel()
	v, other := visitOf(t, nil), visitOf(t, nil)
	elsewhere := visitOf(t, func(o *page.Options) { o.Key = []byte(strings.Repeat("x", 32)) })
	tests := map[string]func(r *http.Request, form url.Values){
		"no token":         func(_ *http.Request, form url.Values) { form.Del("csrf") },
		"half a token":     func(_ *http.Request, form url.Values) { form.Set("csrf", v.token[:len(v.token)/2]) },
		"another's token":  func(_ *http.Request, form url.Values) { form.Set("csrf", other.token) },
		"another key":      func(_ *http.Request, form url.Values) { form.Set("csrf", elsewhere.token) },
		"a longer life":    func(_ *http.Request, form url.Values) { form.Set("csrf", "zzzzzz"+v.token[6:]) },
		"no cookie":        func(r *http.Request, _ url.Values) { r.Header.Del("Cookie") },
		"a planted cookie": func(r *http.Request, _ url.Values) { r.Header.Set("Cookie", v.cookie.Name+"=x") },
		"another site":     func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a sibling":        func(r *http.Request, _ url.Values) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin": func(r *http.Request, _ url.Values) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		},
		"a null origin": func(r *http.Request, _ url.Values) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
		"no origin":     func(r *http.Request, _ url.Values) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") },
		"token in address": func(r *http.Request, form url.Values) {
			form.Del("csrf")
			r.URL.RawQuery = "csrf=" + url.QueryEscape(v.token)
		},
		"too large":         func(_ *http.Request, form url.Values) { form.Set("pad", strings.Repeat("x", 5000)) },
		"another's session": func(r *http.Request, _ url.Values) { r.Header.Set("Cookie", other.cookie.Name+"="+other.cookie.Value) },
	}
	for name, forge := range tests {
		w := v.post("/images/m-00000/retry", forge)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", name, w.Code)
		}
		mustContain(t, text(parse(t, w).one("main")), "The form was not accepted", "Nothing was done")
	}
	if w := v.post("/images/m-00000/retry", func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "text/plain") }); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: status %d", w.Code)
	}
	if calls := v.account.Calls(); len(calls) != 0 {
		t.Errorf("calls %v", calls)
	}
	// An older browser says Origin alone.
	if w := v.post("/images/m-00000/retry", func(r *http.Request, _ url.Values) { r.Header.Del("Sec-Fetch-Site") }); w.Code != http.StatusSeeOther {
		t.Errorf("Origin alone: status %d", w.Code)
	}
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	v := visitOf(t, nil)
	for after, want := range map[time.Duration]int{12 * time.Hour: http.StatusSeeOther, 12*time.Hour + time.Second: http.StatusForbidden} {
		v.options.Now = func() time.Time { return sampleNow.Add(after) }
		if w := v.post("/images/m-00000/retry", nil); w.Code != want {
			t.Errorf("after %s: status %d", after, w.Code)
		}
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	v := visitOf(t, func(o *page.Options) { o.PlainHTTP = false })
	c := v.cookie
	if c.Name != "__Host-imageferry" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %s", c.Raw)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", browserAccept)
	r.AddCookie(c)
	w := httptest.NewRecorder()
	v.handler().ServeHTTP(w, r)
	if len(w.Result().Cookies()) != 0 {
		t.Error("a browser with a session gets another one")
	}
	if plain := visitOf(t, nil).cookie; plain.Secure || plain.Name != "imageferry" {
		t.Errorf("the cookie over http is %s", plain.Raw)
	}
	if len(get(t, handlerOf(v.account, nil, sampleOptions()), "/").Result().Cookies()) != 0 {
		t.Error("a read-only page sets a cookie")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	a, err := page.DeriveKey("secret")
	b, _ := page.DeriveKey("secret")
	c, _ := page.DeriveKey("Secret")
	if err != nil || !slices.Equal(a, b) || slices.Equal(a, c) || len(a) != 32 {
		t.Errorf("keys %x %x %x, %v", a, b, c, err)
	}
	// Without a key each process has its own.
	one, two := visitOf(t, func(o *page.Options) { o.Key = nil }), visitOf(t, nil)
	one.options = two.options
	if w := one.post("/images/m-00000/retry", nil); w.Code != http.StatusForbidden {
		t.Errorf("another process' token: status %d", w.Code)
	}
	defer func() {
		if recover() == nil {
			t.Error("a short key is taken")
		}
	}()
	handlerOf(accountOf(0), nil, page.Options{Key: []byte("short")})
}

func TestActionsThatFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		target, imageID string
		err             error
		status          int
		want            string
	}{
		{"/images/m-00000/retry", "", fmt.Errorf("retry: %w", export.ErrUnknown), 404, "There is no export of this image"},
		{"/images/m-00000/cancel", "", fmt.Errorf("cancel: %w", export.ErrState), 409, "Not possible in this state"},
		{"/images/m-00000/cancel", "", fmt.Errorf("secret detail"), 503, "Not possible for now"},
		{"/images/M-0/retry", "", nil, 422, "This is not an image's id"},
		{"/images", "i-123", nil, 422, "This is not an image's id"},
		{"/images", "", nil, 422, "This is not an image's id"},
	}
	for _, tt := range tests {
		v := visitOf(t, nil)
		v.account.Fail = func(string) error { return tt.err }
		w := v.post(tt.target, func(_ *http.Request, form url.Values) { form.Set("imageId", tt.imageID) })
		if w.Code != tt.status || strings.Contains(w.Body.String(), "secret detail") {
			t.Errorf("%s %s: status %d", tt.target, tt.imageID, w.Code)
		}
		mustContain(t, text(parse(t, w).one("main")), tt.want)
	}
}

// refuses is Actions whose domain does nothing, for a reason.
type refuses struct{ page.Actions }

func (refuses) Submit(_ context.Context, imageID string) (export.Result, error) {
	return export.Result{ImageID: imageID, Reason: "not-selected", Remedy: "Ask by id.", Detail: "the <name>"}, nil
}

func TestActionThatDoesNothing(t *testing.T) {
	t.Parallel()
	v := visitOf(t, nil)
	r := httptest.NewRequest("POST", "/images", strings.NewReader(url.Values{"csrf": {v.token}, "imageId": {"m-1"}}.Encode()))
	for name, value := range map[string]string{
		"Accept": browserAccept, "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
		"Cookie": v.cookie.Name + "=" + v.cookie.Value,
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	handlerOf(v.account, refuses{v.account}, v.options).ServeHTTP(w, r)
	if w.Code != http.StatusConflict {
		t.Errorf("status %d", w.Code)
	}
	mustContain(t, text(parse(t, w).one("main")), "Nothing was done", "the <name>", "not-selected Ask by id.")
}

// TestFormsShow: what a form has changed is in the next list, although lists are remembered.
func TestFormsShow(t *testing.T) {
	t.Parallel()
	account := accountOf(1)
	options := sampleOptions()
	options.AllowActions, options.Remember = true, time.Hour
	h := handlerOf(account, account, options)
	w := get(t, h, "/")
	r := httptest.NewRequest("POST", "/images", strings.NewReader(
		url.Values{"csrf": {attr(parse(t, w).all("input", "name=csrf")[0], "value")}, "imageId": {"m-new"}}.Encode()))
	for name, value := range map[string]string{
		"Accept": browserAccept, "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin",
		"Cookie": w.Result().Cookies()[0].String(),
	} {
		r.Header.Set(name, value)
	}
	sent := httptest.NewRecorder()
	if h.ServeHTTP(sent, r); sent.Code != http.StatusSeeOther {
		t.Fatalf("status %d", sent.Code)
	}
	mustContain(t, text(parse(t, get(t, h, "/")).one("main")), "2 all", "m-new")
}
