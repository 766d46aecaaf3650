package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/manifest"
)

// order is the body of POST /exports.
func order(imageID string) string { return `{"imageId":"` + imageID + `"}` }

// TestHTTP walks through the whole API as an engineer with a signed client does.
func TestHTTP(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true}) // a sweep would submit what nobody has asked for
	id := d.ECS.AddImage(ecsd.Image{Name: "asked-for"})

	var result export.Result
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports", order(id), &result)
	if result.ImageID != id || result.State != manifest.Exporting || result.TaskID == "" || !result.New {
		t.Errorf("submitted: %+v", result)
	}
	d.want(t, http.StatusOK, http.MethodPost, "/exports", order(id), &result)
	if result.New {
		t.Errorf("submitted again: %+v", result)
	}
	var answer struct{ Rounds []export.Round }
	poll(t, "it is exported", func() bool {
		d.want(t, http.StatusOK, http.MethodPost, "/follow", "", &answer)
		return d.head(t, id).State == manifest.Exported
	})

	var one manifest.Manifest
	d.want(t, http.StatusOK, http.MethodGet, "/exports/"+id, "", &one)
	if one.State != manifest.Exported || one.Image.ID != id || one.Trigger.Kind != "http" || one.Trigger.Source != "POST /exports" {
		t.Errorf("GET: %+v", one)
	}
	d.pages(t, id)

	unknown := d.ECS.AddImage(ecsd.Image{Name: "not-asked-for"})
	d.want(t, http.StatusOK, http.MethodPost, "/sweep", `{"dryRun":true}`, &answer)
	if len(answer.Rounds) != 1 || !answer.Rounds[0].DryRun || len(answer.Rounds[0].Results) != 1 || answer.Rounds[0].Results[0].ImageID != unknown {
		t.Errorf("POST /sweep: %+v", answer)
	}
	if m := d.head(t, unknown); m != nil {
		t.Errorf("the dry run wrote %+v", m)
	}
	d.want(t, http.StatusOK, http.MethodPost, "/follow", "", &answer)
	if len(answer.Rounds) != 2 || answer.Rounds[0].Action != "follow" || answer.Rounds[1].Action != "drain" {
		t.Errorf("POST /follow: %+v", answer)
	}
	if n := d.calls("ecs:ExportImage"); n != 1 {
		t.Errorf("ExportImage was called %d times", n)
	}
}

// want sends a request, expects the status, and decodes the answer into a fresh value.
func (d *deployment) want(t *testing.T, status int, method, path, body string, into any) reply {
	t.Helper()
	r := d.call(t, method, path, body)
	if r.status != status || r.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s %s: %d %s, want %d: %s", method, path, r.status, r.header.Get("Content-Type"), status, r.body)
	}
	switch into := into.(type) {
	case *export.Result:
		*into = export.Result{}
	case *manifest.Manifest:
		*into = manifest.Manifest{}
	}
	r.decode(t, into)
	return r
}

// pages reads the list in pages of one export, and by state.
func (d *deployment) pages(t *testing.T, id string) {
	t.Helper()
	second := d.ECS.AddImage(ecsd.Image{Name: "windows", OSType: "windows"})
	var result export.Result
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports", order(second), &result)
	if result.State != manifest.Skipped || result.Reason != "image-windows" || result.Remedy == "" {
		t.Errorf("submitted: %+v", result)
	}
	seen := map[string]manifest.State{}
	cursor := ""
	for n := 0; n == 0 || cursor != "" && n < 5; n++ {
		var page export.Page
		d.want(t, http.StatusOK, http.MethodGet, "/exports?limit=1&cursor="+cursor, "", &page)
		for _, m := range page.Exports {
			seen[m.Image.ID] = m.State
		}
		cursor = page.Cursor
	}
	if len(seen) != 2 || seen[id] != manifest.Exported || seen[second] != manifest.Skipped || cursor != "" {
		t.Errorf("GET /exports: %v, cursor %q", seen, cursor)
	}
	var page export.Page
	d.want(t, http.StatusOK, http.MethodGet, "/exports?state=skipped", "", &page)
	if len(page.Exports) != 1 || page.Exports[0].Image.ID != second {
		t.Errorf("GET /exports?state=skipped: %+v", page.Exports)
	}
}

