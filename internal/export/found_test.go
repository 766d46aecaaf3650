package export

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// What the simulation found, one test each.

// elsewhere is somebody else's export of m-1, whose related items are not told while it runs.
func (w *world) elsewhere() *fakeTask {
	return w.plantTask("m-1", func(t *fakeTask) {
		t.id, t.destination.Bucket, t.ends = "t-other", "elsewhere", time.Now().Add(24*time.Hour)
	})
}

// A task whose answer was lost has finished; somebody else's export of the image is newer, and tells nothing yet.
func TestLostTaskBesideSomebodyElses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.duration = 10 * time.Second
		w.faults(map[string]error{opExport: lost(opExport), opTaskOf: lost(opTaskOf)})
		w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
		w.noFault()
		time.Sleep(overLease)
		w.elsewhere()
		w.drain()
		if head := w.wantHead("m-1", manifest.Exporting, ""); head.Task.ID != "t-1" {
			t.Fatalf("adopted %s", head.Task.ID)
		}
	})
}

// An adopted task proves to be somebody else's: our own lost one is still looked for, from where its attempt began.
func TestOwnTaskIsFoundAfterSomebodyElses(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.duration = 10 * time.Second
		w.cloud.onAccept = func(task *fakeTask) { task.hidden = true }
		w.fault(opExport, true, lost(opExport), 1)
		w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
		other := w.elsewhere()
		time.Sleep(overLease)
		w.drain()
		if head := w.wantHead("m-1", manifest.Exporting, ""); head.Task.ID != "t-other" {
			t.Fatalf("adopted %s", head.Task.ID)
		}
		other.ends = time.Now()
		w.task(1).hidden = false
		w.follow()
		w.wantHead("m-1", manifest.Queued, taskForeign)
		time.Sleep(2 * w.settings.RetryDelay)
		w.drain()
		if head := w.wantHead("m-1", manifest.Exporting, ""); head.Task.ID != "t-1" {
			t.Fatalf("adopted %s", head.Task.ID)
		}
		w.follow()
		w.wantHead("m-1", manifest.Exported, "")
		w.wantCalls(opExport, 1)
	})
}

// A writer that is frozen between revision and manifest, or before it repairs the manifest, does not leave an older one.
func TestFrozenWriterLeavesTheNewestManifest(t *testing.T) {
	t.Parallel()
	for _, op := range []string{manifesttest.Put, manifesttest.Get} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.cloud.duration = time.Second
				frozen := op == manifesttest.Get
				w.store.SetFault(func(o, key string) (bool, error) {
					if o == op && strings.Contains(key, "manifests/") && !frozen {
						frozen = true
						time.Sleep(2 * time.Second)
						w.follow()
						w.wantHead("m-1", manifest.Exported, "")
					}
					return false, nil
				})
				w.submit("m-1")
				if op == manifesttest.Get {
					// A stale marker leads a drain here, which freezes before it looks at the manifest.
					w.mark(w.dueMarker("m-1", time.Now().Add(-time.Minute)))
					frozen = false
					w.drain()
				}
				w.store.SetFault(nil)
				w.wantPublished("m-1")
			})
		})
	}
}

// However long an export waits for a quota, its journal keeps the tasks that it had.
func TestWaitingForgetsNoTask(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.onAccept = func(task *fakeTask) { task.end, task.code = "Failed", "InternalError" }
		w.submit("m-1")
		w.cloud.quota = -1
		w.pass(2*time.Hour + 40*time.Minute)
		head := w.wantHead("m-1", manifest.Queued, quotaConcurrent)
		if len(head.Attempts) != manifest.MaxAttemptsKept || head.Attempts[0].TaskID != "t-1" {
			t.Errorf("attempts are %+v", head.Attempts)
		}
	})
}

// during calls do once, before the first operation on a key that contains part.
func (w *world) during(op, part string, do func()) {
	var done atomic.Bool
	w.store.SetFault(func(o, key string) (bool, error) {
		if o == op && strings.Contains(key, part) && !done.Swap(true) {
			do()
		}
		return false, nil
	})
}

// A tick comes while the revision with the task is on its way: it meets no marker that it could take for a stale one.
func TestNoMarkerPrecedesItsRevision(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.duration = time.Second
		w.during(manifesttest.Create, "/00000002.json", func() {
			time.Sleep(2 * time.Second)
			w.follow()
		})
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
		w.wantMarkers("m-1")
	})
}

