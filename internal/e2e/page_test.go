package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/manifest"
)

// hostileText breaks out of markup, attributes and scripts, and turns the reading direction.
const hostileText = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}\u202egnp.exe"

// TestPage looks at the status page of the real function as a browser and as a program do, at an image whose owner means ill.
func TestPage(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{})
	id := d.ECS.AddImage(ecsd.Image{Name: hostileText, Description: hostileText, Tags: map[string]string{hostileText: hostileText}})
	skipped := d.ECS.AddImage(ecsd.Image{Name: "windows", OSType: "windows"})
	var result export.Result
	for _, image := range []string{id, skipped} {
		d.want(t, http.StatusAccepted, http.MethodPost, "/exports", order(image), &result)
	}
	d.wait(t, id, manifest.Exported)
	d.until(t, "a sweep by its timer", func() bool {
		beats, err := manifest.NewIndex(d.store, manifest.Layout(d.PolicyVars(d.spec).ManifestPrefix)).Heartbeats(t.Context())
		return err == nil && len(beats) == 2
	})

	overview := d.browse(t, http.StatusOK, "/")
	for _, want := range []string{"windows", "image-windows", "&lt;script&gt;alert(1)", "href=\"/images/" + id + "\"", "every 5 min", "oss://" + d.at.Bucket} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview lacks %q", want)
		}
	}
	image := d.browse(t, http.StatusOK, "/images/"+id)
	for _, want := range []string{"imageferry restore " + id, d.at.Prefix + "_" + id, "Compared with what ECS reported", "&lt;img src=x"} {
		if !strings.Contains(image, want) {
			t.Errorf("the image's page lacks %q", want)
		}
	}
	if list := d.browse(t, http.StatusOK, "/?state=skipped&reason=image-windows"); strings.Contains(list, "/images/"+id) || !strings.Contains(list, "/images/"+skipped) {
		t.Error("the filters choose wrongly")
	}
	d.browse(t, http.StatusNotFound, "/images/m-none")
	d.browse(t, http.StatusNotFound, "/nowhere")

	var o struct {
		Overview  export.Overview
		Exports   []*manifest.Manifest
		Schedules []struct{ Action, Status string }
	}
	d.want(t, http.StatusOK, http.MethodGet, "/?limit=100", "", &o)
	if o.Overview.States[manifest.Exported] != 1 || o.Overview.Reasons["image-windows"] != 1 || o.Overview.Bytes == 0 || len(o.Exports) != 2 || len(o.Schedules) != 2 {
		t.Errorf("the overview as JSON: %+v", o)
	}
	var one struct {
		Export    *manifest.Manifest
		Revisions []struct{ Revision int }
	}
	d.want(t, http.StatusOK, http.MethodGet, "/images/"+id, "", &one)
	if one.Export == nil || one.Export.Image.Name != hostileText || len(one.Revisions) != one.Export.Revision {
		t.Errorf("the image as JSON: %+v", one)
	}
	badge := d.call(t, http.MethodGet, "/badge.svg", "")
	if badge.status != http.StatusOK || badge.header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(string(badge.body), "<svg ") {
		t.Errorf("badge: %d %s", badge.status, badge.body)
	}
	var shield struct{ Label, Message string }
	d.want(t, http.StatusOK, http.MethodGet, "/badge.svg?format=json", "", &shield)
	if shield.Label != "images exported" || shield.Message == "" {
		t.Errorf("badge as JSON: %+v", shield)
	}
	style := regexp.MustCompile(`href="(/assets/page\.css\?v=[0-9a-f]+)"`).FindStringSubmatch(overview)
	if asset := d.call(t, http.MethodGet, style[1], ""); asset.status != http.StatusOK || !strings.Contains(asset.header.Get("Cache-Control"), "immutable") {
		t.Errorf("style sheet: %d %v", asset.status, asset.header)
	}
	d.problem(t, d.call(t, http.MethodPost, "/images", "imageId="+id), http.StatusNotFound, "unknown-path")
	d.problem(t, d.call(t, http.MethodPost, "/", ""), http.StatusMethodNotAllowed, "method-not-allowed")
}

func asBrowser(r *http.Request) {
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
}

// browse loads a page as a browser behind a signing gateway does, and looks whether it is harmless.
func (d *deployment) browse(t *testing.T, status int, path string) string {
	t.Helper()
	r := d.call(t, http.MethodGet, path, "", asBrowser)
	body := string(r.body)
	if r.status != status || r.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(r.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%s: %d %v, want %d", path, r.status, r.header, status)
	}
	for _, bad := range []string{"<script>", "<img", "\u202e", "{{"} {
		if strings.Contains(strings.ReplaceAll(body, "{{.}}", ""), bad) {
			t.Errorf("%s has %q", path, bad)
		}
	}
	return body
}

