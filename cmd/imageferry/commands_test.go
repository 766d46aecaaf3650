package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/manifest"
	"imageferry/internal/report"
)

// TestJourney exports an image, does it again, cancels that, and reads the story of it.
func TestJourney(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{Name: "web-01", Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 40}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 20},
	}})
	r := s.wantRun(t, exitOK, "submit", id, id, "--wait", "--interval", "10ms", "--json")
	results := decode[outcomes](t, r).Results
	if len(results) != 1 || results[0].State != manifest.Exported || results[0].Name != "web-01" {
		t.Fatalf("results %+v", results)
	}
	if !strings.Contains(r.err, id+"  web-01  exported") {
		t.Errorf("progress %q", r.err)
	}

	shown := decode[story](t, s.wantRun(t, exitOK, "show", id, "--json"))
	if shown.Export.State != manifest.Exported || len(shown.Export.Objects) != 2 || len(shown.Revisions) != 3 {
		t.Fatalf("story %+v", shown)
	}
	trigger := shown.Export.Trigger
	if trigger.Kind != "cli" || trigger.Source != "imageferry submit" || trigger.ID != s.Administrator.ARN || trigger.RequestID == "" {
		t.Errorf("trigger %+v", trigger)
	}
	if r := s.wantRun(t, exitOK, "submit", id); !strings.Contains(r.out, "exported") {
		t.Errorf("a second submit printed %s", r.out)
	}

	s.ECS.SetImage(id, func(i *ecsd.Image) { i.Disks[0].SizeGiB = 100_000 })
	s.wantRun(t, exitOK, "retry", id)
	if r := s.wantRun(t, exitOK, "cancel", id); !strings.Contains(r.out, "cancelled") {
		t.Errorf("cancel printed %s", r.out)
	}
	r = s.wantRun(t, exitError, "cancel", id)
	if !strings.Contains(r.out, "error") || !strings.Contains(r.err, "imageferry show") {
		t.Errorf("cancelling again printed %s%s", r.out, r.err)
	}
	for _, want := range []string{"cancelled by cli " + s.Administrator.ARN, "imageferry retry", "exported", "Attempts"} {
		if out := s.wantRun(t, exitOK, "show", id).out; !strings.Contains(out, want) {
			t.Errorf("show lacks %q:\n%s", want, out)
		}
	}
	s.wantRun(t, exitUnmet, "submit", id)
}

// TestFollow does the work of the function's ticks.
func TestFollow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{Name: "web-01"})
	s.wantRun(t, exitOK, "submit", id)
	f := decode[followed](t, s.wantRun(t, exitOK, "follow", "--wait", "--interval", "10ms", "--json"))
	if f.Activity.Exporting != 0 || f.Activity.Queued != 0 || len(f.Rounds) < 3 {
		t.Errorf("followed %+v", f)
	}
	if out := s.wantRun(t, exitOK, "list", "--state", "exported").out; !strings.Contains(out, id) {
		t.Errorf("list printed %s", out)
	}
	again := s.wantRun(t, exitOK, "follow")
	if again.out != "0 running, 0 queued\n" {
		t.Errorf("printed %q", again.out)
	}
	// An export that ends other than exported is told by the status.
	s.ECS.FailNextExport(id, "InternalError", "The snapshot could not be read.")
	s.wantRun(t, exitOK, "retry", id)
	s.wantRun(t, exitOK, "follow", "--wait", "--interval", "10ms")
}

