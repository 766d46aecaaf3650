package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud/ecsd"
)

// A shownPage is a running `imageferry ui`, and a browser that has opened its URL.
type shownPage struct {
	t      *testing.T
	line   uiLine
	client *http.Client
	stop   func() run
}

// showPage runs the command until the test ends, or stop is called.
func (s *stage) showPage(t *testing.T, change func(*app), args ...string) *shownPage {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	first, ended := make(chan string, 1), make(chan run, 1)
	var out, errs buffer
	out.written = func(text string) {
		if line, _, whole := strings.Cut(text, "\n"); whole {
			select {
			case first <- line:
			default:
			}
		}
	}
	a := testApp(&out, &errs)
	a.environ, a.now, a.transport = []string{"IMAGEFERRY_LOCAL=" + s.url}, time.Now, alicloud.NewTransport()
	change(a)
	go func() {
		ended <- run{code: a.run(ctx, append([]string{"ui", "--json"}, args...)), out: out.String(), err: errs.String()}
	}()
	jar, _ := cookiejar.New(nil) // never fails
	transport := &http.Transport{}
	p := &shownPage{t: t, client: &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}
	stopped := false
	p.stop = func() run {
		stopped = true
		cancel()
		transport.CloseIdleConnections()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			p.stop()
		}
	})
	select {
	case text := <-first:
		if err := json.Unmarshal([]byte(text), &p.line); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	case r := <-ended:
		stopped = true
		t.Fatalf("exit status %d: %s", r.code, r.err)
	case <-time.After(time.Minute):
		t.Fatal("the page does not come up")
	}
	return p
}

// ask sends a request as a browser does, and follows redirections.
func (p *shownPage) ask(method, target string, form url.Values, change ...func(*http.Request)) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+p.line.Address)
	}
	for _, c := range change {
		c(r)
	}
	answer, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil {
		p.t.Fatal(err)
	}
	return answer, string(body)
}

