package restore

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/manifest"
)

func namesOf(records []*Record) (names []string) {
	for _, r := range records {
		names = append(names, r.Name)
	}
	return names
}

// TestReading: who looks sees what has not ended, and all that there was of an export, and writes nothing.
func TestReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		w.run(ordered(m, Options{}))
		w.run(ordered(m, Options{Rehearsal: true}))
		other := *m
		other.Image.ID, other.Image.Name = "m-other", "other"
		w.run(ordered(&other, Options{Rehearsal: true}))
		r := w.restorer()
		for _, order := range []Order{ordered(m, Options{Name: "web-02"})(r), ordered(&other, Options{})(r)} {
			if _, err := r.Queue(t.Context(), order); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// An entry that is stale, one whose restore has another id by now, and what is not ours.
		stale := layout.Open(region, manifest.Open{BegunAt: time.Now(), Name: "web-01", ID: "0123456789abcdef"})
		for key, data := range map[string]string{stale: "", layout.Restores(region) + "broken.json": "{", layout.Restores(region) + "no name.json": "{"} {
			if err := w.journal.Put(t.Context(), key, []byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		w.calls = nil
		work, err := r.AtWork(t.Context())
		if got := namesOf(work); err != nil || !slices.Equal(got, []string{"web-02", "other"}) {
			t.Errorf("at work are %q (%v)", got, err)
		}
		for id, want := range map[string][]string{
			"m-golden": {"web-02", RehearsalName("m-golden"), "web-01"}, "m-other": {"other", RehearsalName("m-other")}, "m-none": nil,
		} {
			its, err := r.Of(t.Context(), id)
			if got := namesOf(its); err != nil || !slices.Equal(got, want) {
				t.Errorf("of %s are %q (%v), want %q", id, got, err, want)
			}
		}
		if n := w.count("Put") + w.count("Create") + w.count("Delete"); n > 0 {
			t.Errorf("%d writes", n)
		}
	})
}
