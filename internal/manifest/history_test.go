package manifest_test

import (
	"errors"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// TestHistory shows every revision, also around one that is damaged or gone.
func TestHistory(t *testing.T) {
	t.Parallel()
	store := new(manifesttest.Memory)
	layout := manifest.Layout("x/")
	at := manifest.Destination{Region: "cn-hangzhou", Bucket: "b-1", Format: "raw"}
	journal := manifest.NewJournal(store, layout)
	if _, err := journal.History(t.Context(), at, "m-1"); !errors.Is(err, manifest.ErrNotFound) {
		t.Errorf("no journal: %v", err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for n := 1; n <= 12; n++ {
		m := &manifest.Manifest{
			Revision: n, State: manifest.Skipped, Reason: "image-windows", Remedy: "None.", CreatedAt: now, UpdatedAt: now,
			Destination: at, Image: manifest.Image{ID: "m-1"}, Trigger: manifest.Trigger{Kind: "cli"},
		}
		if err := journal.Append(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Put(t.Context(), layout.Journal(at, "m-1")+"00000003.json", []byte("damage")); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), layout.Journal(at, "m-1")+"00000005.json"); err != nil {
		t.Fatal(err)
	}
	entries, err := journal.History(t.Context(), at, "m-1")
	if err != nil || len(entries) != 12 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, e := range entries {
		var want error
		switch e.Revision {
		case 3:
			want = manifest.ErrUnreadable
		case 5:
			want = manifest.ErrNotFound
		}
		if e.Revision != i+1 || !errors.Is(e.Err, want) || (e.Manifest == nil) != (want != nil) {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
	// A foreign key with a huge number does not make a huge history.
	if err := store.Put(t.Context(), layout.Journal(at, "m-1")+"99999999.json", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.History(t.Context(), at, "m-1"); !errors.Is(err, manifest.ErrUnreadable) {
		t.Errorf("a huge revision: %v", err)
	}
}
