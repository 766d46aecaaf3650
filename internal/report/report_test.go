package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func image(id string, age time.Duration) manifest.Image {
	created := now.Add(-age)
	return manifest.Image{ID: id, Name: "name of " + id, Status: "Available", CreationTime: &created, SizeGiB: 40}
}

func exported(state manifest.State, reason string) export.Export {
	return export.Export{Manifest: &manifest.Manifest{State: state, Reason: reason, Verification: &manifest.Verification{Objects: 1, Bytes: 10}}}
}

// TestClasses puts every image into one class.
func TestClasses(t *testing.T) {
	t.Parallel()
	creating, windows, deprecated := image("creating", 0), image("windows", 0), image("deprecated", 0)
	creating.Status, windows.OSType, deprecated.Status = "Creating", "windows", "Deprecated"
	unwanted, unwantedExported := image("unwanted", 0), image("unwanted-exported", 0)
	in := Input{
		Now: now,
		Images: []manifest.Image{
			image("exported", time.Hour), image("queued", 0), image("submitting", 0), image("exporting", 0), image("failed", 0),
			image("cancelled", 0), image("skipped", 0), image("damaged", 0), image("missing", 0), creating, windows, deprecated, unwanted, unwantedExported,
		},
		Exports: map[string]export.Export{
			"exported": exported(manifest.Exported, ""), "queued": exported(manifest.Queued, "throttled"), "submitting": exported(manifest.Submitting, ""),
			"exporting": exported(manifest.Exporting, ""), "failed": exported(manifest.Failed, "task-stuck"), "cancelled": exported(manifest.Cancelled, ""),
			"skipped": exported(manifest.Skipped, "image-license"), "damaged": {Reason: "journal-unreadable"},
			"unwanted-exported": exported(manifest.Exported, ""), "deleted": exported(manifest.Exported, ""), "deleted-too": exported(manifest.Failed, ""),
		},
		Wants: func(name, _ string, _ map[string]string) bool {
			return name != "name of unwanted" && name != "name of unwanted-exported"
		},
	}
	r := Make(in)
	want := map[string]Class{
		"exported": Exported, "queued": Pending, "submitting": Pending, "exporting": Pending, "failed": Failed, "cancelled": Failed,
		"skipped": Skipped, "damaged": Failed, "missing": Missing, "creating": Pending, "windows": Skipped, "deprecated": Skipped,
		"unwanted": Excluded, "unwanted-exported": Exported,
	}
	for _, row := range r.Images {
		if row.Class != want[row.ImageID] {
			t.Errorf("%s is %s, want %s", row.ImageID, row.Class, want[row.ImageID])
		}
	}
	wantSummary := Summary{Images: 14, Exported: 2, Pending: 4, Missing: 1, Failed: 3, Skipped: 3, Excluded: 1, Counted: 13, CoveragePercent: 15.38, ExportedBytes: 20, Deleted: 1}
	if r.Summary != wantSummary {
		t.Errorf("summary %+v, want %+v", r.Summary, wantSummary)
	}
	if r.Images[0].Class != Failed || r.Images[len(r.Images)-1].Class != Excluded {
		t.Errorf("order: %s first, %s last", r.Images[0].Class, r.Images[len(r.Images)-1].Class)
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	// Three exported, one skipped and old, one missing and new.
	in := Input{
		Now: now,
		Images: []manifest.Image{
			image("a", 48*time.Hour), image("b", 48*time.Hour), image("c", time.Hour), image("skipped", 48*time.Hour), image("new", time.Hour),
		},
		Exports: map[string]export.Export{
			"a": exported(manifest.Exported, ""), "b": exported(manifest.Exported, ""), "c": exported(manifest.Exported, ""),
			"skipped": exported(manifest.Skipped, "image-windows"),
		},
	}
	share := func(text string) *Percent {
		p, err := ParsePercent(text)
		if err != nil {
			t.Fatal(err)
		}
		return &p
	}
	for _, c := range []struct {
		name   string
		ignore bool
		rules  Rules
		met    bool
		late   int
	}{
		{"exactly enough", false, Rules{Require: share("60%")}, true, 0},
		{"just not enough", false, Rules{Require: share("60.01")}, false, 0},
		{"enough without skipped", true, Rules{Require: share("75")}, true, 0},
		{"all but the new", true, Rules{MaxAge: 24 * time.Hour}, true, 0},
		{"skipped is late", false, Rules{MaxAge: 24 * time.Hour}, false, 1},
		{"new is late, too", false, Rules{MaxAge: time.Minute}, false, 2},
		{"both rules", true, Rules{Require: share("100%"), MaxAge: 24 * time.Hour}, false, 0},
		{"nothing is required", false, Rules{Require: share("0")}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := in
			in.IgnoreSkipped = c.ignore
			r := Make(in)
			r.Judge(c.rules)
			if r.Gate.Met != c.met || r.Gate.Late != c.late || (len(r.Gate.Problems) == 0) != c.met {
				t.Errorf("gate %+v", r.Gate)
			}
		})
	}
	r := Make(in)
	r.Judge(Rules{})
	if r.Gate != nil {
		t.Error("a gate that nobody asked for")
	}
}