// TestUI shows the page, lets nobody else in, and ends with Ctrl-C.
func TestUI(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{Name: `<script>alert("x")</script>`})
	s.wantRun(t, exitOK, "submit", id, "--wait")
	p := s.showPage(t, func(*app) {})
	if p.line.Actions || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/\?key=[A-Z2-7]{26}$`).MatchString(p.line.URL) {
		t.Errorf("%+v", p.line)
	}
	base := "http://" + p.line.Address
	for _, target := range []string{"/", "/images/" + id, "/assets/page.css", "/badge.svg", "/?key=wrong"} {
		if answer, body := p.ask("GET", base+target, nil); answer.StatusCode != http.StatusUnauthorized || strings.Contains(body, "<html") {
			t.Errorf("%s without the key: %s %s", target, answer.Status, body)
		}
	}
	answer, body := p.ask("GET", p.line.URL, nil)
	if answer.StatusCode != http.StatusOK || answer.Request.URL.RawQuery != "" || !strings.Contains(body, "&lt;script&gt;alert") || strings.Contains(body, "<form method=\"post\"") {
		t.Errorf("%s at %s: %.300s", answer.Status, answer.Request.URL, body)
	}
	_, body = p.ask("GET", base+"/images/"+id, nil)
	if want := "imageferry restore " + id + " --region cn-hangzhou --bucket my-exports --format raw --local " + s.url; !strings.Contains(body, want) {
		t.Errorf("the page has no %q", want)
	}
	_, body = p.ask("GET", base+"/?format=json", nil)
	if !json.Valid([]byte(body)) || !strings.Contains(body, `"exported":1`) {
		t.Errorf("JSON: %.300s", body)
	}
	programs := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", base+"/images/"+id, nil)
	key := strings.TrimPrefix(p.line.URL, base+"/?key=")
	r.Header.Set("Authorization", "Bearer "+key)
	if answer, err := programs.Do(r); err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/json" {
		t.Errorf("a program: %v %v", answer, err)
	} else {
		_ = answer.Body.Close()
	}
	if answer, _ := p.ask("GET", base+"/", nil, func(r *http.Request) {
		r.Host = "evil.example"
		r.Header.Set("Authorization", "Bearer "+key)
	}); answer.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host: %s", answer.Status)
	}
	if answer, _ := p.ask("POST", base+"/images/"+id+"/retry", url.Values{"csrf": {"x"}}); answer.StatusCode != http.StatusNotFound {
		t.Errorf("a form of a read-only page: %s", answer.Status)
	}
	if r := p.stop(); r.code != exitOK || r.err != "" {
		t.Errorf("exit status %d: %s", r.code, r.err)
	}
}

// TestUIActions submits and cancels by the page's forms; the journal names the person.
func TestUIActions(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{Name: "asked-for"})
	p := s.showPage(t, func(*app) {}, "--actions", "--addr", "localhost:0")
	base := "http://" + p.line.Address
	token := func(target string) string {
		_, body := p.ask("GET", target, nil)
		found := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(body)
		if found == nil {
			t.Fatalf("%s has no form: %.300s", target, body)
		}
		return found[1]
	}
	forged, body := p.ask("POST", base+"/images", url.Values{"imageId": {id}, "csrf": {"x.y"}})
	if forged.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger's form: %s %s", forged.Status, body)
	}
	csrf := token(p.line.URL)
	if answer, _ := p.ask("POST", base+"/images", url.Values{"imageId": {id}, "csrf": {csrf}}, func(r *http.Request) {
		r.Header.Set("Origin", "http://evil.example")
	}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("another site's form: %s", answer.Status)
	}
	answer, body := p.ask("POST", base+"/images", url.Values{"imageId": {id}, "csrf": {csrf}})
	if answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/images/"+id || !strings.Contains(body, "The image was submitted.") ||
		!strings.Contains(body, "imageferry ui") {
		t.Errorf("%s at %s: %.2000s", answer.Status, answer.Request.URL, body)
	}
	if shown := decode[story](t, s.wantRun(t, exitOK, "show", id, "--json")); shown.Export.Trigger.Source != "imageferry ui" || shown.Export.Trigger.ID == "" {
		t.Errorf("asked by %+v", shown.Export.Trigger)
	}
	s.wantRun(t, exitOK, "follow", "--wait")
	if answer, _ = p.ask("POST", base+"/images/"+id+"/cancel", url.Values{"csrf": {csrf}}); answer.StatusCode != http.StatusConflict {
		t.Errorf("cancel what is over: %s", answer.Status)
	}
	if answer, body = p.ask("POST", base+"/images/"+id+"/retry", url.Values{"csrf": {csrf}}); !strings.Contains(body, "The export was started again.") {
		t.Errorf("retry: %s %.300s", answer.Status, body)
	}
}

// TestUIAddresses: the page is for this machine.
func TestUIAddresses(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":0": "not a loopback address", "0.0.0.0:0": "not a loopback address", "[::]:8080": "not a loopback address", "10.0.0.1:80": "not a loopback address",
		"example.com:80": "not a loopback address", "127.0.0.1": "not an address", "127.0.0.1:http": "has no port", "127.0.0.1:70000": "has no port",
	} {
		var out, errs buffer
		if code := testApp(&out, &errs).run(t.Context(), []string{"ui", "--addr", addr, "--local", "http://127.0.0.1:1"}); code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit status %d, %s", addr, code, errs.String())
		}
	}
	var out, errs buffer
	if code := testApp(&out, &errs).run(t.Context(), []string{"ui", "--local", "http://127.0.0.1:1"}); code != exitError || !strings.Contains(errs.String(), "imageferry local") {
		t.Errorf("without a cloud: exit status %d, %s", code, errs.String())
	}
}

// TestUIOpens hands the URL to the browser that the person has chosen.
func TestUIOpens(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the browser of this test is a shell script")
	}
	s := newStage(t)
	dir := t.TempDir()
	browser, opened := filepath.Join(dir, "browser"), filepath.Join(dir, "opened")
	// The file is there once it is whole.
	script := "#!/bin/sh\nprintf %s \"$1\" > " + opened + ".part && mv " + opened + ".part " + opened + "\n"
	if err := os.WriteFile(browser, []byte(script), 0o700); err != nil { // #nosec G306 -- it has to be run
		t.Fatal(err)
	}
	p := s.showPage(t, func(a *app) { a.environ = append(a.environ, "BROWSER="+browser) }, "--open")
	deadline, poll := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer poll.Stop()
	for {
		if got, err := os.ReadFile(opened); err == nil {
			if string(got) != p.line.URL {
				t.Errorf("opened %q", got)
			}
			break
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("no browser was opened")
		}
	}
	missing := s.showPage(t, func(a *app) { a.environ = append(a.environ, "BROWSER="+filepath.Join(dir, "none")) }, "--open")
	if r := missing.stop(); r.code != exitOK || !strings.Contains(r.err, "no browser can be opened") {
		t.Errorf("exit status %d: %s", r.code, r.err)
	}
}
