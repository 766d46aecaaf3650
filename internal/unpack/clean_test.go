package unpack_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

func TestDiscardRemovesEverything(t *testing.T) {
	t.Parallel()
	content := disk(resumePattern, 0)
	for name, at := range map[string]int{"finished": -1, "unfinished": 20, "hardly begun": 9} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pack(t, content))
			store := &unpacktest.Failing{At: at, Store: b.memory}
			if _, err := b.run(store, int64(len(content))); (err == nil) != (at < 0) {
				t.Fatal(err)
			}
			if len(b.keys()) == 0 {
				t.Fatal("there is nothing to discard")
			}
			u := b.unpacker(nil, nil, unpack.Options{})
			for range 2 {
				if err := u.Discard(t.Context(), targetKey); err != nil {
					t.Fatal(err)
				}
				b.wantKeys()
			}
		})
	}
}

// Discard may be killed, too; repeated, it removes the rest.
func TestDiscardIsRepeatable(t *testing.T) {
	t.Parallel()
	content := disk(resumePattern, 0)
	for at := range 12 {
		b := newBench(t, pack(t, content))
		if _, err := b.run(nil, int64(len(content))); err != nil {
			t.Fatal(err)
		}
		store := &unpacktest.Failing{At: at, Store: b.memory}
		err := b.unpacker(nil, store, unpack.Options{}).Discard(t.Context(), targetKey)
		if err == nil && len(store.Calls()) > at {
			t.Errorf("call %d failed, and Discard did not", at)
		}
		if err := b.unpacker(nil, nil, unpack.Options{}).Discard(t.Context(), targetKey); err != nil {
			t.Fatal(err)
		}
		b.wantKeys()
	}
}

func TestCleanRemovesWhatIsAbandoned(t *testing.T) {
	t.Parallel()
	content := disk(resumePattern, 0)
	b := newBench(t, pack(t, content))
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	b.memory.Now = func() time.Time { return now }
	run := func(key string, at int) {
		t.Helper()
		store := &unpacktest.Failing{At: at, Store: b.memory}
		_, err := b.unpacker(nil, store, unpack.Options{}).Run(t.Context(), b.source, unpack.Target{Key: key})
		if (err == nil) != (at < 0) {
			t.Fatal(err)
		}
	}
	run("restore/finished.raw", -1)
	run("restore/abandoned.raw", 20)
	run("elsewhere/abandoned.raw", 20)
	if _, err := b.memory.Begin(t.Context(), "restore/foreign.raw"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.memory.Put(t.Context(), "restore/notes.unpack/notes", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	now = now.Add(72 * time.Hour)
	run("restore/in work.raw", 20)
	before := b.keys()

	cutoff := now.Add(-48 * time.Hour)
	done, err := unpack.Clean(t.Context(), b.memory, "restore/", cutoff)
	if err != nil {
		t.Fatal(err)
	}
	if want := (unpack.Cleaned{Targets: 1, Uploads: 1, Objects: 2}); done != want {
		t.Errorf("cleaned %+v, not %+v", done, want)
	}
	want := slices.DeleteFunc(before, func(key string) bool { return strings.Contains(key, "restore/abandoned.raw") })
	b.wantKeys(want...)
	if again, err := unpack.Clean(t.Context(), b.memory, "restore/", cutoff); err != nil || again != (unpack.Cleaned{}) {
		t.Errorf("cleaned again %+v, %v", again, err)
	}
}
