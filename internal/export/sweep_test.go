package export

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

func imagesOf(results []Result) string {
	var ids []string
	for _, r := range results {
		ids = append(ids, r.ImageID)
	}
	return strings.Join(ids, " ")
}

// A sweep submits what no event delivered, once.
func TestSweep(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-known")
		w.submit("m-known")
		w.add("m-new")
		w.add("m-windows", func(i *manifest.Image) { i.OSType = "windows" })
		w.add("m-creating", func(i *manifest.Image) { i.Status = "Creating" })
		round := w.sweep(SweepOrder{})
		if round.Seen != 3 || imagesOf(round.Results) != "m-new m-windows" || round.Incomplete || round.Action != "sweep" {
			t.Errorf("round is %+v", round)
		}
		w.wantHead("m-new", manifest.Exporting, "")
		w.wantHead("m-windows", manifest.Skipped, imageWindows)
		if trigger := w.head("m-new").Trigger; trigger.Kind != "timer" {
			t.Errorf("trigger is %+v", trigger)
		}
		w.wantCalls(opImage, 1) // the page has told all about the others
		calls := w.calls(opExport)
		if round := w.sweep(SweepOrder{}); len(round.Results) != 0 || round.Seen != 3 {
			t.Errorf("round is %+v", round)
		}
		w.wantCalls(opExport, calls)
	})
}

func TestSweepSelects(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings.Wants = func(_, family string, _ map[string]string) bool { return family == "web" }
		w.add("m-1")
		w.add("m-2", func(i *manifest.Image) { i.Family = "web" })
		if round := w.sweep(SweepOrder{}); imagesOf(round.Results) != "m-2" {
			t.Errorf("round is %+v", round)
		}
		if w.head("m-1") != nil {
			t.Error("what is not wanted has no journal")
		}
	})
}

func TestSweepByAge(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, days := range []int{0, 3, 10, 400} {
			w.add(fmt.Sprintf("m-%03d", days), func(i *manifest.Image) {
				created := i.CreationTime.AddDate(0, 0, -days)
				i.CreationTime = &created
			})
		}
		for maxAge, want := range map[time.Duration]string{
			0:                   "m-000 m-003", // as configured
			24 * time.Hour:      "m-000",
			30 * 24 * time.Hour: "m-000 m-003 m-010",
			-1:                  "m-000 m-003 m-010 m-400",
		} {
			if round := w.sweep(SweepOrder{MaxAge: maxAge, DryRun: true}); imagesOf(round.Results) != want {
				t.Errorf("within %s: %q, want %q", maxAge, imagesOf(round.Results), want)
			}
		}
	})
}

func TestSweepDryRun(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.add("m-2", func(i *manifest.Image) { i.OSType = "windows" })
		round := w.sweep(SweepOrder{DryRun: true})
		if len(round.Results) != 2 || !round.DryRun {
			t.Fatalf("round is %+v", round)
		}
		w.wantResult(round.Results[0], "", "")
		w.wantResult(round.Results[1], "", imageWindows)
		w.wantCalls(opExport, 0)
		if keys := w.store.Keys(""); len(keys) != 0 {
			t.Errorf("keys are %q", keys)
		}
	})
}

func TestSweepLimit(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for i := range 5 {
			w.add(fmt.Sprintf("m-%d", i))
		}
		for _, want := range []string{"m-0 m-1", "m-2 m-3", "m-4"} {
			round := w.sweep(SweepOrder{Limit: 2})
			if imagesOf(round.Results) != want || round.Incomplete != (want != "m-4") {
				t.Errorf("round is %+v, want %s", round, want)
			}
		}
		w.wantCalls(opExport, 5)
	})
}

func TestSweepPages(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 2*ImagePageSize + 1
		for i := range n {
			w.add(fmt.Sprintf("m-%03d", i))
		}
		round := w.sweep(SweepOrder{DryRun: true})
		if round.Seen != n || len(round.Results) != n {
			t.Errorf("seen %d, %d results", round.Seen, len(round.Results))
		}
		w.wantCalls(opImages, 3)
	})
}

// A sweep under a hold queues without a call.
// A dry run of a large account stays of a size that can be answered.
func TestSweepDryRunOfMany(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = maxDryResults + 150
		for i := range n {
			w.add(fmt.Sprintf("m-%04d", i))
		}
		round := w.sweep(SweepOrder{DryRun: true})
		if round.Seen != n || len(round.Results) != maxDryResults || round.Omitted != 150 || round.Incomplete {
			t.Errorf("saw %d, %d results, %d omitted, incomplete: %v", round.Seen, len(round.Results), round.Omitted, round.Incomplete)
		}
	})
}