// TestPageRedirects: a browser that asks for an export is led to its page, programs get what they always got.
func TestPageRedirects(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true})
	id := d.ECS.AddImage(ecsd.Image{Name: "windows", OSType: "windows"})
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports", order(id), &export.Result{})
	for path, want := range map[string]string{"/exports/" + id: "/images/" + id, "/exports": "/"} {
		var landed string
		client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			landed = r.URL.Path
			return http.ErrUseLastResponse
		}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.Endpoints.HTTP+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		asBrowser(r)
		openapi.SignACS3(r, nil, d.Administrator, time.Now())
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusSeeOther || landed != want {
			t.Errorf("%s: %d to %q", path, answer.StatusCode, landed)
		}
		if r := d.call(t, http.MethodGet, path, ""); r.status != http.StatusOK || !json.Valid(r.body) {
			t.Errorf("%s for a program: %d %s", path, r.status, r.body)
		}
	}
}

// TestPageActions sends the forms of a function that allows them, each request to a process of its own.
func TestPageActions(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-the-test"
	d := deploy(t, setup{Options: localcloud.Options{Speed: 2000}, anonymous: true, noTimers: true, env: map[string]string{
		"FERRY_HTTP_AUTH": "token", "FERRY_HTTP_TOKEN": token, "FERRY_PAGE_ACTIONS": "true",
	}})
	id := d.ECS.AddImage(ecsd.Image{Name: "large", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 400}}})
	send := func(method, path string, form url.Values, change ...func(*http.Request)) reply {
		t.Helper()
		d.FC.Kill() // no process keeps anything
		return d.send(t, d.Endpoints.HTTP+path, method, []byte(form.Encode()), false, append([]func(*http.Request){asBrowser, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", "Bearer "+token)
		}}, change...)...)
	}
	page := send(http.MethodGet, "/", nil)
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(string(page.body))
	cookie, _, _ := strings.Cut(page.header.Get("Set-Cookie"), ";")
	if csrf == nil || !strings.HasPrefix(cookie, "__Host-imageferry=") {
		t.Fatalf("%d, cookie %q: %.300s", page.status, cookie, page.body)
	}
	session := func(r *http.Request) { r.Header.Set("Cookie", cookie) }
	form := url.Values{"csrf": {csrf[1]}, "imageId": {id}}
	for name, r := range map[string]reply{
		"no cookie":    send(http.MethodPost, "/images", form),
		"no token":     send(http.MethodPost, "/images", url.Values{"imageId": {id}}, session),
		"another site": send(http.MethodPost, "/images", form, session, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }),
	} {
		if r.status != http.StatusForbidden {
			t.Errorf("%s: %d %.300s", name, r.status, r.body)
		}
	}
	if r := send(http.MethodPost, "/images", form, session, func(r *http.Request) { r.Header.Del("Authorization") }); r.status != http.StatusUnauthorized {
		t.Errorf("without the bearer token: %d", r.status)
	}
	if m := d.head(t, id); m != nil {
		t.Fatalf("a refused form has begun %+v", m)
	}
	if r := send(http.MethodPost, "/images", form, session); r.status != http.StatusOK && r.status != http.StatusSeeOther {
		t.Errorf("submit: %d %.300s", r.status, r.body)
	}
	if m := d.head(t, id); m == nil || m.State != manifest.Exporting || m.Trigger.Kind != "http" || m.Trigger.Source != "status page, submit" {
		t.Fatalf("submitted: %+v", m)
	}
	send(http.MethodPost, "/images/"+id+"/cancel", form, session)
	if m := d.head(t, id); m.State != manifest.Cancelled {
		t.Errorf("cancelled: %s", m.State)
	}
	send(http.MethodPost, "/images/"+id+"/retry", form, session)
	if m := d.head(t, id); m.State != manifest.Exporting || len(m.Attempts) != 2 {
		t.Errorf("retried: %s", m.State)
	}
}

// TestPageActionsNeedASecret: with signed requests there is none, and the function says so.
func TestPageActionsNeedASecret(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true, env: map[string]string{"FERRY_PAGE_ACTIONS": "true"}})
	d.problem(t, d.call(t, http.MethodGet, "/", ""), http.StatusServiceUnavailable, "not-configured")
}

// TestPageShared: many who look at once cost about as much as one.
func TestPageShared(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true})
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports", order(d.ECS.AddImage(ecsd.Image{Name: "windows", OSType: "windows"})), &export.Result{})
	d.call(t, http.MethodGet, "/", "")
	one := d.countLists()
	d.call(t, http.MethodGet, "/", "")
	if again := d.countLists(); again != one {
		t.Errorf("a second look costs %d lists more", again-one)
	}
}

func (d *deployment) countLists() int {
	n := 0
	for _, c := range d.Tap.Calls() {
		if c.Action == "oss:ListObjects" && d.byFunction(c) {
			n++
		}
	}
	return n
}
