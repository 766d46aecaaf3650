package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// recent walks through all pages of a list.
func (w *world) recent(filter Filter, limit int) (ids []string) {
	w.Helper()
	cursor := ""
	for range 1000 {
		page, err := w.ferry().Recent(w.Context(), filter, cursor, limit)
		if err != nil {
			w.Fatal(err)
		}
		if len(page.Exports) > limit {
			w.Errorf("%d exports on a page of %d", len(page.Exports), limit)
		}
		for _, m := range page.Exports {
			ids = append(ids, m.Image.ID)
		}
		if cursor = page.Cursor; cursor == "" {
			return ids
		}
	}
	w.Fatal("the list has no end")
	return nil
}

// someOfEach leaves exports in every state that rests, and returns their images in the order of a list.
func (w *world) someOfEach() []string {
	w.Helper()
	w.sweep(SweepOrder{})
	for i := range 6 {
		w.add(fmt.Sprintf("m-done-%d", i))
		w.submit(fmt.Sprintf("m-done-%d", i))
		w.add(fmt.Sprintf("m-win-%d", i), func(image *manifest.Image) { image.OSType = "windows" })
		w.submit(fmt.Sprintf("m-win-%d", i))
		w.pass(time.Hour)
	}
	for i := range 3 {
		w.add(fmt.Sprintf("m-running-%d", i))
		w.submit(fmt.Sprintf("m-running-%d", i))
	}
	for i := range 3 {
		time.Sleep(time.Second)
		w.add(fmt.Sprintf("m-waiting-%d", i), func(image *manifest.Image) { image.Status = "Creating" })
		w.submit(fmt.Sprintf("m-waiting-%d", i))
	}
	order := []string{"m-running-0", "m-running-1", "m-running-2", "m-waiting-0", "m-waiting-1", "m-waiting-2"}
	for i := 5; i >= 0; i-- {
		order = append(order, fmt.Sprintf("m-done-%d", i), fmt.Sprintf("m-win-%d", i))
	}
	return order
}

func TestRecent(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		order := w.someOfEach()
		with := func(part string) []string {
			return slices.DeleteFunc(slices.Clone(order), func(id string) bool { return !strings.Contains(id, part) })
		}
		for _, limit := range []int{1, 2, 3, 6, 7, 100} {
			for filter, want := range map[Filter][]string{
				{}:                               order,
				{State: manifest.Exported}:       with("done"),
				{State: manifest.Skipped}:        with("win"),
				{State: manifest.Exporting}:      with("running"),
				{State: manifest.Queued}:         with("waiting"),
				{State: manifest.Failed}:         nil,
				{Reason: imageWindows}:           with("win"),
				{Reason: imageNotAvailable}:      with("waiting"),
				{Name: "NAME OF M-DONE"}:         with("done"),
				{Name: "win-3"}:                  {"m-win-3"},
				{Name: "nobody has this"}:        nil,
				{State: "exported", Name: "win"}: nil,
			} {
				if got := w.recent(filter, limit); !slices.Equal(got, want) {
					t.Errorf("%+v, %d a page:\n%q, want\n%q", filter, limit, got, want)
				}
			}
		}
	})
}

// An export that has begun again, and whose old end was left behind in the index, is told once.
func TestRecentPassesOverWhatWasLeftBehind(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		w.pass(time.Hour)
		old, _ := manifest.EndingOf(w.head("m-1"))
		w.force("m-1")
		w.wantMarkers("m-1") // it is removed
		w.plantObject(strings.TrimPrefix(testLayout.EndingKey(old), string(testLayout)), nil)
		w.plantObject("active/ended/somebody's", nil)
		if got := w.recent(Filter{}, 10); !slices.Equal(got, []string{"m-1"}) {
			t.Errorf("listed are %q", got)
		}
		overview, err := w.ferry().Overview(w.Context())
		if err != nil || overview.Total != 1 || overview.States[manifest.Exporting] != 1 {
			t.Errorf("the overview is %+v (%v)", overview, err)
		}
		w.pass(time.Hour)
		if got := w.recent(Filter{}, 10); !slices.Equal(got, []string{"m-1"}) {
			t.Errorf("listed are %q", got)
		}
		if overview, err := w.ferry().Overview(w.Context()); err != nil || overview.Total != 1 || overview.Bytes != w.head("m-1").Verification.Bytes {
			t.Errorf("the overview is %+v (%v)", overview, err)
		}
		w.store.Uproot(testLayout.EndingKey(old))
	})
}

func TestRecentTellsOfUnreadableJournals(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, id := range []string{"m-1", "m-2"} {
			w.add(id)
			w.submit(id)
		}
		w.pass(time.Hour)
		good := w.store.Object(w.manifestKey("m-1"))
		w.plantObject(w.manifestKey("m-1"), []byte("{"))
		w.plantObject(w.revisionKey("m-1", w.head("m-2").Revision), []byte("{"))
		page, err := w.ferry().Recent(w.Context(), Filter{}, "", 10)
		if err != nil || len(page.Exports) != 1 || len(page.Unreadable) != 1 || page.Unreadable[0].Reason != journalUnreadable {
			t.Errorf("the page is %+v (%v)", page, err)
		}
		w.plantObject(w.revisionKey("m-1", w.head("m-2").Revision), good)
		w.plantObject(w.manifestKey("m-1"), good)
	})
}

