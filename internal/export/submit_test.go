package export

import (
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

func TestFreshEventToExported(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1", func(i *manifest.Image) {
			i.Disks = append(i.Disks, manifest.Disk{Device: "/dev/xvdb", Type: "data", SizeGiB: 500})
		})
		r := w.submit("m-1")
		w.wantResult(r, manifest.Exporting, "")
		if r.TaskID != "t-1" || r.Revision != 2 || !r.New || r.Name != "name of m-1" {
			t.Errorf("result is %+v", r)
		}
		w.wantMarkers("m-1")
		w.wantPublished("m-1")
		time.Sleep(time.Minute)
		if round := w.follow(); round.Seen != 1 || len(round.Results) != 0 {
			t.Errorf("round is %+v", round)
		}
		time.Sleep(w.cloud.duration)
		round := w.follow()
		if len(round.Results) != 1 {
			t.Fatalf("round is %+v", round)
		}
		w.wantResult(round.Results[0], manifest.Exported, "")
		w.wantStates("m-1", "submitting exporting exported")
		w.wantMarkers("m-1")
		w.wantPublished("m-1")
		head := w.head("m-1")
		if len(head.Objects) != 2 || head.Objects[0].Role != "system" || head.Objects[1].Device != "xvdb" ||
			head.Verification.Bytes != 6<<30 || head.Verification.Objects != 2 {
			t.Errorf("exported as %+v, %+v", head.Objects, head.Verification)
		}
		if a := head.Attempts; len(a) != 1 || a[0].Outcome != manifest.Finished || a[0].RequestID != "request-t-1" || a[0].EndedAt == nil {
			t.Errorf("attempts are %+v", a)
		}
		w.wantCalls(opExport, 1)
	})
}

// From the event to the recorded task there are three sequential round trips. The manifest, the look whether it is still the
// newest, and the removal of the marker are one each. A selection looks first. Who comes again is told in two.
func TestSubmitTakesFewRoundTrips(t *testing.T) {
	t.Parallel()
	all := func(string, string, map[string]string) bool { return true }
	for _, c := range []struct {
		wants        func(name, family string, tags map[string]string) bool
		fresh, again int
	}{{nil, 6, 2}, {all, 7, 2}} {
		inWorld(t, func(w *world) {
			w.settings.Wants = c.wants
			w.add("m-1")
			const trip = 10 * time.Millisecond
			slow := func(string, string) (bool, error) { time.Sleep(trip); return false, nil }
			w.cloud.fault = slow
			w.store.SetFault(slow)
			trips := func() int {
				start := time.Now()
				w.submit("m-1")
				return int(time.Since(start) / trip)
			}
			if fresh, again := trips(), trips(); fresh != c.fresh || again != c.again {
				t.Errorf("it took %d round trips, and %d the second time, want %d and %d", fresh, again, c.fresh, c.again)
			}
			w.cloud.fault = nil
			w.store.SetFault(nil)
			w.pass(w.cloud.duration + 2*time.Minute) // the second one has left a marker
			w.store.ResetOps()
			w.drain()
			// A tick with nothing to do is a list call; the drain reads the hold beside.
			if ops := w.store.Ops(); ops["list"] != 1 || ops["get"] != 1 || len(ops) != 2 {
				t.Errorf("an empty drain costs %v", ops)
			}
		})
	}
}

// The selection needs the image's name: describe comes first, and is not repeated.
func TestSelection(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings.Wants = func(name, _ string, _ map[string]string) bool { return strings.HasSuffix(name, "m-1") }
		w.add("m-1")
		w.add("m-2")
		w.wantResult(w.submit("m-2"), "", notSelected)
		w.wantResult(w.submit("m-3"), "", imageNotFound)
		w.wantCalls(opExport, 0)
		w.wantCalls(opImage, 2)
		if keys := w.store.Keys(""); len(keys) != 0 {
			t.Errorf("nothing is to be written: %q", keys)
		}
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
		w.wantCalls(opImage, 3)
		// Who names an image gets it.
		w.wantResult(w.order(Order{ImageID: "m-2", Trigger: w.trigger("cli"), Explicit: true}), manifest.Exporting, "")
		w.fault(opImage, false, lost(opImage), 0)
		if _, err := w.ferry().Submit(w.Context(), Order{ImageID: "m-4", Trigger: w.trigger("event")}); err == nil {
			t.Error("an image that cannot be seen cannot be selected")
		}
	})
}

