package page_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// hostile is a text that breaks out of markup, attributes, scripts, styles and addresses, and turns the reading direction.
const hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}javascript:alert(3)</title></pre>" +
	"\u202egnp.exe\u2066\u200b\x1b[31m\x00\xff"

// hostileExport has the text wherever text from outside can be.
func hostileExport(id string, state manifest.State) *manifest.Manifest {
	m := exportOf(id, hostile, sampleNow)
	m.State, m.Reason, m.Remedy, m.Detail, m.Program = state, hostile, hostile, hostile, hostile
	m.Destination = manifest.Destination{Region: hostile, Bucket: hostile, Prefix: hostile, Format: hostile}
	m.Trigger = manifest.Trigger{Kind: hostile, Source: hostile, ID: hostile, RequestID: hostile}
	m.Image = manifest.Image{
		ID: id, Name: hostile, Description: hostile, Family: hostile, Version: hostile, AccountID: hostile, OSName: hostile,
		Architecture: hostile, Tags: map[string]string{hostile: hostile}, Disks: []manifest.Disk{{Device: hostile, Type: hostile, SnapshotID: hostile}},
	}
	m.Task = &manifest.Task{ID: hostile, Status: hostile, RecordedAt: sampleNow}
	m.Attempts = []manifest.Attempt{{
		Number: 1, Outcome: hostile, TaskID: hostile, RequestID: hostile, Reason: hostile, Code: hostile, Message: hostile,
	}}
	m.Objects = []manifest.Object{{Key: hostile, Role: hostile, Device: hostile, CRC64: hostile, ETag: hostile, StorageClass: hostile, Content: hostile}}
	m.Verification = &manifest.Verification{}
	return m
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	account := accountOf(0)
	for id, state := range map[string]manifest.State{
		"m-1": manifest.Exported, "m-2": manifest.Exporting, "m-3": manifest.Failed, "m-4": manifest.Queued,
	} {
		account.Add(hostileExport(id, state))
	}
	account.Hold = &manifest.Hold{Reason: hostile, Remedy: hostile, Detail: hostile}
	account.Heartbeats = []manifest.Heartbeat{{Action: hostile, Held: hostile, At: sampleNow}}
	account.Unreadable = []export.Result{{ImageID: hostile, Reason: hostile, Remedy: hostile, Detail: hostile}}
	account.To = hostileExport("m-1", "").Destination
	options := sampleOptions()
	options.AllowActions, options.Version = true, hostile
	h := handlerOf(account, account, options)
	for _, target := range []string{"/", "/?state=exported", "/images/m-1", "/images/m-2", "/images/m-3", "/images/m-4", "/images/" + "m-none"} {
		w := get(t, h, target)
		checkHarmless(t, target, parse(t, w), w)
		if body := get(t, h, target+"?format=json").Body.Bytes(); !strings.Contains(target, "?") && !json.Valid(body) {
			t.Errorf("%s: the JSON is not valid", target)
		}
	}
	// The address is text from outside, too.
	for _, name := range []string{"name", "reason", "cursor", "limit", "did", "format"} {
		w := get(t, h, "/?"+name+"=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
		checkHarmless(t, name, parse(t, w), w)
	}
}

// checkHarmless finds elements and attributes that are not the page's own, and characters that hide or reorder text.
func checkHarmless(t *testing.T, what string, d doc, w *httptest.ResponseRecorder) {
	t.Helper()
	if i := strings.IndexAny(w.Body.String(), "\u202e\u2066\u200b\x1b\x00"); i >= 0 {
		t.Errorf("%s: a hidden character at %q", what, w.Body.String()[max(i-60, 0):i])
	}
	scripts := d.all("script")
	if len(scripts) != 1 || !strings.HasPrefix(attr(scripts[0], "src"), "/assets/page.js?v=") || scripts[0].FirstChild != nil {
		t.Errorf("%s: %d scripts", what, len(scripts))
	}
	if n := len(d.all("img")) + len(d.all("style")) + len(d.all("iframe")) + len(d.all("base")); n != 0 {
		t.Errorf("%s: %d elements that the page does not have", what, n)
	}
	for n := range d.root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" {
				t.Errorf("%s: <%s %s>", what, n.Data, a.Key)
			}
			if own := strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "#"); (a.Key == "href" || a.Key == "src" || a.Key == "action") && !own {
				t.Errorf("%s: <%s %s=%q>", what, n.Data, a.Key, a.Val)
			}
		}
	}
}

// Names in scripts of all directions stay as they are, each isolated from what is around it.
func TestNamesOfAllScripts(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"黄金镜像-数据库", "صورة-ذهبية 1.2", "ゴールデン・イメージ", "x & <y>", strings.Repeat("long", 32)} {
		account := accountOf(0)
		account.Add(exportOf("m-1", name, sampleNow))
		h := handlerOf(account, nil, page.Options{})
		for _, target := range []string{"/", "/images/m-1"} {
			isolated := false
			for _, bdi := range parse(t, get(t, h, target)).all("bdi") {
				isolated = isolated || text(bdi) == name
			}
			if !isolated {
				t.Errorf("%s: %q is not there, or not isolated", target, name)
			}
		}
	}
}