// TestSkipped covers what is final before ECS is asked.
func TestSkipped(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{Name: "windows", OSType: "windows"})
	r := s.wantRun(t, exitUnmet, "submit", id)
	if !strings.Contains(r.out, "image-windows: Nothing can be done") {
		t.Errorf("printed %s", r.out)
	}
	if out := s.wantRun(t, exitOK, "show", id).out; !strings.Contains(out, "Why, and what to do") {
		t.Errorf("show printed %s", out)
	}
	// One image's error is not the others'.
	good := s.ECS.AddImage(ecsd.Image{Name: "good"})
	results := decode[outcomes](t, s.wantRun(t, exitError, "retry", "m-unknown", good, "--json")).Results
	if len(results) != 2 || results[0].Error == "" || results[1].Error == "" {
		t.Errorf("results %+v", results)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var ids []string
	for i := range 5 {
		image := ecsd.Image{ID: fmt.Sprintf("m-%d", i), Name: fmt.Sprintf("web-%d", i), OSType: "windows"}
		if i == 4 {
			image.OSType = "linux"
			image.Disks = []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 100_000}}
		}
		ids = append(ids, s.ECS.AddImage(image))
	}
	if r := s.wantRun(t, exitOK, "list"); r.out != "No exports.\n" {
		t.Errorf("printed %q", r.out)
	}
	if l := decode[listing](t, s.wantRun(t, exitOK, "list", "--json")); l.Exports == nil || len(l.Exports) != 0 {
		t.Errorf("listing %+v", l)
	}
	s.wantRun(t, exitUnmet, append([]string{"submit"}, ids...)...)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "m-0 m-1 m-2 m-3 m-4"},
		{[]string{"--state", "skipped"}, "m-0 m-1 m-2 m-3"},
		{[]string{"--state", "exporting,queued"}, "m-4"},
		{[]string{"--reason", "image-windows", "--name", "web-[12]"}, "m-1 m-2"},
		{[]string{"--newer", "1d"}, "m-0 m-1 m-2 m-3 m-4"},
		{[]string{"--older", "1d"}, ""},
		{[]string{"--limit", "2"}, "m-0 m-1 >m-1"},
		{[]string{"--limit", "2", "--cursor", "m-1"}, "m-2 m-3 >m-3"},
		{[]string{"--limit", "2", "--cursor", "m-3"}, "m-4"},
		{[]string{"--limit", "4", "--state", "skipped"}, "m-0 m-1 m-2 m-3"},
		{[]string{"--limit", "0"}, "m-0 m-1 m-2 m-3 m-4"},
	} {
		l := decode[listing](t, s.wantRun(t, exitOK, append([]string{"list", "--json"}, c.args...)...))
		var got []string
		for _, m := range l.Exports {
			got = append(got, m.Image.ID)
		}
		if l.Cursor != "" {
			got = append(got, ">"+l.Cursor)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("list %q: %q, want %q", c.args, got, c.want)
		}
	}
}

