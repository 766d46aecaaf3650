package manifest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const testLayout Layout = "imageferry/"

func testDestination() Destination {
	return Destination{Region: "cn-hangzhou", Bucket: "golden-images", Prefix: "nightly", Format: "qcow2"}
}

func TestLayoutKeys(t *testing.T) {
	t.Parallel()
	d := testDestination()
	bare := Destination{Region: "cn-hangzhou", Bucket: "golden-images", Format: "raw"}
	due := time.Date(2026, 11, 23, 19, 0, 0, 5, time.FixedZone("", 8*3600))
	for got, want := range map[string]string{
		revisionKey(testLayout.revisions(d, "m-1"), 7):    "imageferry/journal/cn-hangzhou/golden-images/nightly/qcow2/m-1/00000007.json",
		revisionKey(testLayout.revisions(bare, "m-1"), 7): "imageferry/journal/cn-hangzhou/golden-images/-/raw/m-1/00000007.json",
		revisionKey(Layout("").revisions(bare, "m-1"), 1): "journal/cn-hangzhou/golden-images/-/raw/m-1/00000001.json",
		testLayout.Journal(d, "m-1"):                      "imageferry/journal/cn-hangzhou/golden-images/nightly/qcow2/m-1/",
		testLayout.Manifest(d, "m-1"):                     "imageferry/manifests/cn-hangzhou/golden-images/nightly/qcow2/m-1.json",
		testLayout.Manifests(d):                           "imageferry/manifests/cn-hangzhou/golden-images/nightly/qcow2/",
		testLayout.hold():                                 "imageferry/active/hold",
		testLayout.marker(Marker{Due: due, Destination: d, ImageID: "m-1"}): "imageferry/active/queued/" +
			"20261123T110000.000000005Z/cn-hangzhou/golden-images/nightly/qcow2/m-1",
		testLayout.marker(Marker{TaskID: "t-1", Destination: bare, ImageID: "m-1"}): "imageferry/active/exporting/" +
			"t-1/cn-hangzhou/golden-images/-/raw/m-1",
	} {
		if got != want {
			t.Errorf("key is\n%s, want\n%s", got, want)
		}
	}
}

func TestMarkerRoundTrip(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 11, 23, 11, 0, 0, 1, time.UTC)
	bare := Destination{Region: "eu-central-1", Bucket: "b-1", Format: "raw"}
	for _, want := range []Marker{
		{Due: due, Destination: testDestination(), ImageID: "m-1"},
		{Due: due.Add(time.Hour), Destination: bare, ImageID: "m-2"},
		{TaskID: "t-bp1", Destination: bare, ImageID: "m-2"},
		{TaskID: "a/strange id%2F", Destination: testDestination(), ImageID: "m-3"},
	} {
		for _, layout := range []Layout{testLayout, "", "a/b/"} {
			got, ok := layout.parseMarker(layout.marker(want))
			if !ok || got != want {
				t.Errorf("%s is read as %+v (%v), want %+v", layout.marker(want), got, ok, want)
			}
		}
	}
}

func TestForeignKeysAreNoMarkers(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"",
		"imageferry/active/hold",
		"imageferry/active/complete",
		"imageferry/active/queued/",
		"imageferry/active/queued/20261123T110000.000000000Z/r/b/-/raw",           // no image
		"imageferry/active/queued/20261123T110000.000000000Z/r/b/-/raw/m-1/x",     // a segment too many
		"imageferry/active/queued/20261123T110000Z/r/b/-/raw/m-1",                 // another spelling of the time
		"imageferry/active/queued/2026-11-23T11:00:00.000000000Z/r/b/-/raw/m-1",   //
		"imageferry/active/queued/20261123T110000.000000000Z/r/b//raw/m-1",        // an empty prefix is spelled "-"
		"imageferry/active/exporting//r/b/-/raw/m-1",                              // no task
		"imageferry/active/exporting/t-1%2/r/b/-/raw/m-1",                         // a broken escape
		"imageferry/active/exporting/%742d1/r/b/-/raw/m-1",                        // a needless escape
		"elsewhere/active/queued/20261123T110000.000000000Z/r/b/-/raw/m-1",        // another layout
		"imageferry/journal/20261123T110000.000000000Z/r/b/-/raw/m-1",             // another prefix
		"imageferry/active/queued/20261123T110000.000000000Z/r/b/-/raw/",          // an empty image id
		"imageferry/active/queued/20261399T110000.000000000Z/r/b/nightly/raw/m-1", // no such day
	} {
		if m, ok := testLayout.parseMarker(key); ok {
			t.Errorf("%q is read as %+v", key, m)
		}
	}
}