// An intent's marker does precede its revision, but is not due yet: a tick that is led here by an older one leaves it.
func TestUnripeMarkerIsLeftAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.duration = time.Second
		w.submit("m-1")
		time.Sleep(2 * time.Second)
		w.follow()
		w.wantHead("m-1", manifest.Exported, "")
		w.mark(w.dueMarker("m-1", time.Now().Add(-time.Minute)))
		w.during(manifesttest.Create, "/00000004.json", func() { w.drain() })
		w.fault(opExport, false, lost(opExport), 1)
		w.wantResult(w.force("m-1"), manifest.Submitting, answerLost)
		w.wantMarkers("m-1")
	})
}

// Somebody asks for an export that was over, and its marker cannot be stored: it stays over.
func TestRetryWithoutMarkerChangesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1", func(i *manifest.Image) { i.OSType = "windows" })
		w.submit("m-1")
		w.store.SetFault(func(op, key string) (bool, error) {
			if op == manifesttest.Put && strings.Contains(key, "active/queued/") {
				return false, lost(op)
			}
			return false, nil
		})
		_, err := w.ferry().Submit(w.Context(), Order{ImageID: "m-1", Trigger: w.trigger("http"), Explicit: true, Force: true})
		if err == nil {
			t.Error("the request is acknowledged")
		}
		w.wantStates("m-1", "submitting skipped")
	})
}

// The marker of an export that waits for a quota is removed late, when the export waits for the quota once more.
func TestLateRemovalMeetsNoLaterMarker(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.quota = 0
		w.submit("m-1")
		w.wantHead("m-1", manifest.Queued, quotaConcurrent)
		first := w.head("m-1")
		w.cloud.quota, w.cloud.duration = 1, time.Second
		w.cloud.onAccept = func(task *fakeTask) { task.end, task.code = "Failed", "InternalError" }
		marker, _ := manifest.MarkerOf(first)
		w.during(manifesttest.Delete, marker.Due.Format("20060102T150405.000000000Z"), func() {
			time.Sleep(2 * time.Second)
			w.follow()
			w.wantHead("m-1", manifest.Queued, taskFailed)
			w.cloud.quota = 0
			time.Sleep(2 * w.settings.RetryDelay)
			w.drain()
			w.wantHead("m-1", manifest.Queued, quotaConcurrent)
		})
		w.drain()
		w.wantMarkers("m-1")
	})
}

// A task that was found, and that ends badly before it has told where it writes, says nothing about this export: it does not
// count, and our own is still looked for.
func TestFoundTaskThatNeverTellsWhoseItIs(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"Failed", "Deleted", "Finished", "vanished"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.cloud.duration = 10 * time.Second
				w.cloud.onAccept = func(task *fakeTask) { task.hidden = true }
				w.fault(opExport, true, lost(opExport), 1)
				w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
				other := w.elsewhere()
				time.Sleep(overLease)
				w.drain()
				w.wantHead("m-1", manifest.Exporting, "")
				other.ends, other.end, other.subtasks = time.Now(), status, []Subtask{}
				if status == "vanished" {
					other.hidden, other.unknown = true, true
					time.Sleep(2 * vanishTime)
				}
				w.task(1).hidden = false
				w.follow()
				if head := w.wantHead("m-1", manifest.Queued, taskForeign); head.Failures != 0 {
					t.Errorf("it counts as %d failures", head.Failures)
				}
				time.Sleep(2 * w.settings.RetryDelay)
				w.drain()
				if head := w.wantHead("m-1", manifest.Exporting, ""); head.Task.ID != "t-1" {
					t.Fatalf("adopted %s", head.Task.ID)
				}
				w.wantCalls(opExport, 1)
			})
		})
	}
}

// Two ticks end the same export at once, and the one that comes second dies before it can do anything about that: what is
// published is what the journal has.
func TestSecondWriterPublishesNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		time.Sleep(w.cloud.duration)
		w.during(manifesttest.Create, "/00000003.json", func() {
			w.follow()
			w.wantHead("m-1", manifest.Exported, "")
			w.store.SetFault(func(op, key string) (bool, error) {
				if op == manifesttest.Put && strings.Contains(key, "manifests/") {
					t.Error("the second writer publishes")
				}
				return false, nil
			})
		})
		w.follow()
		w.wantPublished("m-1")
	})
}