// TestDamaged shows what cannot be read, and the rest.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{ID: "m-damaged", OSType: "windows"})
	s.wantRun(t, exitUnmet, "submit", id)
	layout, at := manifest.Layout("imageferry/"), manifest.Destination{Region: s.Region, Bucket: testBucket, Format: "raw"}
	put := func(key, text string) {
		if err := s.OSS.PutObjectAs(t.Context(), s.Administrator, testBucket, key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	put(layout.Manifest(at, id), "damage")
	put(layout.Journal(at, id)+"00000002.json", "damage \x1b[2J")
	if r := s.wantRun(t, exitOK, "list"); !strings.Contains(r.out, "journal-unreadable") || strings.Contains(r.out, "\x1b") {
		t.Errorf("list printed %s", r.out)
	}
	shown := decode[story](t, s.wantRun(t, exitOK, "show", id, "--json"))
	if len(shown.Revisions) != 2 || shown.Revisions[0].Manifest == nil || shown.Revisions[1].Error == "" {
		t.Errorf("story %+v", shown)
	}
	if r := s.wantRun(t, exitOK, "show", id); !strings.Contains(r.out, "unreadable") {
		t.Errorf("show printed %s", r.out)
	}
	r := s.wantRun(t, exitUnmet, "report", "--require", "100%", "-o", "json")
	if made := decode[report.Report](t, r); made.Summary.Failed != 1 || made.Images[0].Reason != "journal-unreadable" {
		t.Errorf("report %+v", made)
	}
}

// TestSweep decides for each image, asks where it has to, and leaves alone what is not wanted.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(_ *localcloud.Options, env map[string]string) { env["FERRY_EXCLUDE_NAME"] = "tmp-*" })
	for i := range 12 {
		s.ECS.AddImage(ecsd.Image{ID: fmt.Sprintf("m-%02d", i), Name: fmt.Sprintf("web-%02d", i)})
	}
	s.ECS.AddImage(ecsd.Image{ID: "m-old", Name: "old", CreationTime: time.Now().Add(-30 * 24 * time.Hour)})
	s.ECS.AddImage(ecsd.Image{ID: "m-tmp", Name: "tmp-1"})
	s.ECS.AddImage(ecsd.Image{ID: "m-win", Name: "windows", OSType: "windows"})

	plan := decode[swept](t, s.wantRun(t, exitOK, "sweep", "--dry-run", "--json"))
	actions := map[string]string{}
	for _, d := range plan.Decisions {
		actions[d.ImageID] = string(d.Action) + " " + d.Reason
	}
	if len(actions) != 14 || actions["m-00"] != "submit " || actions["m-tmp"] != "exclude not-selected" || actions["m-win"] != "skip image-windows" {
		t.Errorf("decisions %v", actions)
	}
	if l := decode[listing](t, s.wantRun(t, exitOK, "list", "--json")); len(l.Exports) != 0 {
		t.Fatal("a dry run submitted something")
	}

	r := s.wantRun(t, exitUsage, "sweep")
	if !strings.Contains(r.err, "12 images would be exported") || !strings.Contains(r.err, "--yes") {
		t.Errorf("printed %s", r.err)
	}
	asked := func(answer string) func(*app) {
		return func(a *app) { a.asks, a.in = true, strings.NewReader(answer) }
	}
	r = s.runAs(t, t.Context(), asked("n\n"), "sweep")
	r.want(t, exitError, []string{"sweep"})
	if !strings.Contains(r.err, "Export 12 images to oss://"+testBucket+"/? [y/N] ") {
		t.Errorf("asked %q", r.err)
	}
	s.wantRun(t, exitOK, "sweep", "--limit", "2")
	r = s.runAs(t, t.Context(), asked("yes\n"), "sweep", "--json", "--all")
	r.want(t, exitOK, []string{"sweep"})
	if all := decode[swept](t, r); len(all.Results) != 12 || all.Incomplete {
		t.Errorf("swept %d, incomplete %v", len(all.Results), all.Incomplete)
	}
	r = s.wantRun(t, exitOK, "sweep", "--dry-run", "--all")
	if !strings.HasSuffix(r.out, "15 images: 0 to submit, 0 to skip, 1 excluded, 14 with an export\n") {
		t.Errorf("printed %s", r.out)
	}
}

