package page_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"imageferry/handler/page/pagetest"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// idOf is the id of the sample account's newest image with a name.
func idOf(t *testing.T, account *pagetest.Memory, name string) string {
	t.Helper()
	r, err := account.Recent(t.Context(), export.Filter{Name: name}, "", 1)
	if err != nil || len(r.Exports) == 0 {
		t.Fatalf("no image %s: %v", name, err)
	}
	return r.Exports[0].Image.ID
}

func TestFailedImage(t *testing.T) {
	t.Parallel()
	account := pagetest.Account(sampleNow)
	id := idOf(t, account, "analytics")
	d := parse(t, get(t, handlerOf(account, nil, sampleOptions()), "/images/"+id))
	if got := text(d.one("h1")); got != "analytics-2026-11-23" {
		t.Errorf("the heading is %q", got)
	}
	mustContain(t, text(d.one("section", "aria-label=Where it stands")), "task-failed Read the detail", "SnapshotReadFailed: The snapshot could not be read.")
	steps := d.one("ol", "class=steps")
	if n := len(d.all("li", "data-revision=")); n != 9 {
		t.Errorf("%d revisions in the timeline, want 9", n)
	}
	mustContain(t, text(steps), "failed task-failed 2026-11-23 13:37:31 UTC · 21 min later · revision 9", "submitting 2026-11-23 12:31:31 UTC · revision 1",
		"asked by event ecs:Image:StateChange", "due 2026-11-23 12:54:31 UTC", "task t-bp")
	if strings.Count(text(steps), "asked by") != 1 {
		t.Error("who asked is repeated although it is the same")
	}
	mustContain(t, text(d.one("main")), "3 failed 50 min ago 21 min", "stage = golden", "/dev/xvda system , 60 GiB")
	for _, absent := range []string{"h-restore", "h-objects", "retry", "cancel"} {
		if len(d.all("*", "id="+absent)) != 0 {
			t.Errorf("there is a section %s", absent)
		}
	}
}

func TestExportedImage(t *testing.T) {
	t.Parallel()
	account := pagetest.Account(sampleNow)
	id := idOf(t, account, "edge-proxy-2026-11-23")
	d := parse(t, get(t, handlerOf(account, nil, sampleOptions()), "/images/"+id))
	want := "imageferry restore " + id + " --region cn-hangzhou --bucket imageferry-exports --prefix golden --format raw"
	if got := text(d.one("code", "id=restore")); got != want {
		t.Errorf("the command is %q", got)
	}
	mustContain(t, text(d.one("main")), "golden_"+id+"_system.raw.tar.gz system 4.4 GiB gzip Standard CRC-64", "golden_"+id+"_data_xvdb.raw.tar.gz data xvdb",
		"2 objects verified, 40.4 GiB", "Took 26 min", "Compared with what ECS reported 1 h ago")
	var m manifest.Manifest
	if err := json.Unmarshal([]byte(d.one("pre").FirstChild.Data), &m); err != nil || m.Image.ID != id || m.Revision != 3 {
		t.Errorf("the manifest shown is revision %d of %s: %v", m.Revision, m.Image.ID, err)
	}
	own := sampleOptions()
	own.RestoreCommand = func(m *manifest.Manifest) string { return "mine " + m.Image.ID }
	mustContain(t, text(parse(t, get(t, handlerOf(account, nil, own), "/images/"+id)).one("code", "id=restore")), "mine "+id)
}

func TestRestoreCommandIsOneWordEach(t *testing.T) {
	t.Parallel()
	m := exportOf("m-1", "x", sampleNow)
	m.State, m.Destination.Bucket = manifest.Exported, "b'; rm -rf ~ #"
	account := accountOf(0)
	account.Add(m)
	d := parse(t, get(t, handlerOf(account, nil, sampleOptions()), "/images/m-1"))
	mustContain(t, text(d.one("code", "id=restore")), `--bucket 'b'\''; rm -rf ~ #' --prefix`)
}