// While a hold lasts nothing asks ECS, and the images are queued side by side; a limit holds all the same.
func TestSweepQueuesSideBySide(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 4*queuedAtOnce + 1
		w.cloud.beforeExport = nil
		w.cloud.quota = 0
		for i := range n {
			w.add(fmt.Sprintf("m-%02d", i))
		}
		const trip = 10 * time.Millisecond
		slow := func(string, string) (bool, error) { time.Sleep(trip); return false, nil }
		w.cloud.fault = slow
		w.store.SetFault(slow)
		start := time.Now()
		round := w.sweep(SweepOrder{Limit: n - 3})
		took := time.Since(start)
		w.cloud.fault = nil
		w.store.SetFault(nil)
		if len(round.Results) != n-3 || !round.Incomplete || round.Held == nil {
			t.Errorf("round is %+v", round)
		}
		w.wantCalls(opExport, 1)
		if most := (20 + 6*n/queuedAtOnce) * trip; took > most { // one after the other would take 6 each
			t.Errorf("it took %d round trips", took/trip)
		}
		w.cloud.quota = 1000
		w.sweep(SweepOrder{})
		w.pass(10 * time.Minute)
		w.wantCalls(opExport, n+1)
	})
}

func TestSweepUnderAHold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 8
		for i := range n {
			w.add(fmt.Sprintf("m-%02d", i))
		}
		w.cloud.quota = 2
		w.cloud.duration = 5 * time.Minute
		round := w.sweep(SweepOrder{})
		if round.Held == nil || round.Held.Reason != quotaConcurrent || len(round.Results) != n {
			t.Errorf("round is %+v", round)
		}
		w.wantCalls(opExport, 3)
		w.pass(n/2*6*time.Minute + time.Minute)
		for i := range n {
			w.wantHead(fmt.Sprintf("m-%02d", i), manifest.Exported, "")
		}
	})
}

// Somebody has emptied the index: the sweep writes it anew, and all goes on.
func TestSweepRebuildsTheIndex(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.sweep(SweepOrder{}) // builds it for the first time
		w.add("m-exporting")
		w.submit("m-exporting")
		w.add("m-queued", func(i *manifest.Image) { i.Status = "Creating" })
		w.submit("m-queued")
		w.addAfter(0, goodImage("m-queued"))
		w.add("m-skipped", func(i *manifest.Image) { i.OSType = "windows" })
		w.submit("m-skipped")
		w.unmarked = true
		for _, key := range w.store.Keys("active/") {
			w.store.Uproot(string(testLayout) + key)
		}
		w.sweep(SweepOrder{})
		w.unmarked = false
		for _, id := range []string{"m-exporting", "m-queued", "m-skipped"} {
			w.wantMarkers(id)
		}
		w.pass(2 * time.Hour)
		w.wantHead("m-exporting", manifest.Exported, "")
		w.wantHead("m-queued", manifest.Exported, "")
		w.wantCalls(opExport, 2)
		// A whole index is not built again.
		w.store.ResetOps()
		w.sweep(SweepOrder{})
		if ops := w.store.Ops(); ops["put"] != 1 || ops["get"] > 2 { // the census
			t.Errorf("operations are %v", ops)
		}
	})
}

// Without any manifest, and without an index, the sweep finds the journal by itself.
func TestSweepFindsTheJournal(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		w.unmarked = true
		for _, prefix := range []string{"active/", "manifests/"} {
			for _, key := range w.store.Keys(prefix) {
				w.store.Uproot(string(testLayout) + key)
			}
		}
		round := w.sweep(SweepOrder{})
		if len(round.Results) != 1 {
			t.Fatalf("round is %+v", round)
		}
		w.wantResult(round.Results[0], manifest.Exporting, "")
		w.unmarked = false
		w.pass(time.Hour)
		w.wantHead("m-1", manifest.Exported, "")
		w.wantCalls(opExport, 1)
	})
}

func TestSweepThatCannotSee(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.fault(opImages, false, &CallError{Op: opImages, Status: 403, Code: "Forbidden.RAM", Message: "no"}, 0)
		if _, err := w.ferry().Sweep(w.Context(), SweepOrder{Trigger: w.trigger("timer")}); err == nil {
			t.Error("a sweep that saw nothing has not succeeded")
		}
	})
}