func TestDuplicateEvents(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		r := w.submit("m-1")
		w.wantResult(r, manifest.Exporting, "")
		if r.New || r.TaskID != "t-1" || r.Revision != 2 {
			t.Errorf("result is %+v", r)
		}
		w.pass(2 * w.cloud.duration)
		w.wantResult(w.submit("m-1"), manifest.Exported, "")
		w.wantStates("m-1", "submitting exporting exported")
		w.wantCalls(opExport, 1)
		time.Sleep(2 * time.Minute)
		w.drain() // the duplicates' markers are stale
		w.wantMarkers("m-1")
	})
}

func TestConcurrentDuplicates(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		slow := func(string, string) (bool, error) { time.Sleep(time.Millisecond); return false, nil }
		w.cloud.fault = slow
		w.store.SetFault(slow)
		const events = 100
		results := make([]Result, events)
		var wg sync.WaitGroup
		for i := range events {
			trigger := w.trigger("event")
			wg.Go(func() {
				var err error
				results[i], err = w.ferry().Submit(w.Context(), Order{ImageID: "m-1", Trigger: trigger, Available: true})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		written := 0
		for _, r := range results {
			if r.New {
				written++
			}
			if r.State != manifest.Submitting && r.State != manifest.Exporting {
				t.Errorf("result is %+v", r)
			}
		}
		if written != 1 {
			t.Errorf("%d of them wrote a revision", written)
		}
		w.wantCalls(opExport, 1)
		w.wantStates("m-1", "submitting exporting")
		w.pass(2 * w.cloud.duration)
		w.wantStates("m-1", "submitting exporting exported")
		w.wantMarkers("m-1")
		w.wantCalls(opExport, 1)
	})
}

func TestImageThatIsStillCreating(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1", func(i *manifest.Image) { i.Status = "Creating" })
		w.addAfter(10*time.Minute, goodImage("m-1"))
		w.add("m-2", func(i *manifest.Image) { i.Status = "Waiting" })
		w.addAfter(10*time.Minute, goodImage("m-2"))
		w.wantResult(w.order(Order{ImageID: "m-1", Trigger: w.trigger("event")}), manifest.Queued, imageNotAvailable)
		r := w.order(Order{ImageID: "m-2", Trigger: w.trigger("event")})
		w.wantResult(r, manifest.Queued, imageNotAvailable)
		if r.DueAt == nil || time.Until(*r.DueAt) != w.settings.RetryDelay {
			t.Errorf("due at %v", r.DueAt)
		}
		w.wantMarkers("m-1")
		// A further event without news changes nothing while it is not due.
		w.wantResult(w.order(Order{ImageID: "m-1", Trigger: w.trigger("event")}), manifest.Queued, imageNotAvailable)
		w.wantStates("m-1", "submitting queued")

		time.Sleep(10 * time.Minute)
		w.wantResult(w.submit("m-1"), manifest.Exporting, "") // the news that it is Available
		w.drain()                                             // no news: the due time
		w.wantHead("m-2", manifest.Exporting, "")
		w.wantMarkers("m-1")
		w.wantMarkers("m-2")
		w.wantCalls(opExport, 2)
		if head := w.head("m-1"); len(head.Attempts) != 1 || head.Failures != 0 || head.Waits != 0 {
			t.Errorf("waiting was counted: %+v", head)
		}
	})
}