// An image whose age nobody knows does not pass a gate on age.
func TestUnknownAge(t *testing.T) {
	t.Parallel()
	r := Make(Input{Now: now, Images: []manifest.Image{{ID: "m"}}})
	r.Judge(Rules{MaxAge: time.Hour})
	if r.Gate.Met {
		t.Error("the gate is met")
	}
}

// An export counts as proven while a rehearsal that went well is young enough; images that are not exported are another gate's.
func TestRehearsalGate(t *testing.T) {
	t.Parallel()
	in := Input{
		Now:    now,
		Images: []manifest.Image{image("proven", 0), image("old", 0), image("never", 0), image("missing", 0)},
		Exports: map[string]export.Export{
			"proven": exported(manifest.Exported, ""), "old": exported(manifest.Exported, ""), "never": exported(manifest.Exported, ""),
		},
		Proven: map[string]time.Time{"proven": now.Add(-time.Hour), "old": now.Add(-100 * 24 * time.Hour), "missing": now},
	}
	r := Make(in)
	r.Judge(Rules{Rehearsed: 90 * 24 * time.Hour})
	if r.Gate.Met || r.Gate.Unproven != 2 || *r.Gate.RehearsedSeconds != 90*24*3600 || len(r.Gate.Problems) != 1 {
		t.Errorf("gate %+v", r.Gate)
	}
	for _, row := range r.Images {
		if want := row.ImageID == "old" || row.ImageID == "never"; row.Unproven != want || (row.ProvenAt != nil) != (row.ImageID == "proven" || row.ImageID == "old") {
			t.Errorf("%s: unproven %v, proven at %v", row.ImageID, row.Unproven, row.ProvenAt)
		}
	}
	var b strings.Builder
	if err := r.WriteMarkdown(&b); err != nil || !strings.Contains(b.String(), "| 2026-11-23T11:00:00Z |  |\n") || !strings.Contains(b.String(), "| unproven |\n") {
		t.Errorf("%s (%v)", b.String(), err)
	}
	r = Make(in)
	r.Judge(Rules{Rehearsed: 101 * 24 * time.Hour})
	if r.Gate.Met || r.Gate.Unproven != 1 {
		t.Errorf("gate %+v", r.Gate)
	}
}

// A rehearsal that failed after one that went well is told, and no gate of rehearsals is met with it.
func TestFailedRehearsal(t *testing.T) {
	t.Parallel()
	in := Input{
		Now: now, Images: []manifest.Image{image("m-1", 0), image("m-2", 0)}, Exports: map[string]export.Export{"m-1": exported(manifest.Exported, "")},
		Proven: map[string]time.Time{"m-1": now.Add(-time.Hour)}, RehearsalFailed: map[string]string{"m-1": "object-changed", "m-2": "import-failed"},
	}
	r := Make(in)
	r.Judge(Rules{Rehearsed: 90 * 24 * time.Hour})
	i := slices.IndexFunc(r.Images, func(row Row) bool { return row.ImageID == "m-1" })
	if row := r.Images[i]; r.Gate.Met || r.Gate.Unproven != 1 || !row.Unproven || row.RehearsalFailed != "object-changed" || r.Images[1-i].RehearsalFailed != "" {
		t.Errorf("gate %+v, images %+v", r.Gate, r.Images)
	}
	var markdown, table strings.Builder
	if err := r.WriteMarkdown(&markdown); err != nil || !strings.Contains(markdown.String(), "| unproven, last rehearsal failed: object-changed |\n") {
		t.Errorf("%s (%v)", markdown.String(), err)
	}
	if err := r.WriteCSV(&table); err != nil || !strings.Contains(table.String(), ",true,object-changed\n") {
		t.Errorf("%s (%v)", table.String(), err)
	}
}

// The image of a rehearsal is there for a moment, and counts for nothing.
func TestRehearsalImageIsExcluded(t *testing.T) {
	t.Parallel()
	rehearsal := image("m-1", 0)
	rehearsal.Name = export.RehearsalPrefix + "m-0"
	r := Make(Input{Now: now, Images: []manifest.Image{rehearsal}})
	if row := r.Images[0]; row.Class != Excluded || row.Reason != "image-of-rehearsal" || r.Summary.Counted != 0 {
		t.Errorf("%+v, %+v", row, r.Summary)
	}
}

func TestParsePercent(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Percent{"100%": 10000, "99.5": 9950, " 0 % ": 0, "12.34%": 1234} {
		if p, err := ParsePercent(text); err != nil || p != want {
			t.Errorf("%q is %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "%", "-1", "100.01", "NaN", "half", "1e9"} {
		if p, err := ParsePercent(text); err == nil {
			t.Errorf("%q is %v", text, p)
		}
	}
}
