package manifest_test

import (
	"errors"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

// A manifest may be one revision ahead of its journal, but not of a journal that began at another time.
func TestHeadOfAJournalThatBeganAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		later time.Duration
		want  error
	}{"same beginning": {0, nil}, "another beginning": {time.Second, manifest.ErrUnreadable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, _ := newJournal(t)
			publish(t, j, queued("m-1", 2))
			m := queued("m-1", 1)
			m.CreatedAt = m.CreatedAt.Add(c.later)
			if err := j.Append(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if head, err := j.Head(t.Context(), destination(), "m-1"); !errors.Is(err, c.want) {
				t.Errorf("head is %+v (%v), want %v", head, err, c.want)
			}
		})
	}
}

// A revision that a listing shows, and that is gone when it is read, was deleted: the export is not a new one.
func TestHeadOfARevisionThatIsGone(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	appendAll(t, j, "m-1", 2)
	store.SetFault(failing("get", "00000002.json", false, manifest.ErrNotFound))
	if head, err := j.Head(t.Context(), destination(), "m-1"); !errors.Is(err, manifest.ErrUnreadable) {
		t.Errorf("head is %+v (%v)", head, err)
	}
}

// What stands under a manifest's key belongs to the export of that key, or is no manifest.
func TestPublishedOfAnotherExport(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	elsewhere := queued("m-1", 1)
	elsewhere.Destination.Bucket = "elsewhere"
	for name, m := range map[string]*manifest.Manifest{"image": queued("m-2", 1), "destination": elsewhere} {
		store.Plant(layout.Manifest(destination(), "m-1"), encode(t, m))
		if got, err := j.Published(t.Context(), destination(), "m-1"); !errors.Is(err, manifest.ErrUnreadable) {
			t.Errorf("of another %s: %+v (%v)", name, got, err)
		}
	}
}
