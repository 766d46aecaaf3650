package restore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// empty removes all of active/, as somebody may who takes it for rubbish.
func (w *world) empty() {
	w.t.Helper()
	keys, _, err := w.journal.List(context.Background(), "imageferry/active/", "", 1000)
	if err != nil || len(keys) == 0 {
		w.t.Fatalf("the index has %q (%v)", keys, err)
	}
	for _, key := range keys {
		if err := w.journal.Delete(context.Background(), key); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestEmptied takes the index away from a restore that is at work: rounds alone find and finish it, whatever call the process
// that writes the index anew is killed at, before and after it is applied.
func TestEmptied(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for at, calls := 0, 1; at < calls; at++ {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.exported(1, "raw")
				r := w.restorer()
				if record, err := r.Run(t.Context(), ordered(m, Options{})(r)); err != nil || record.State != Importing {
					t.Fatalf("%+v (%v)", record, err)
				}
				w.empty()
				w.calls, w.killAt, w.after = nil, at, after
				open, err := w.restorer().Open(t.Context())
				calls = max(calls, len(w.calls))
				if w.dead != (err != nil) || err == nil && (len(open) != 1 || open[0].Name != "web-01") {
					t.Errorf("open restores %+v (%v)", open, err)
				}
				w.killAt = -1
				w.checkRestored(w.rounds("web-01"), 1, "RAW")
				w.checkNothingLeft()
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

// Nothing is written anew twice, and what is over does not come back.
func TestRebuiltOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		over := w.run(ordered(m, Options{}))
		r := w.restorer()
		queued, err := r.Queue(t.Context(), ordered(m, Options{Name: "web-02"})(r))
		if err != nil {
			t.Fatal(err)
		}
		w.empty()
		for _, want := range []int{2, 0} { // the entry and the mark, by the first round alone
			w.calls = nil
			open, err := w.restorer().Open(t.Context())
			if err != nil || len(open) != 1 || open[0].Record.ID != queued.ID || open[0].Name == over.Name {
				t.Fatalf("open restores %+v (%v)", open, err)
			}
			if puts := w.count("Put"); puts != want {
				t.Errorf("%d keys were written, want %d", puts, want)
			}
		}
		keys, _, err := w.journal.List(t.Context(), "imageferry/active/", "", 10)
		entry := layout.Open(region, manifest.Open{BegunAt: queued.BegunAt, Name: queued.Name, ID: queued.ID})
		if err != nil || !slices.Equal(keys, []string{layout.OpenComplete(region), entry}) {
			t.Errorf("the index has %q (%v)", keys, err)
		}
	})
}

// Who may not list leaves the index as it is, says why, and does not take it for whole.
func TestRebuildForbidden(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		r := w.restorer()
		if _, err := r.Queue(t.Context(), ordered(m, Options{})(r)); err != nil {
			t.Fatal(err)
		}
		w.empty()
		for _, call := range []string{"List", "Put"} {
			refused := &export.CallError{Op: call, Code: "AccessDenied", Status: 403}
			w.refuse = map[string]error{call: refused}
			if _, err := w.restorer().ResumeAll(t.Context()); !errors.Is(err, refused) {
				t.Errorf("without the permission to %s: %v", call, err)
			}
		}
		w.refuse = map[string]error{}
		w.checkRestored(w.rounds("web-01"), 1, "RAW")
	})
}

// What cannot be read keeps nobody from writing the index anew.
func TestRebuildUnreadable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		r := w.restorer()
		if _, err := r.Queue(t.Context(), ordered(m, Options{})(r)); err != nil {
			t.Fatal(err)
		}
		w.empty()
		for key, data := range map[string]string{
			layout.Restores(region) + "broken.json": "{", layout.RestoreJournal(region, "broken") + "00000001.json": "{",
			layout.Restores(region) + "not a name.json": "x",
		} {
			if err := w.journal.Put(t.Context(), key, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		open, err := w.restorer().Open(t.Context())
		if err != nil || len(open) != 1 || open[0].Name != "web-01" {
			t.Errorf("open restores %+v (%v)", open, err)
		}
	})
}
