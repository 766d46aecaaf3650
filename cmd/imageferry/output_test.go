package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/report"
)

func at(ago time.Duration) *time.Time {
	t := testNow.Add(-ago)
	return &t
}

func sampleDestination() manifest.Destination {
	return manifest.Destination{Region: "cn-hangzhou", Bucket: testBucket, Prefix: "images", Format: "raw"}
}

// sampleExport is an export whose second attempt succeeded.
func sampleExport() *manifest.Manifest {
	return &manifest.Manifest{
		Schema: manifest.SchemaV1, Revision: 5, State: manifest.Exported, CreatedAt: *at(3 * time.Hour), UpdatedAt: *at(2 * time.Hour),
		Writer: "0f", Destination: sampleDestination(),
		Image: manifest.Image{
			ID: "m-exported", Name: "web-01", OSName: "Ubuntu 24.04", Architecture: "x86_64", CreationTime: at(4 * time.Hour),
			Disks: []manifest.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 20}},
		},
		Trigger: manifest.Trigger{Kind: "cli", Source: "imageferry submit", ID: "acs:ram::1234567890123456:user/ann"},
		Attempts: []manifest.Attempt{
			{Number: 1, StartedAt: *at(3 * time.Hour), EndedAt: at(170 * time.Minute), Outcome: manifest.Broken, TaskID: "t-1", Reason: "task-failed",
				Code: "InternalError", Message: "The snapshot could not be read.", RequestID: "REQUEST-1"},
			{Number: 2, StartedAt: *at(169 * time.Minute), EndedAt: at(2 * time.Hour), Outcome: manifest.Finished, TaskID: "t-2"},
		},
		Task: &manifest.Task{ID: "t-2", Status: "Finished", RecordedAt: *at(169 * time.Minute), FinishedAt: at(121 * time.Minute)},
		Objects: []manifest.Object{
			{Bucket: testBucket, Key: "images_m-exported_system.raw.tar.gz", Role: "system", Size: 5 << 30, CRC64: "123", ETag: "E", Content: "gzip", LastModified: *at(2 * time.Hour)},
			{Bucket: testBucket, Key: "images_m-exported_data_xvdb.raw.tar.gz", Role: "data", Device: "xvdb", Size: 1 << 20, ETag: "F", Content: "gzip", LastModified: *at(2 * time.Hour)},
		},
		Verification: &manifest.Verification{VerifiedAt: *at(2 * time.Hour), Objects: 2, Bytes: 5<<30 + 1<<20},
	}
}

func sampleQueued() *manifest.Manifest {
	return &manifest.Manifest{
		Schema: manifest.SchemaV1, Revision: 2, State: manifest.Queued, Reason: "quota-concurrent", Remedy: "Wait.", Detail: "ExportImage: too many",
		CreatedAt: *at(10 * time.Minute), UpdatedAt: *at(9 * time.Minute), DueAt: at(-time.Minute), Writer: "0e", Destination: sampleDestination(),
		Image: manifest.Image{ID: "m-queued", Name: "镜像-🚢"}, Trigger: manifest.Trigger{Kind: "timer", Source: "sweep"},
	}
}

func sampleStory() story {
	head := sampleExport()
	first, second := head.Clone(), head.Clone()
	first.Revision, first.State, first.UpdatedAt, first.Attempts = 1, manifest.Submitting, *at(3 * time.Hour), first.Attempts[:1]
	second.Revision, second.State, second.UpdatedAt, second.Task.ID = 2, manifest.Exporting, *at(3*time.Hour - time.Second), "t-1"
	third := sampleQueued()
	third.Revision, third.Reason, third.Detail = 3, "task-failed", "InternalError: The snapshot could not be read."
	return story{ImageID: "m-exported", Export: head, Revisions: []revision{
		{Revision: 1, Manifest: first}, {Revision: 2, Manifest: second}, {Revision: 3, Manifest: third},
		{Revision: 4, Error: "read revision 4 of m-exported: not found"}, {Revision: 5, Manifest: head},
	}}
}

func sampleReport() *report.Report {
	late := sampleQueued()
	late.Image.ID = "m-late"
	r := report.Make(report.Input{
		Now: testNow, AccountID: "1234567890123456", Destination: sampleDestination(),
		Images: []manifest.Image{
			{ID: "m-exported", Name: "web-01", Status: "Available", CreationTime: at(4 * time.Hour), SizeGiB: 40},
			{ID: "m-late", Name: "镜像-🚢", Status: "Available", CreationTime: at(72 * time.Hour), SizeGiB: 100},
			{ID: "m-missing", Name: "=cmd|pipe", Status: "Available", CreationTime: at(time.Minute), SizeGiB: 20},
			{ID: "m-windows", Name: "win", Status: "Available", OSType: "windows", CreationTime: at(50 * time.Hour), SizeGiB: 40},
			{ID: "m-tmp", Name: "tmp-1", Status: "Available", CreationTime: at(time.Hour), SizeGiB: 40},
		},
		Exports: map[string]export.Export{
			"m-exported": {ImageID: "m-exported", Manifest: sampleExport()}, "m-late": {ImageID: "m-late", Manifest: late},
			"m-deleted": {ImageID: "m-deleted", Manifest: sampleExport()},
		},
		Wants:         func(name, _ string, _ map[string]string) bool { return !strings.HasPrefix(name, "tmp-") },
		IgnoreSkipped: true,
	})
	all := report.Percent(10000)
	r.Judge(report.Rules{Require: &all, MaxAge: 24 * time.Hour})
	return r
}