func TestUnknownImage(t *testing.T) {
	t.Parallel()
	account := accountOf(1)
	h := handlerOf(account, nil, sampleOptions())
	for _, target := range []string{"/images/m-none", "/images/%2e%2e%2fx", "/images/<b>", "/nothing", "/images", "/images/m-00000/retry", "/assets/page.go"} {
		w := get(t, h, strings.ReplaceAll(target, "<b>", "%3Cb%3E"))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", target, w.Code)
		}
		parse(t, w).one("h1")
		w = get(t, h, strings.ReplaceAll(target, "<b>", "%3Cb%3E")+"?format=json")
		if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s as JSON: status %d, %s", target, w.Code, w.Header().Get("Content-Type"))
		}
	}
	account.Fail = func(string) error { return errors.New("secret detail") }
	w := get(t, h, "/images/m-00000")
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret detail") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	account := accountOf(1)
	account.Damage("m-00000", fmt.Errorf("read oss://secret: %w", manifest.ErrUnreadable))
	account.Damage("m-00000", manifest.ErrNotFound)
	account.Damage("m-00000", manifest.ErrNewer)
	account.Damage("m-lost", manifest.ErrUnreadable)
	h := handlerOf(account, nil, sampleOptions())
	w := get(t, h, "/images/m-00000")
	mustContain(t, text(parse(t, w).one("ol", "class=steps")), "revision 4 This revision cannot be shown: a newer version of imageferry wrote it.",
		"it is missing: somebody has deleted it", "it is damaged", "revision 1")
	if strings.Contains(w.Body.String(), "oss://secret") {
		t.Error("the Source's words are shown")
	}
	mustContain(t, text(parse(t, get(t, h, "/images/m-lost")).one("main")), "No revision can be read", "it is damaged")
	var document struct {
		ImageID   string
		Export    *manifest.Manifest
		Revisions []struct {
			Revision int
			Manifest *manifest.Manifest
			Error    string
		}
	}
	if err := json.Unmarshal(get(t, h, "/images/m-00000?format=json").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if document.ImageID != "m-00000" || document.Export.Revision != 1 || len(document.Revisions) != 4 ||
		document.Revisions[1].Error != "it is damaged" || document.Revisions[0].Manifest == nil {
		t.Errorf("the document is %+v", document)
	}
}

func TestLongTimeline(t *testing.T) {
	t.Parallel()
	account := accountOf(0)
	for i := range 120 {
		m := exportOf("m-1", "x", sampleNow.Add(time.Duration(i)*time.Hour-1000*time.Hour))
		m.Revision = i + 1
		account.Add(m)
	}
	h := handlerOf(account, nil, sampleOptions())
	target, want := "/images/m-1", 120
	for target != "" {
		d := parse(t, get(t, h, target))
		for _, li := range d.all("li", "data-revision=") {
			if attr(li, "data-revision") != fmt.Sprint(want) {
				t.Fatalf("revision %s, want %d", attr(li, "data-revision"), want)
			}
			want--
		}
		target = ""
		for _, a := range d.all("a", "href=") {
			if text(a) == "Earlier revisions →" {
				target, _, _ = strings.Cut(attr(a, "href"), "#")
			}
		}
	}
	if want != 0 {
		t.Errorf("the timeline ends before revision %d", want)
	}
	for _, target := range []string{"/images/m-1?before=x", "/images/m-1?before=-3", "/images/m-1?before=999"} {
		if d := parse(t, get(t, h, target)); attr(d.all("li", "data-revision=")[0], "data-revision") != "120" {
			t.Errorf("%s does not begin with the newest", target)
		}
	}
}

// What rehearsals have shown stands with the facts, only where there were some; that it cannot be read is no trouble.
func TestRehearsedImage(t *testing.T) {
	t.Parallel()
	proven := restore.Rehearsal{At: sampleNow.Add(-48 * time.Hour), OK: true}
	failed := restore.Rehearsal{At: sampleNow.Add(-time.Hour), Reason: "rehearsal-differs", Detail: `bootMode is "BIOS" instead of "UEFI"`}
	for name, c := range map[string]struct {
		shown        *restore.Rehearsals
		fail         bool
		want, absent []string
	}{
		"never":        {nil, false, nil, []string{"Last proven restorable", "Last rehearsal"}},
		"proven":       {&restore.Rehearsals{Last: proven, Proven: &proven}, false, []string{"Last proven restorable 2 d ago"}, []string{"Last rehearsal"}},
		"failed":       {&restore.Rehearsals{Last: failed}, false, []string{"Last rehearsal 1 h ago", "rehearsal-differs: bootMode is"}, []string{"Last proven"}},
		"failed since": {&restore.Rehearsals{Last: failed, Proven: &proven}, false, []string{"Last proven restorable 2 d ago", "Last rehearsal 1 h ago"}, nil},
		"unreadable":   {&restore.Rehearsals{Last: proven, Proven: &proven}, true, nil, []string{"Last proven restorable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := pagetest.Account(sampleNow)
			id := idOf(t, account, "edge-proxy-2026-11-23")
			account.Proofs = map[string]*restore.Rehearsals{id: c.shown}
			account.Fail = func(call string) error {
				if c.fail && call == "Rehearsals" {
					return errors.New("no answer")
				}
				return nil
			}
			shown := text(parse(t, get(t, handlerOf(account, nil, sampleOptions()), "/images/"+id)).one("dl", "class=facts"))
			mustContain(t, shown, c.want...)
			for _, absent := range c.absent {
				if strings.Contains(shown, absent) {
					t.Errorf("%q is in %q", absent, shown)
				}
			}
		})
	}
}