func TestRecentRefusesStrangeCursors(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, cursor := range []string{
			"m-1", "*", "AAAA",
			place{section: "hold", after: "imageferry/active/hold/"}.String(),
			place{section: manifest.Over, after: "imageferry/journal/"}.String(),
			place{section: manifest.Over, after: "imageferry/active/queued/x"}.String(),
			place{section: manifest.Over, after: "imageferry/active/ended/" + strings.Repeat("x", 1024)}.String(),
		} {
			if _, err := w.ferry().Recent(w.Context(), Filter{}, cursor, 10); !errors.Is(err, ErrCursor) {
				t.Errorf("%q: %v", cursor, err)
			}
		}
	})
}

func TestOverview(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		if o, err := w.ferry().Overview(w.Context()); err != nil || o.Total != 0 || o.Coverage != nil || len(o.Days) != 0 {
			t.Errorf("of nothing the overview is %+v (%v)", o, err)
		}
		w.someOfEach()
		w.sweep(SweepOrder{})
		o, err := w.ferry().Overview(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[manifest.State]int{manifest.Exported: 6, manifest.Skipped: 6, manifest.Exporting: 3, manifest.Queued: 3}
		for state, n := range want {
			if o.States[state] != n {
				t.Errorf("%d are %s, want %d", o.States[state], state, n)
			}
		}
		if o.Total != 18 || o.Reasons[imageWindows] != 6 || o.Reasons[imageNotAvailable] != 3 || o.Bytes != 6*w.head("m-done-1").Verification.Bytes {
			t.Errorf("the overview is %+v", o)
		}
		if o.OldestQueued == nil || !o.OldestQueued.Equal(w.head("m-waiting-0").CreatedAt) {
			t.Errorf("the oldest one waits since %v", o.OldestQueued)
		}
		if o.Coverage == nil || o.Coverage.Wanted != 15 || o.Coverage.Exported != 6 || !o.Coverage.At.Equal(time.Now()) {
			t.Errorf("the coverage is %+v", o.Coverage)
		}
		if n := len(o.Days); n != 1 || o.Days[0].Outcomes[manifest.Exported] != 6 || o.Days[0].MedianSeconds != 1800 || o.Days[0].P90Seconds != 1800 {
			t.Errorf("the days are %+v", o.Days)
		}
	})
}

// With more exports than an overview lists, those that are over are what the newest sweep has counted; and it costs as much
// as with fewer.
func TestOverviewOfMany(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const many = maxEndedPages*1000 + 500
		w.sweep(SweepOrder{})
		for i := range many {
			e := manifest.Ending{At: time.Now().Add(-time.Duration(i) * time.Minute).UTC(), State: manifest.Exported, Bytes: 10, Took: time.Duration(i%100) * time.Second,
				Revision: 2, Destination: w.settings.Destination, ImageID: fmt.Sprintf("m-%05d", i)}
			w.store.Plant(testLayout.EndingKey(e), nil)
		}
		w.sweep(SweepOrder{})
		w.store.ResetOps()
		o, err := w.ferry().Overview(w.Context())
		if err != nil || o.Total != many || o.Bytes != 10*many || o.EndedAsOf == nil || !o.EndedAsOf.Equal(time.Now()) {
			t.Errorf("the overview is %+v (%v)", o, err)
		}
		if ops := w.store.Ops(); ops[manifesttest.List] > maxEndedPages+3 || ops[manifesttest.Get] > 3 {
			t.Errorf("it costs %v", ops)
		}
		if day := o.Days[1]; len(o.Days) != 8 || day.Outcomes[manifest.Exported] != 1440 || day.Bytes != 14400 || day.MedianSeconds != 48 || day.P90Seconds != 89 {
			t.Errorf("%d days, the second is %+v", len(o.Days), day)
		}
	})
}

// Every duplicate event leaves a marker for a minute: the export counts as what it is.
func TestCountsInSpiteOfMarkersLeft(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.sweep(SweepOrder{})
		w.add("m-1")
		w.submit("m-1")
		w.pass(time.Hour)
		w.submit("m-1")
		if left := w.markers("m-1"); len(left) != 2 {
			t.Fatalf("in the index is %q", left)
		}
		w.sweep(SweepOrder{})
		o, err := w.ferry().Overview(w.Context())
		if err != nil || o.Total != 1 || o.States[manifest.Exported] != 1 || o.Bytes == 0 || o.Coverage.Wanted != 1 || o.Coverage.Exported != 1 {
			t.Errorf("the overview is %+v with the coverage %+v (%v)", o, o.Coverage, err)
		}
		w.pass(time.Hour)
	})
}