// TestCancelAndRetry stops a running export, and starts it again.
func TestCancelAndRetry(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{Options: localcloud.Options{Speed: 2000}})
	// A large image leaves the time to cancel, a small one does not make the test wait.
	large := d.ECS.AddImage(ecsd.Image{Name: "large", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 400}}})
	var result export.Result
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports", order(large), &result)
	first := result.TaskID
	d.want(t, http.StatusOK, http.MethodPost, "/exports/"+large+"/cancel", "", &result)
	if result.State != manifest.Cancelled || result.Reason != "cancelled-by-request" {
		t.Errorf("cancelled: %+v", result)
	}
	if tasks := d.ECS.Tasks(); len(tasks) != 1 || tasks[0].Status != ecsd.TaskDeleted {
		t.Errorf("tasks: %+v", tasks)
	}
	d.problem(t, d.call(t, http.MethodPost, "/exports/"+large+"/cancel", ""), http.StatusConflict, "wrong-state")
	d.want(t, http.StatusOK, http.MethodPost, "/exports", order(large), &result)
	if result.State != manifest.Cancelled {
		t.Errorf("a duplicate left the cancelled state: %+v", result)
	}
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports/"+large+"/retry", "", &result)
	if result.State != manifest.Exporting || result.TaskID == first {
		t.Errorf("retried: %+v", result)
	}
	m := d.wait(t, large, manifest.Exported, manifest.Failed)
	if m.State != manifest.Exported || len(m.Attempts) != 2 || m.Attempts[0].Outcome != manifest.Stopped {
		t.Errorf("the export is %s %s after %+v", m.State, m.Detail, m.Attempts)
	}
	checkObjects(t, d, m)
}

// problem checks the members of a problem document.
func (d *deployment) problem(t *testing.T, r reply, status int, reason string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Reason, Remedy, Instance string
		Status                                        int
	}
	if r.status != status || r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s, want %d: %s", r.status, r.header.Get("Content-Type"), status, r.body)
		return
	}
	r.decode(t, &p)
	if p.Status != status || p.Reason != reason || p.Type != "about:blank" || p.Title != http.StatusText(status) ||
		p.Detail == "" || p.Remedy == "" || p.Instance != r.header.Get("X-Fc-Request-Id") {
		t.Errorf("problem %+v of request %s, want %d %s", p, r.header.Get("X-Fc-Request-Id"), status, reason)
	}
}