// An image that is waited for costs ever fewer looks.
func TestWaitingGrows(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1", func(i *manifest.Image) { i.Status = "Creating" })
		w.submit("m-1")
		w.pass(24 * time.Hour)
		if n := w.calls(opImage); n < 24 || n > 35 {
			t.Errorf("%d looks in a day", n)
		}
		head := w.wantHead("m-1", manifest.Queued, imageNotAvailable)
		if wait := head.DueAt.Sub(head.UpdatedAt); wait != maxWait {
			t.Errorf("it waits %s", wait)
		}
		w.wantCalls(opExport, 0)
	})
}

func TestImageThatIsNotFound(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		r := w.submit("m-1")
		w.wantResult(r, manifest.Queued, imageNotFound)
		w.pass(time.Hour)
		head := w.wantHead("m-1", manifest.Skipped, imageNotFound)
		if head.Failures != 3 || len(head.Attempts) != 0 {
			t.Errorf("failures %d, attempts %+v", head.Failures, head.Attempts)
		}
		w.wantMarkers("m-1")
		w.wantPublished("m-1")
		w.wantCalls(opExport, 0)
		w.wantCalls(opImage, 3)
	})
}

// An image that appears late is exported as if nothing had been.
func TestImageThatAppearsLate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.addAfter(30*time.Second, goodImage("m-1"))
		w.submit("m-1")
		w.pass(2 * time.Minute)
		w.wantHead("m-1", manifest.Exporting, "")
	})
}

// A person's request leaves a terminal state, and is recorded.
func TestForce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1", func(i *manifest.Image) { i.OSType = "windows" })
		w.wantResult(w.submit("m-1"), manifest.Skipped, imageWindows)
		w.wantResult(w.submit("m-1"), manifest.Skipped, imageWindows)
		w.addAfter(0, goodImage("m-1"))
		r := w.force("m-1")
		w.wantResult(r, manifest.Exporting, "")
		head := w.head("m-1")
		if head.Trigger.Kind != "http" || !head.CreatedAt.Equal(w.revisions("m-1")[0].CreatedAt) {
			t.Errorf("head is %+v", head)
		}
		w.wantResult(w.force("m-1"), manifest.Exporting, "") // a live task is never doubled
		w.wantCalls(opExport, 1)
		w.pass(time.Hour)
		w.wantHead("m-1", manifest.Exported, "")
		w.wantResult(w.force("m-1"), manifest.Exporting, "")
		w.wantCalls(opExport, 2)
		w.wantMarkers("m-1")
		w.pass(time.Hour)
		if head := w.wantHead("m-1", manifest.Exported, ""); len(head.Attempts) != 2 || head.Attempts[1].Number != 2 {
			t.Errorf("attempts are %+v", head.Attempts)
		}
	})
}

func TestClientToken(t *testing.T) {
	t.Parallel()
	m := &manifest.Manifest{Image: manifest.Image{ID: "m-1"}, Destination: testDestination(), CreatedAt: time.Unix(1, 0),
		Attempts: []manifest.Attempt{{Number: 1}}}
	token := clientToken(m)
	if len(token) == 0 || len(token) > 64 || token != clientToken(m.Clone()) {
		t.Errorf("token is %q, then %q", token, clientToken(m.Clone()))
	}
	for name, change := range map[string]func(*manifest.Manifest){
		"attempt":     func(m *manifest.Manifest) { m.Attempts[0].Number = 2 },
		"image":       func(m *manifest.Manifest) { m.Image.ID = "m-2" },
		"destination": func(m *manifest.Manifest) { m.Destination.Format = "vhd" },
	} {
		other := m.Clone()
		change(other)
		if clientToken(other) == token {
			t.Errorf("another %s has the same token", name)
		}
	}
}

// A drained export removes two markers: the one that led there, and that of its lease.
func TestDrainRemovesEachMarkerOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cloud.quota = 0
		w.add("m-1")
		w.wantResult(w.submit("m-1"), manifest.Queued, quotaConcurrent)
		w.cloud.quota = 1
		w.store.ResetOps()
		w.drain()
		w.wantHead("m-1", manifest.Exporting, "")
		if ops := w.store.Ops(); ops[manifesttest.Delete] != 3 { // and the hold
			t.Errorf("the drain costs %v", ops)
		}
	})
}