// TestReport gates on the coverage, and prints it in every form.
func TestReport(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if r := s.wantRun(t, exitOK, "report", "--require", "100%"); !strings.Contains(r.out, "0 images\n100%: 0 of 0 counted images exported\n") {
		t.Errorf("an empty account: %s", r.out)
	}
	exported := s.ECS.AddImage(ecsd.Image{ID: "m-exported", Name: "exported"})
	s.wantRun(t, exitOK, "submit", exported, "--wait", "--interval", "10ms")
	s.ECS.AddImage(ecsd.Image{ID: "m-windows", Name: "windows", OSType: "windows"})
	s.wantRun(t, exitUnmet, "report", "--require", "100%")
	s.wantRun(t, exitOK, "report", "--require", "50%")
	s.wantRun(t, exitOK, "report", "--require", "100", "--ignore-skipped")
	s.ECS.AddImage(ecsd.Image{ID: "m-creating", Name: "creating", Status: ecsd.StatusCreating})
	s.ECS.AddImage(ecsd.Image{ID: "m-missing", Name: "missing", CreationTime: time.Now().Add(-25 * time.Hour)})
	s.wantRun(t, exitOK, "report", "--max-age", "2d", "--ignore-skipped")
	r := s.wantRun(t, exitUnmet, "report", "--max-age", "24h", "--ignore-skipped", "--json")
	made := decode[report.Report](t, r)
	if made.Gate == nil || made.Gate.Late != 1 || !made.Images[0].Late || made.Images[0].ImageID != "m-missing" || made.AccountID != "1234567890123456" {
		t.Errorf("report %+v", made)
	}
	if got := made.Summary; got.Images != 4 || got.Exported != 1 || got.Pending != 1 || got.Missing != 1 || got.Skipped != 1 || got.Counted != 3 {
		t.Errorf("summary %+v", got)
	}
	if !strings.Contains(r.err, "gate not met: 1 of the counted images") {
		t.Errorf("printed %s", r.err)
	}
	lines, err := csv.NewReader(strings.NewReader(s.wantRun(t, exitOK, "report", "-o", "csv").out)).ReadAll()
	if err != nil || len(lines) != 5 {
		t.Errorf("CSV of %d lines, %v", len(lines), err)
	}
	if out := s.wantRun(t, exitOK, "report", "-o", "markdown").out; !strings.Contains(out, "| `m-missing` | missing | missing |") {
		t.Errorf("Markdown %s", out)
	}
}

// TestManyImages reports on five hundred.
func TestManyImages(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i := range 500 {
		s.ECS.AddImage(ecsd.Image{Name: fmt.Sprintf("web-%03d", i)})
	}
	if made := decode[report.Report](t, s.wantRun(t, exitOK, "report", "--json")); made.Summary.Missing != 500 || len(made.Images) != 500 {
		t.Errorf("summary %+v", made.Summary)
	}
	if out := s.wantRun(t, exitOK, "sweep", "--dry-run").out; strings.Count(out, "has no export") != 500 {
		t.Errorf("%d decisions", strings.Count(out, "has no export"))
	}
}

// TestHostileNames prints names that others chose: nothing of them reaches the terminal but what can be seen.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i, name := range []string{
		"a\x1b]0;title\x07\x1b[2J", "b\r\nImage\tother", "c\u202egnp.exe\u2066", "d\u009b31m\x7f", "e\ufeff\u200b\u2028", strings.Repeat("f", 4000),
		"שלום עולם", "镜像-01 👩‍👩‍👧 é", "=1+1", "|x|`y`<b>&\\", "\xff\xfe",
	} {
		s.ECS.AddImage(ecsd.Image{ID: fmt.Sprintf("m-%02d", i), Name: name, OSType: "windows", OSName: name})
	}
	for _, args := range [][]string{
		{"sweep", "--dry-run"}, {"sweep", "--dry-run", "--json"}, {"sweep"}, {"list"}, {"list", "--json"}, {"show", "m-00"}, {"show", "m-02"}, {"show", "m-03", "--json"},
		{"report"}, {"report", "-o", "csv"}, {"report", "-o", "json"}, {"report", "-o", "markdown"}, {"submit", "m-00", "--force"}, {"follow"},
	} {
		r := s.run(t, args...)
		if r.code != exitOK && r.code != exitUnmet {
			t.Fatalf("%q: exit status %d: %s", args, r.code, r.err)
		}
		for _, c := range r.out + r.err {
			if c != '\n' && c != '\u200d' && !unicode.IsPrint(c) {
				t.Errorf("%q prints %U", args, c)
			}
		}
		if args[len(args)-1] == "json" && !json.Valid([]byte(r.out)) {
			t.Errorf("%q prints no JSON", args)
		}
	}
	r := s.run(t, "list", "--json")
	if l := decode[listing](t, r); l.Exports[2].Image.Name != "c\u202egnp.exe\u2066" {
		t.Errorf("JSON changed a name to %q", l.Exports[2].Image.Name)
	}
	if r := s.run(t, "list"); !strings.Contains(r.out, `c\u202egnp.exe`) || !strings.Contains(r.out, "镜像-01 👩‍👩‍👧 é") {
		t.Errorf("list prints %s", r.out)
	}
}

