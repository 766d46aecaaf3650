package manifest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

func newIndex(t *testing.T) (*manifest.Index, *manifesttest.Store) {
	store := manifesttest.NewStore(t, layout)
	return manifest.NewIndex(store, layout), store
}

func due(imageID string, after time.Duration) manifest.Marker {
	return manifest.Marker{Due: start.Add(after), Destination: destination(), ImageID: imageID}
}

func TestIndexOrders(t *testing.T) {
	t.Parallel()
	x, store := newIndex(t)
	running := manifest.Marker{TaskID: "t-1", Destination: destination(), ImageID: "m-9"}
	for _, m := range []manifest.Marker{due("m-1", time.Hour), due("m-3", time.Second), due("m-2", time.Second), running, due("m-1", time.Hour)} {
		if err := x.Put(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	store.Plant(string(layout)+"active/queued/somebody's", nil)
	queued, more, err := x.Queued(t.Context(), manifest.Marker{})
	want := []manifest.Marker{due("m-2", time.Second), due("m-3", time.Second), due("m-1", time.Hour)}
	if err != nil || more || !slices.Equal(queued, want) {
		t.Errorf("queued are %+v (more %v, %v), want %+v", queued, more, err, want)
	}
	exporting, more, err := x.Exporting(t.Context(), manifest.Marker{})
	if err != nil || more || !slices.Equal(exporting, []manifest.Marker{running}) {
		t.Errorf("exporting are %+v (more %v, %v)", exporting, more, err)
	}
	for _, m := range []manifest.Marker{want[0], want[0], running} { // twice does no harm
		if err := x.Remove(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	queued, _, err = x.Queued(t.Context(), manifest.Marker{})
	if err != nil || !slices.Equal(queued, want[1:]) {
		t.Errorf("queued are %+v (%v), want %+v", queued, err, want[1:])
	}
}

func TestIndexPages(t *testing.T) {
	t.Parallel()
	x, store := newIndex(t)
	const n = 1500
	for i := range n {
		if err := x.Put(t.Context(), due(fmt.Sprintf("m-%d", i), time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	// More than a page of foreign keys at the front must not hide the rest.
	for i := range 1100 {
		store.Plant(fmt.Sprintf("%sactive/queued/0-foreign/%04d", layout, i), nil)
	}
	var all []manifest.Marker
	after := manifest.Marker{}
	for {
		page, more, err := x.Queued(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if !more {
			break
		}
		after = page[len(page)-1]
	}
	if len(all) != n || !slices.IsSortedFunc(all, func(a, b manifest.Marker) int { return a.Due.Compare(b.Due) }) {
		t.Errorf("%d markers, or out of order", len(all))
	}
}

func TestHold(t *testing.T) {
	t.Parallel()
	x, store := newIndex(t)
	if h, err := x.Hold(t.Context()); h != nil || err != nil {
		t.Errorf("hold is %+v (%v), want none", h, err)
	}
	want := manifest.Hold{Reason: "quota-concurrent", Remedy: "Wait.", Since: start, Until: start.Add(time.Hour), Probes: 2}
	if err := x.PutHold(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if h, err := x.Hold(t.Context()); err != nil || h == nil || *h != want {
		t.Errorf("hold is %+v (%v), want %+v", h, err, want)
	}
	// The hold is not a queued export.
	if queued, _, err := x.Queued(t.Context(), manifest.Marker{}); len(queued) != 0 || err != nil {
		t.Errorf("queued are %+v (%v)", queued, err)
	}
	for range 2 {
		if err := x.RemoveHold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := x.Hold(t.Context()); h != nil || err != nil {
		t.Errorf("hold is %+v (%v), want none", h, err)
	}
	for _, damaged := range []string{"", "{", `{}`, `{"reason":""}`, `[]`} {
		store.Plant(string(layout)+"active/hold", []byte(damaged))
		if h, err := x.Hold(t.Context()); h != nil || err != nil {
			t.Errorf("a hold of %q is %+v (%v), want none", damaged, h, err)
		}
	}
	store.SetFault(failing(manifesttest.Get, "hold", false, errCut))
	if _, err := x.Hold(t.Context()); !errors.Is(err, errCut) {
		t.Errorf("error is %v", err)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	x, store := newIndex(t)
	if ok, err := x.Complete(t.Context()); ok || err != nil {
		t.Errorf("complete is %v (%v)", ok, err)
	}
	if err := x.SetComplete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ok, err := x.Complete(t.Context()); !ok || err != nil {
		t.Errorf("complete is %v (%v)", ok, err)
	}
	store.SetFault(failing(manifesttest.Get, "complete", false, errCut))
	if _, err := x.Complete(t.Context()); !errors.Is(err, errCut) {
		t.Errorf("error is %v", err)
	}
}
