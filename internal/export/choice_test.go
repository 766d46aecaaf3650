package export

import (
	"errors"
	"testing"

	"imageferry/internal/manifest"
)

// Any of the exported images is chosen, and no other, although the index lags behind.
func TestAnyExported(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		if _, err := w.ferry().AnyExported(w.Context()); !errors.Is(err, ErrUnknown) {
			t.Errorf("of none: %v", err)
		}
		w.add("m-1")
		w.add("m-2")
		w.add("m-windows", func(i *manifest.Image) { i.OSType = "windows" })
		for _, id := range []string{"m-1", "m-2", "m-windows"} {
			w.submit(id)
		}
		w.pass(2 * w.cloud.duration)
		w.follow()
		chosen := map[string]int{}
		for range 100 {
			m, err := w.ferry().AnyExported(w.Context())
			if err != nil || m.State != manifest.Exported {
				t.Fatalf("%+v (%v)", m, err)
			}
			chosen[m.Image.ID]++
		}
		if len(chosen) != 2 || chosen["m-1"] == 0 || chosen["m-2"] == 0 {
			t.Errorf("chosen %v", chosen)
		}
	})
}
