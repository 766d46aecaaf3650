package restore

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/manifest"
)

// TestQueued asks for a restore once, and lets rounds alone carry it, each a process of its own with little time, one of which
// is killed: at each call, before and after it is applied.
func TestQueued(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for at, calls := 0, 1; at < calls; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.exported(1, "raw")
				w.killAt, w.after = at, after
				for range 3 { // whoever gets no answer asks again
					r := w.restorer()
					record, err := r.Queue(t.Context(), ordered(m, Options{})(r))
					if err != nil {
						continue
					}
					if record.State != Queued || record.Reason != notBegun || record.Remedy == "" || record.DueAt == nil {
						t.Fatalf("%s %s", record.State, record.Reason)
					}
					if w.count("ImportImage")+w.count("PutObject") > 0 {
						t.Error("asking alone is to do nothing")
					}
					break
				}
				record := w.rounds("web-01")
				calls = max(calls, len(w.calls))
				w.checkRestored(record, 1, "RAW")
				w.checkNothingLeft()
				w.checkJournal("web-01")
				if t.Failed() {
					t.Logf("killed at call %d of %d, %s, applied %t", at, calls, w.calls[at], after)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
}

// rounds lets processes with five minutes each go on with what the index names until nothing is left there.
func (w *world) rounds(name string) *Record {
	w.t.Helper()
	for range 60 {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
		r := w.restorer()
		_, err := r.ResumeAll(ctx)
		cancel()
		if err == nil {
			open, err := r.Open(w.t.Context())
			if err == nil && len(open) == 0 {
				break
			}
		}
		time.Sleep(5 * time.Minute)
	}
	w.killAt = -1
	time.Sleep(2 * entering) // what was entered by somebody who died before the first revision is over then
	if _, err := w.restorer().Open(w.t.Context()); err != nil {
		w.t.Error(err)
	}
	w.checkIndexEmpty()
	record, err := w.restorer().Get(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return record
}

// checkIndexEmpty finds nothing in the index but that it is whole.
func (w *world) checkIndexEmpty() {
	w.t.Helper()
	keys, _, err := w.journal.List(context.Background(), "imageferry/active/", "", 10)
	if err != nil || !slices.Equal(keys, []string{layout.OpenComplete(region)}) {
		w.t.Errorf("the index has %q (%v)", keys, err)
	}
}

// A round with nothing to do is one list call.
func TestEmptyRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(ordered(w.exported(1, "raw"), Options{}))
		if _, err := w.restorer().ResumeAll(t.Context()); err != nil { // the first one finds an index that nobody has begun
			t.Fatal(err)
		}
		w.calls = nil
		if worked, err := w.restorer().ResumeAll(t.Context()); err != nil || len(worked) > 0 || !slices.Equal(w.calls, []string{"List"}) {
			t.Errorf("%+v (%v) with the calls %q", worked, err, w.calls)
		}
	})
}

// An entry of the index that fits nothing stays for as long as somebody may be about to begin, and is removed then.
func TestStaleEntry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := w.restorer()
		key := layout.Open(region, manifest.Open{BegunAt: time.Now(), Name: "web-01", ID: "0123456789abcdef"})
		foreign := "imageferry/active/restores/" + region + "/notes.txt"
		for _, k := range []string{key, foreign} {
			if err := w.journal.Put(t.Context(), k, nil); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []int{3, 2} { // with the mark that it is whole
			open, err := r.Open(t.Context())
			keys, _, listErr := w.journal.List(t.Context(), "imageferry/active/", "", 10)
			if err != nil || listErr != nil || len(open) > 0 || len(keys) != want {
				t.Errorf("open %+v (%v), keys %q (%v), want %d", open, err, keys, listErr, want)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

// What a restore has left that nobody goes on with is removed when it is old, and not before.
func TestClean(t *testing.T) {
	t.Parallel()
	unpacking := 0
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run(ordered(w.exported(1, "raw"), Options{}))
		unpacking = slices.Index(w.calls, "Complete")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		w.killAt = unpacking
		r := w.restorer()
		_, _ = r.Run(t.Context(), ordered(m, Options{})(r))
		if !w.dead {
			t.Fatal("it was not killed")
		}
		for _, old := range []bool{false, true} {
			cleaned, err := w.restorer().Clean(t.Context(), golden)
			if err != nil || (cleaned.Targets == 1) != old {
				t.Errorf("cleaned %+v (%v)", cleaned, err)
			}
			time.Sleep(2 * abandoned)
		}
		w.checkNothingLeft()
		// Whoever goes on after all begins with the unpacking anew.
		w.checkRestored(w.run(ordered(m, Options{})), 1, "RAW")
	})
}