// TestHTTPRefusals sends what the function refuses, and what the gateway refuses for it.
func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true})
	as := func(contentType string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Content-Type", contentType) }
	}
	for name, c := range map[string]struct {
		method, path, body string
		change             []func(*http.Request)
		status             int
		reason             string
	}{
		"no such path":      {method: "GET", path: "/nowhere", status: 404, reason: "unknown-path"},
		"no such export":    {method: "GET", path: "/exports/m-unknown", status: 404, reason: "unknown-export"},
		"nothing to cancel": {method: "POST", path: "/exports/m-unknown/cancel", status: 404, reason: "unknown-export"},
		"nothing to retry":  {method: "POST", path: "/exports/m-unknown/retry", status: 404, reason: "unknown-export"},
		"wrong method":      {method: "GET", path: "/follow", status: 405, reason: "method-not-allowed"},
		"body too large":    {method: "POST", path: "/exports", body: strings.Repeat(" ", 64<<10+1), status: 413, reason: "body-too-large"},
		"a form":            {method: "POST", path: "/exports", body: "imageId=m-1", change: []func(*http.Request){as("application/x-www-form-urlencoded")}, status: 415, reason: "not-json"},
		"no JSON":           {method: "POST", path: "/exports", body: "{", status: 400, reason: "malformed-request"},
		"no image":          {method: "POST", path: "/exports", body: "{}", status: 400, reason: "malformed-request"},
		"a strange image":   {method: "POST", path: "/exports", body: order("../m-1"), status: 422, reason: "invalid-value"},
		"a strange state":   {method: "GET", path: "/exports?state=done", status: 400, reason: "invalid-value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := d.call(t, c.method, c.path, c.body, c.change...)
			d.problem(t, r, c.status, c.reason)
			if c.status == http.StatusMethodNotAllowed && r.header.Get("Allow") != "POST" {
				t.Errorf("Allow: %q", r.header.Get("Allow"))
			}
		})
	}
	t.Run("at the gateway", func(t *testing.T) {
		t.Parallel()
		wrong := d.Administrator
		wrong.Secret += "x"
		for name, c := range map[string]struct {
			reply  reply
			status int
		}{
			"unsigned":          {d.send(t, d.Endpoints.HTTP+"/exports", http.MethodGet, nil, false), http.StatusForbidden},
			"unsigned health":   {d.send(t, d.Endpoints.HTTP+"/healthz", http.MethodGet, nil, false), http.StatusForbidden},
			"method not let in": {d.call(t, http.MethodPut, "/exports", "{}"), http.StatusMethodNotAllowed},
			"wrong secret": {d.send(t, d.Endpoints.HTTP+"/exports", http.MethodGet, nil, false, func(r *http.Request) {
				openapi.SignACS3(r, nil, wrong, time.Now())
			}), http.StatusForbidden},
		} {
			if c.reply.status != c.status || c.reply.header.Get("X-Fc-Error-Type") != "FcCommonError" {
				t.Errorf("%s: %d %s", name, c.reply.status, c.reply.body)
			}
		}
	})
	t.Run("health", func(t *testing.T) {
		t.Parallel()
		var health struct{ Status, Version string }
		d.want(t, http.StatusOK, http.MethodGet, "/healthz", "", &health)
		if health.Status != "ok" || health.Version == "" {
			t.Errorf("health: %+v", health)
		}
	})
}

// TestAnonymousTrigger: the function's own check is what protects when somebody opens the trigger by mistake, and the token is
// for those who mean to.
func TestAnonymousTrigger(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-the-test"
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for name, c := range map[string]struct {
		env    map[string]string
		change func(*http.Request)
		status int
		reason string
	}{
		"unsigned":    {nil, func(*http.Request) {}, 401, "unauthorized"},
		"token":       {map[string]string{"FERRY_HTTP_AUTH": "token", "FERRY_HTTP_TOKEN": token}, bearer(token), 200, ""},
		"wrong token": {map[string]string{"FERRY_HTTP_AUTH": "token", "FERRY_HTTP_TOKEN": token}, bearer(token + "x"), 401, "unauthorized"},
		"off":         {map[string]string{"FERRY_HTTP_AUTH": "off"}, bearer(token), 403, "http-off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, setup{anonymous: true, noTimers: true, env: c.env})
			r := d.send(t, d.Endpoints.HTTP+"/exports", http.MethodGet, nil, false, c.change)
			if c.status == http.StatusOK {
				if r.status != c.status || !json.Valid(r.body) {
					t.Errorf("%d %s", r.status, r.body)
				}
				return
			}
			d.problem(t, r, c.status, c.reason)
			if c.status == http.StatusUnauthorized && r.header.Get("Www-Authenticate") == "" {
				t.Errorf("headers %v", r.header)
			}
			if r := d.send(t, d.Endpoints.HTTP+"/healthz", http.MethodGet, nil, false); r.status != http.StatusOK {
				t.Errorf("/healthz: %d", r.status)
			}
			if n := d.calls("oss:GetObject") + d.calls("oss:ListObjects"); n != 0 {
				t.Errorf("%d calls for somebody unknown", n)
			}
		})
	}
}