// TestUsage tells what was wrong before anything is sent.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args    []string
		environ []string
		want    string
	}{
		{args: []string{"lits"}, want: "unknown command"},
		{args: []string{"list", "--bogus"}, want: "--bogus"},
		{args: []string{"list", "surplus"}, want: "surplus"},
		{args: []string{"list", "--state", "done"}, want: "exporting, exported"},
		{args: []string{"list", "--reason", "because"}, want: "because"},
		{args: []string{"list", "--name", "["}, want: "--name"},
		{args: []string{"list", "--newer", "-1d"}, want: "such as 36h, 7d or 2w"},
		{args: []string{"list", "--limit", "-1"}, want: "--limit"},
		{args: []string{"list", "--cursor", "../x"}, want: "--cursor"},
		{args: []string{"submit"}, want: "needs the id of an image"},
		{args: []string{"submit", "web-01"}, want: "is not the id of a custom image"},
		{args: []string{"submit", "m-\x1b[2J"}, want: `\x1b`},
		{args: []string{"show", "m-1", "m-2"}, want: "accepts 1 arg"},
		{args: []string{"report", "-o", "pdf"}, want: "table, csv, json, markdown"},
		{args: []string{"report", "--require", "101%"}, want: "--require"},
		{args: []string{"report", "--json", "-o", "csv"}, want: "json"},
		{args: []string{"sweep", "--all", "--max-age", "1d"}, want: "max-age"},
		{args: []string{"list"}, want: "FERRY_BUCKET"},
		{args: []string{"list", "--bucket", "B"}, want: `"B" does not fit`},
		{args: []string{"list", "--bucket", "my-exports", "--profile", "p"}, environ: []string{"ALIBABA_CLOUD_REGION_ID=Bad"}, want: "profile"},
		{args: []string{"list", "--bucket", "my-exports"}, environ: []string{"ALIBABA_CLOUD_REGION_ID=Bad_Region"}, want: "region"},
		{args: []string{"list", "--local", "http://example.com"}, want: "loopback"},
		{args: []string{"list", "--local", "https://127.0.0.1:1"}, want: "http://"},
		{args: []string{"list", "--local", "http://127.0.0.1:1", "--profile", "p"}, want: "--profile"},
		{args: []string{"local", "--images", "-1"}, want: "--images"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			a := testApp(&out, &errs)
			a.environ = c.environ
			if code := a.run(t.Context(), c.args); code != exitUsage || out.Len() > 0 || !strings.Contains(errs.String(), c.want) {
				t.Errorf("exit status %d, %q, want %q in %q", code, out.String(), c.want, errs.String())
			}
		})
	}
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	id := s.ECS.AddImage(ecsd.Image{Name: "large", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 1_000_000}}})
	r := s.wantRun(t, exitUnmet, "submit", id, "--wait", "--interval", "10ms", "--timeout", "200ms")
	if !strings.Contains(r.out, "exporting") || !strings.Contains(r.err, "they go on") {
		t.Errorf("printed %s%s", r.out, r.err)
	}
	s.wantRun(t, exitUsage, "submit", id, "--timeout", "1s")
	s.wantRun(t, exitUnmet, "follow", "--wait", "--interval", "10ms", "--timeout", "200ms")

	// Ctrl-C ends the waiting, and tells what is.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	args := []string{"submit", id, "--wait", "--interval", "10ms"}
	r = s.runAs(t, ctx, func(a *app) {
		a.err = &buffer{written: func(text string) {
			if strings.Contains(text, "exporting") {
				cancel()
			}
		}}
	}, args...)
	r.want(t, exitInterrupted, args)
	if !strings.Contains(r.out, "exporting") {
		t.Errorf("printed %s", r.out)
	}
	if l := decode[listing](t, s.wantRun(t, exitOK, "list", "--state", "exporting", "--json")); len(l.Exports) != 1 {
		t.Error("the export did not go on")
	}
	// Interrupted before it began.
	if r := s.runAs(t, ctx, func(*app) {}, "retry", id); r.code != exitInterrupted {
		t.Errorf("exit status %d", r.code)
	}
}

