package manifest

import (
	"slices"
	"testing"
	"time"
)

func testEnding() Ending {
	return Ending{At: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC), State: Exported, Took: 21 * time.Minute, Bytes: 8 << 30,
		Revision: 3, Destination: testDestination(), ImageID: "m-1"}
}

func TestEndingRoundTrip(t *testing.T) {
	t.Parallel()
	bare := testEnding()
	bare.Destination.Prefix = ""
	skipped := testEnding()
	skipped.State, skipped.Reason, skipped.Took, skipped.Bytes = Skipped, "image-windows", 0, 0
	for _, want := range []Ending{testEnding(), bare, skipped} {
		for _, layout := range []Layout{testLayout, "", "a/b/"} {
			if got, ok := layout.parseEnding(layout.ending(want)); !ok || got != want {
				t.Errorf("%s is read as %+v (%v), want %+v", layout.ending(want), got, ok, want)
			}
		}
	}
	const key = "imageferry/active/ended/8204568399/exported/-/1260/8589934592/00000003/cn-hangzhou/golden-images/nightly/qcow2/m-1"
	if got := testLayout.EndingKey(testEnding()); got != key {
		t.Errorf("key is\n%s, want\n%s", got, key)
	}
}

func TestForeignKeysAreNoEndings(t *testing.T) {
	t.Parallel()
	const rest = "/cn-hangzhou/golden-images/-/raw/m-1"
	for _, key := range []string{
		"imageferry/active/ended/",
		"imageferry/active/ended/8204568399/exported/-/1260/8589934592/3" + rest,                     // another spelling of the revision
		"imageferry/active/ended/8204568399/exporting/-/1260/8589934592/00000003" + rest,             // not an end
		"imageferry/active/ended/8204568399/exported/-/01260/8589934592/00000003" + rest,             // a needless zero
		"imageferry/active/ended/8204568399/exported/-/-5/8589934592/00000003/r/b/-/raw/",            // no image
		"imageferry/active/ended/8204568399/exported/-/9223372036854775807/1/00000003" + rest,        // longer than time is
		"imageferry/active/ended/8204568399/exported/-/99999999999999999999/1/00000003" + rest,       // no number
		"imageferry/active/ended/x/exported/-/1260/8589934592/00000003" + rest,                       //
		"imageferry/active/queued/8204568399/exported/-/1260/8589934592/00000003" + rest,             // another section
		"elsewhere/active/ended/8204568399/exported/-/1260/8589934592/00000003" + rest,               // another layout
		"imageferry/active/ended/8204568399/exported/-/1260/8589934592/00000003" + rest + "/further", // a segment too many
	} {
		if e, ok := testLayout.parseEnding(key); ok {
			t.Errorf("%q is read as %+v", key, e)
		}
	}
}

// The newest end is the first that OSS lists.
func TestEndingsSortNewestFirst(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, before := range []time.Duration{-24 * time.Hour, 0, time.Second, time.Minute, 365 * 24 * time.Hour} {
		e := testEnding()
		e.At = e.At.Add(-before)
		keys = append(keys, testLayout.ending(e))
	}
	if !slices.IsSorted(keys) {
		t.Errorf("keys are %q", keys)
	}
}

func TestEndingOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 11, 0, 0, 123, time.UTC)
	m := &Manifest{State: Exported, Revision: 3, Destination: testDestination(), Image: Image{ID: "m-1"}, UpdatedAt: at,
		Attempts:     []Attempt{{StartedAt: at.Add(-time.Hour)}, {StartedAt: at.Add(-21*time.Minute - time.Millisecond)}},
		Verification: &Verification{Bytes: 8 << 30}}
	if got, over := EndingOf(m); !over || got != testEnding() {
		t.Errorf("the end is %+v (%v)", got, over)
	}
	for _, state := range []State{Queued, Submitting, Exporting} {
		m.State = state
		if e, over := EndingOf(m); over {
			t.Errorf("%s has the end %+v", state, e)
		}
	}
}

func FuzzParseEnding(f *testing.F) {
	f.Add(testLayout.ending(testEnding()))
	f.Fuzz(func(t *testing.T, key string) {
		if e, ok := testLayout.parseEnding(key); ok && testLayout.ending(e) != key {
			t.Errorf("%q is read as %+v", key, e)
		}
	})
}

func testNotice() Notice {
	at := time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)
	return Notice{Due: at.Add(5), Since: at, Revision: 3, Destination: testDestination(), ImageID: "m-1"}
}

func TestNoticeRoundTrip(t *testing.T) {
	t.Parallel()
	want := testNotice()
	if got, ok := testLayout.parseNotice(testLayout.notice(want)); !ok || got != want {
		t.Errorf("%s is read as %+v (%v), want %+v", testLayout.notice(want), got, ok, want)
	}
	for _, key := range []string{
		"imageferry/active/notices/",
		"imageferry/active/notices/20261123T110000.000000005Z/1795431600/00000000/r/b/-/raw/m-1", // no revision
		"imageferry/active/notices/20261123T110000Z/1795431600/00000003/r/b/-/raw/m-1",           // another spelling
		"imageferry/active/notices/20261123T110000.000000005Z/x/00000003/r/b/-/raw/m-1",          //
		"imageferry/active/queued/20261123T110000.000000005Z/1795431600/00000003/r/b/-/raw/m-1",  // another section
	} {
		if n, ok := testLayout.parseNotice(key); ok {
			t.Errorf("%q is read as %+v", key, n)
		}
	}
}
