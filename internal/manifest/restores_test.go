package manifest_test

import (
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// TestOpenRestores: the mark of a whole index is in the first page of its listing, however many entries there are, and is none.
func TestOpenRestores(t *testing.T) {
	t.Parallel()
	var store manifesttest.Memory
	const region = "cn-hangzhou"
	layout := manifest.Layout("imageferry/")
	at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1001 {
		o := manifest.Open{BegunAt: at.Add(time.Duration(i) * time.Second), Name: "web-01", ID: "0123456789abcdef"}
		if err := store.Put(t.Context(), layout.Open(region, o), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bool{false, true} {
		all, whole, err := manifest.OpenRestores(t.Context(), &store, layout, region)
		if err != nil || whole != want || len(all) < 999 || !all[0].BegunAt.Equal(at) {
			t.Errorf("%d entries, whole: %t (%v)", len(all), whole, err)
		}
		if err := store.Put(t.Context(), layout.OpenComplete(region), nil); err != nil {
			t.Fatal(err)
		}
	}
}