// TestProgressBars draws for a person, one bar an image and one for many.
func TestProgressBars(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	args := []string{"submit", "--wait", "--interval", "10ms"}
	for i := range maxBars + 1 {
		args = append(args, s.ECS.AddImage(ecsd.Image{Name: fmt.Sprintf("web-%02d", i)}))
	}
	watched := func(a *app) { a.watches, a.reads, a.width = true, true, 100 }
	r := s.runAs(t, t.Context(), watched, args...)
	r.want(t, exitOK, args)
	if !strings.Contains(r.out, "\x1b[32mexported\x1b[0m") {
		t.Errorf("no colour in %q", r.out)
	}
	few := append(args[:len(args):len(args)], "--force")[:6]
	r = s.runAs(t, t.Context(), func(a *app) { watched(a); a.environ = append(a.environ, "NO_COLOR=1") }, few...)
	r.want(t, exitOK, few)
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("colour in spite of NO_COLOR: %q", r.out)
	}
}

// brokenPipe is an output that nobody reads any more.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.ECS.AddImage(ecsd.Image{})
	for _, args := range [][]string{{"report"}, {"report", "--json"}, {"report", "-o", "csv"}, {"report", "-o", "markdown"}, {"list"}, {"version"}} {
		r := s.runAs(t, t.Context(), func(a *app) { a.out = brokenPipe{} }, args...)
		if r.code != exitError || r.err != "" {
			t.Errorf("%q: exit status %d, %q", args, r.code, r.err)
		}
	}
}

// TestRefused says what to do about missing permissions, keys and buckets.
func TestRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	r := s.wantRun(t, exitError, "list", "--manifest-bucket", "not-there")
	if !strings.Contains(r.err, "NoSuchBucket") || !strings.Contains(r.err, "Create the bucket") {
		t.Errorf("printed %s", r.err)
	}
	r = s.wantRun(t, exitError, "show", "m-unknown")
	if !strings.Contains(r.err, "imageferry submit") {
		t.Errorf("printed %s", r.err)
	}
}

// TestHelp has an example for every command, and the exit statuses.
func TestHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := testApp(&out, io.Discard)
	if code := a.run(t.Context(), []string{"--help"}); code != exitOK {
		t.Fatalf("exit status %d", code)
	}
	for _, want := range []string{"130  interrupted", "Examples:", "submit", "completion", "IMAGEFERRY_LOCAL"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %q:\n%s", want, out.String())
		}
	}
	for _, cmd := range newRoot(a).Commands() {
		if cmd.Long == "" || !strings.Contains(cmd.Example, "imageferry "+cmd.Name()) {
			t.Errorf("%s has no long help or no example", cmd.Name())
		}
		out.Reset()
		if code := testApp(&out, io.Discard).run(t.Context(), []string{cmd.Name(), "--help"}); code != exitOK || !strings.Contains(out.String(), "--help") {
			t.Errorf("%s --help: exit status %d, %s", cmd.Name(), code, out.String())
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.wantRun(t, exitUnmet, "submit", s.ECS.AddImage(ecsd.Image{ID: "m-windows", OSType: "windows"}))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"show", "m-w"}, "m-windows\n"},
		{[]string{"cancel", "m-x"}, ":4\n"},
		{[]string{"list", "--state", "sk"}, "skipped\n"},
		{[]string{"list", "--reason", "quota-w"}, "quota-weekly\n"},
		{[]string{"report", "-o", "m"}, "markdown\n"},
	} {
		if r := s.wantRun(t, exitOK, append([]string{"__complete"}, c.args...)...); !strings.HasPrefix(r.out, c.want) {
			t.Errorf("%q completes to %q", c.args, r.out)
		}
	}
}
