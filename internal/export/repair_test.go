package export

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// mark puts a marker into the index, whatever the journal says.
func (w *world) mark(m manifest.Marker) {
	if err := manifest.NewIndex(w.store, testLayout).Put(w.Context(), m); err != nil {
		w.Fatal(err)
	}
}

func (w *world) dueMarker(id string, due time.Time) manifest.Marker {
	return manifest.Marker{Due: due.UTC(), Destination: w.settings.Destination, ImageID: id}
}

func (w *world) taskMarker(id, task string) manifest.Marker {
	return manifest.Marker{TaskID: task, Destination: w.settings.Destination, ImageID: id}
}

// Markers that do not fit the newest revision are removed once the one that fits is there, in every state.
func TestStaleMarkers(t *testing.T) {
	t.Parallel()
	for state, to := range bring {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				to(w)
				states := w.states("m-1")
				w.mark(w.dueMarker("m-1", time.Now().Add(-time.Hour)))
				w.mark(w.dueMarker("m-1", time.Now().Add(-time.Minute)))
				w.mark(w.taskMarker("m-1", "t-of-old"))
				w.follow()
				w.drain()
				if state == manifest.Submitting {
					// Its writer is alive: the due markers go when it has ended.
					time.Sleep(overLease)
					w.drain()
					w.follow()
					w.wantHead("m-1", manifest.Exporting, "")
				} else if got := w.states("m-1"); got != states {
					t.Errorf("went from %q to %q", states, got)
				}
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
			})
		})
	}
}

// A marker or a manifest that could not be written is written by the next tick that comes by.
func TestIncompleteRecords(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"active/exporting/", "manifests/", "active/queued/"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.store.SetFault(func(op, key string) (bool, error) {
					// The intent's marker has to be written; its removal need not.
					if strings.Contains(key, part) && (op == manifesttest.Put && part != "active/queued/" || op == manifesttest.Delete) {
						return false, errors.New("connection reset")
					}
					return false, nil
				})
				w.wantResult(w.submit("m-1"), manifest.Exporting, "")
				w.store.SetFault(nil)
				if len(w.markers("m-1")) == 0 {
					t.Error("nothing leads there")
				}
				time.Sleep(overLease)
				w.drain()
				w.wantStates("m-1", "submitting exporting")
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
				w.wantCalls(opExport, 1)
			})
		})
	}
}

// The last record of an export, too, is completed.
func TestIncompleteEnd(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		time.Sleep(w.cloud.duration)
		w.store.SetFault(func(op, key string) (bool, error) {
			if op == manifesttest.Put && strings.Contains(key, "manifests/") {
				return false, errors.New("connection reset")
			}
			return false, nil
		})
		w.follow()
		w.store.SetFault(nil)
		w.wantHead("m-1", manifest.Exported, "")
		w.follow()
		w.wantMarkers("m-1")
		w.wantPublished("m-1")
		w.wantStates("m-1", "submitting exporting exported")
	})
}

// The invocation died between the marker and the first revision: the marker is enough.
func TestMarkerWithoutAJournal(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.mark(w.dueMarker("m-1", time.Now()))
		round := w.drain()
		if len(round.Results) != 1 {
			t.Fatalf("round is %+v", round)
		}
		w.wantResult(round.Results[0], manifest.Exporting, "")
		if trigger := w.head("m-1").Trigger; trigger.Kind != "timer" {
			t.Errorf("trigger is %+v", trigger)
		}
		w.wantMarkers("m-1")
	})
}

// Nothing is exported unless both the intent and its marker are stored.
func TestIntentThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"journal/", "active/queued/"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.unmarked = true
				w.store.SetFault(func(op, key string) (bool, error) {
					if strings.Contains(key, part) && (op == manifesttest.Create || op == manifesttest.Put) {
						return false, errors.New("connection reset")
					}
					return false, nil
				})
				if _, err := w.ferry().Submit(w.Context(), Order{ImageID: "m-1", Trigger: w.trigger("event")}); err == nil {
					t.Error("the event must come again")
				}
				w.wantCalls(opExport, 0)
				w.store.SetFault(nil)
				time.Sleep(overLease)
				w.unmarked = false
				w.wantResult(w.submit("m-1"), manifest.Exporting, "")
				w.drain() // the marker of what was not stored is stale
				w.wantMarkers("m-1")
			})
		})
	}
}

// The queue of a region has exports to other destinations, too, which go there; those of other regions are left alone.
func TestOtherDestinations(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.quota = 0
		w.settings.ManifestBucket = "manifests"
		w.cloud.buckets["manifests"] = goodBucket("manifests")
		w.cloud.buckets["old-images"] = goodBucket("old-images")
		w.settings.Destination.Bucket = "old-images"
		w.submit("m-1")
		w.settings.Destination.Bucket = "golden-images"
		w.cloud.quota = 10
		elsewhere := w.dueMarker("m-1", time.Now())
		elsewhere.Destination.Region = "cn-beijing"
		w.mark(elsewhere)
		running := elsewhere
		running.Due, running.TaskID = time.Time{}, "t-of-beijing"
		w.mark(running)
		w.drain()
		if task := w.task(1); task.destination.Bucket != "old-images" || len(w.cloud.tasks) != 1 {
			t.Errorf("tasks are %+v", w.cloud.tasks)
		}
		w.pass(time.Hour)
		w.wantHead("m-1", manifest.Exported, "")
		if left := w.markers("m-1"); len(left) != 3 { // the end at the old destination, and what is not this region's
			t.Errorf("markers are %q", left)
		}
	})
}

// The bucket of before is gone: what still waits for it does not hold up the others.
func TestOldDestinationHoldsNobody(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings.ManifestBucket = "manifests"
		w.cloud.buckets["manifests"] = goodBucket("manifests")
		w.settings.Destination.Bucket = "old-images" // which does not exist
		w.add("m-1")
		w.wantResult(w.submit("m-1"), manifest.Queued, bucketNotFound)
		w.settings.Destination.Bucket = "golden-images"
		w.pass(3 * time.Hour)
		if hold, err := w.ferry().Hold(w.Context()); err != nil || hold != nil {
			t.Errorf("held by %+v (%v)", hold, err)
		}
		w.add("m-2")
		w.wantResult(w.submit("m-2"), manifest.Exporting, "")
		w.cloud.buckets["old-images"] = goodBucket("old-images")
		w.pass(3 * time.Hour)
		w.wantHead("m-2", manifest.Exported, "")
		w.settings.Destination.Bucket = "old-images"
		w.wantHead("m-1", manifest.Exported, "")
	})
}