func sampleHold() *manifest.Hold {
	return &manifest.Hold{Reason: "quota-concurrent", Remedy: "Wait.", Detail: "ExportImage: too many", Since: *at(time.Hour), Until: *at(0)}
}

// TestOutput compares what people and programs are shown with the files under testdata.
func TestOutput(t *testing.T) {
	t.Parallel()
	list := listing{Exports: []*manifest.Manifest{sampleExport(), sampleQueued()}, Cursor: "m-queued",
		Unreadable: []unreadable{{"m-damaged", "journal-unreadable", "Restore it.", "read manifest: damage"}}}
	results := outcomes{Results: []outcome{
		{Result: export.Result{ImageID: "m-1", Name: "web-01", State: manifest.Exporting, TaskID: "t-1", Revision: 2, New: true}},
		{Result: export.Result{ImageID: "m-2", Name: "web-02", State: manifest.Skipped, Reason: "image-windows", Remedy: "Nothing can be done.", Detail: "windows", Revision: 2}},
		{Result: export.Result{ImageID: "m-3"}, Error: "no answer", err: fmt.Errorf("no answer")},
	}}
	sweep := swept{DryRun: true, Hold: sampleHold(), Results: []outcome{}, Decisions: []export.Decision{
		{ImageID: "m-1", Name: "web-01", Created: at(time.Hour), Action: export.PlanSubmit},
		{ImageID: "m-2", Name: "win", Created: at(time.Hour), Action: export.PlanSkip, Reason: "image-windows", Remedy: "Nothing can be done.", Detail: "the image's OS is windows"},
		{ImageID: "m-3", Name: "tmp-1", Action: export.PlanExclude, Reason: "not-selected", Remedy: "Change FERRY_SELECT_*."},
		{ImageID: "m-4", Name: "web-04", Action: export.PlanKeep, State: manifest.Failed, Reason: "task-failed"},
	}}
	follow := followed{Activity: export.Activity{Exporting: 2, Queued: 1, NextDue: at(-time.Minute)}, Hold: sampleHold(),
		Rounds: []export.Round{{Action: "follow", Seen: 3, Results: []export.Result{results.Results[1].Result}}, {Action: "drain", Seen: 1}}}
	queued := story{ImageID: "m-queued", Export: sampleQueued(), Revisions: []revision{}, Hold: sampleHold()}
	for name, print := range map[string]func(*app) error{
		"list.txt":        func(a *app) error { return a.printListing(list) },
		"list.json":       func(a *app) error { return a.printJSON(list) },
		"show.txt":        func(a *app) error { return a.printStory(sampleStory()) },
		"show-queued.txt": func(a *app) error { return a.printStory(queued) },
		"show.json":       func(a *app) error { return a.printJSON(queued) },
		"report.txt":      func(a *app) error { return a.printCoverage(sampleReport(), "table") },
		"report.csv":      func(a *app) error { return a.printCoverage(sampleReport(), "csv") },
		"report.md":       func(a *app) error { return a.printCoverage(sampleReport(), "markdown") },
		"report.json":     func(a *app) error { return a.printCoverage(sampleReport(), "json") },
		"submit.txt":      func(a *app) error { _ = results.report(a, false); return nil },
		"submit.json":     func(a *app) error { _ = results.report(a, true); return nil },
		"sweep.txt":       func(a *app) error { return (&session{app: a}).printSwept(sweep, false) },
		"sweep.json":      func(a *app) error { return (&session{app: a}).printSwept(sweep, true) },
		"follow.txt":      func(a *app) error { return (&session{app: a}).printFollowed(follow) },
		"follow.json":     func(a *app) error { return a.printJSON(follow) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := print(testApp(&out, &bytes.Buffer{})); err != nil {
				t.Fatal(err)
			}
			golden(t, name, out.String())
		})
	}
}

// TestNarrow cuts lines to the terminal, and colours them.
func TestNarrow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := testApp(&out, &bytes.Buffer{})
	a.reads, a.width = true, 72
	if err := a.printListing(listing{Exports: []*manifest.Manifest{sampleExport(), sampleQueued()}}); err != nil {
		t.Fatal(err)
	}
	golden(t, "list-narrow.txt", out.String())
}

func TestAges(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"36h": 36 * time.Hour, "7d": 168 * time.Hour, "2w": 336 * time.Hour, "1w1d1h30m": 193*time.Hour + 30*time.Minute, "90s": 90 * time.Second,
		"": 0, "0": 0, "-1h": 0, "d": 0, "7": 0, "1d2w": 0, "99999w": 0, "1h d": 0,
	} {
		got, err := parseAge(text)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// TestLeft estimates from the progress that was seen.
func TestLeft(t *testing.T) {
	t.Parallel()
	track := tracked{state: manifest.Exporting, since: testNow.Add(-time.Minute), from: 10, percent: 40}
	if left, ok := track.left(testNow); !ok || left != 2*time.Minute {
		t.Errorf("%v, %v", left, ok)
	}
	track.percent = 10
	if _, ok := track.left(testNow); ok {
		t.Error("an estimate from nothing")
	}
}