// The queue is worked in the order in which OSS lists it.
func TestQueuedMarkersSortByDueTime(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	var keys []string
	for _, after := range []time.Duration{-24 * time.Hour, 0, 1, time.Microsecond, time.Second, 9 * time.Minute, 60 * 24 * time.Hour} {
		keys = append(keys, testLayout.marker(Marker{Due: base.Add(after), Destination: testDestination(), ImageID: "m-1"}))
	}
	if !slices.IsSorted(keys) {
		t.Errorf("keys do not sort as their times do:\n%s", strings.Join(keys, "\n"))
	}
}

func TestMarkerOf(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	for state, want := range map[State]Marker{
		Queued:     {Due: due, Destination: testDestination(), ImageID: "m-1"},
		Submitting: {Due: due, Destination: testDestination(), ImageID: "m-1"},
		Exporting:  {TaskID: "t-1", Destination: testDestination(), ImageID: "m-1"},
		Exported:   {},
		Skipped:    {},
		Failed:     {},
		Cancelled:  {},
	} {
		m := &Manifest{State: state, Destination: testDestination(), Image: Image{ID: "m-1"}, DueAt: &due, Task: &Task{ID: "t-1"}}
		got, ok := MarkerOf(m)
		if got != want || ok == state.Terminal() {
			t.Errorf("%s calls for %+v (%v), want %+v", state, got, ok, want)
		}
	}
}

func TestKeysOfRevisionsAndManifests(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"00000001.json": 1, "99999999.json": 99999999, "100000000.json": 100000000,
		"00000000.json": 0, "1.json": 0, "00000001": 0, "00000001.json.bak": 0, "0000000x.json": 0, "000000001.json": 0, "+0000001.json": 0, "-0000001.json": 0, "x/00000001.json": 0, "": 0,
	} {
		if n, ok := revisionOf("journal/"+name, "journal/"); ok != (want != 0) || ok && n != want {
			t.Errorf("%s is revision %d (%v), want %d", name, n, ok, want)
		}
	}
	for name, want := range map[string]string{"m-1.json": "m-1", ".json": "", "m-1": "", "x/m-1.json": "", "": ""} {
		if id, ok := imageOf("manifests/"+name, "manifests/"); ok != (want != "") || ok && id != want {
			t.Errorf("%s belongs to image %q (%v), want %q", name, id, ok, want)
		}
	}
}

func FuzzParseMarker(f *testing.F) {
	f.Add("imageferry/active/queued/20261123T110000.000000000Z/cn-hangzhou/golden-images/-/raw/m-1")
	f.Add("imageferry/active/exporting/t-1/cn-hangzhou/golden-images/nightly/qcow2/m-1")
	f.Add("imageferry/active/exporting/t%2F1/r/b/-/raw/m-1")
	f.Add("imageferry/active/hold")
	f.Fuzz(func(t *testing.T, key string) {
		m, ok := testLayout.parseMarker(key)
		if !ok {
			return
		}
		if again := testLayout.marker(m); again != key {
			t.Errorf("%q is spelled %q", key, again)
		}
		if m.TaskID != "" && !m.Due.IsZero() {
			t.Errorf("%q is both queued and exporting", key)
		}
	})
}
