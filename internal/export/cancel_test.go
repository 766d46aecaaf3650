package export

import (
	"context"
	"errors"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

// bring is how an export of m-1 comes into each of the states.
var bring = map[manifest.State]func(w *world){
	manifest.Queued: func(w *world) {
		w.add("m-1", func(i *manifest.Image) { i.Status = "Creating" })
		w.submit("m-1")
		w.addAfter(0, goodImage("m-1"))
	},
	manifest.Submitting: func(w *world) {
		w.add("m-1")
		w.fault(opExport, false, lost(opExport), 1)
		w.submit("m-1")
	},
	manifest.Exporting: func(w *world) {
		w.add("m-1")
		w.submit("m-1")
	},
	manifest.Exported: func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		time.Sleep(w.cloud.duration)
		w.follow()
	},
	manifest.Skipped: func(w *world) {
		w.add("m-1", func(i *manifest.Image) { i.OSType = "windows" })
		w.submit("m-1")
		w.addAfter(0, goodImage("m-1"))
	},
	manifest.Failed: func(w *world) {
		w.add("m-1")
		w.fault(opExport, false, refusal(400, "MissingParameter", "no"), 1)
		w.submit("m-1")
	},
	manifest.Cancelled: func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		w.cancel("m-1")
	},
}

func (w *world) cancel(id string) Result {
	w.Helper()
	r, err := w.ferry().Cancel(w.Context(), id, w.trigger("http"))
	if err != nil {
		w.Fatalf("cancel %s: %v", id, err)
	}
	return r
}

func TestCancelFromEveryState(t *testing.T) {
	t.Parallel()
	for state, to := range bring {
		possible := state == manifest.Queued || state == manifest.Exporting
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				to(w)
				if head := w.head("m-1"); head == nil || head.State != state {
					t.Fatalf("head is %s", describe(head))
				}
				before := w.states("m-1")
				if !possible {
					if _, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http")); !errors.Is(err, ErrState) {
						t.Errorf("error is %v", err)
					}
					w.wantStates("m-1", before)
					return
				}
				w.wantResult(w.cancel("m-1"), manifest.Cancelled, cancelledByRequest)
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
				w.pass(2 * time.Hour)
				w.wantStates("m-1", before+" cancelled")
				if state == manifest.Exporting {
					if w.task(1).statusNow() != "Deleted" || w.head("m-1").Attempts[0].Outcome != manifest.Stopped {
						t.Errorf("task is %+v, head %+v", w.task(1), w.head("m-1"))
					}
				}
				w.wantResult(w.submit("m-1"), manifest.Cancelled, cancelledByRequest) // an event does not revive it
			})
		})
	}
}

func TestRetryFromEveryState(t *testing.T) {
	t.Parallel()
	for state, to := range bring {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				to(w)
				calls := w.calls(opExport)
				r := w.force("m-1")
				switch state {
				case manifest.Submitting: // a live lease
					w.wantResult(r, manifest.Submitting, "")
					w.wantCalls(opExport, calls)
				case manifest.Exporting: // a live task
					w.wantResult(r, manifest.Exporting, "")
					w.wantCalls(opExport, calls)
				default:
					w.wantResult(r, manifest.Exporting, "")
					w.wantCalls(opExport, calls+1)
					if head := w.head("m-1"); head.Trigger.Kind != "http" {
						t.Errorf("trigger is %+v", head.Trigger)
					}
				}
				w.pass(2 * time.Hour)
				w.wantHead("m-1", manifest.Exported, "")
				w.wantMarkers("m-1")
			})
		})
	}
}

func TestCancelOfNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		if _, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http")); !errors.Is(err, ErrUnknown) {
			t.Errorf("error is %v", err)
		}
		if _, err := w.ferry().Get(w.Context(), "m-1"); !errors.Is(err, ErrUnknown) {
			t.Errorf("error is %v", err)
		}
	})
}

// The task has ended before it could be cancelled: nothing is written, and the next tick records how it ended.
func TestCancelThatIsLate(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		time.Sleep(w.cloud.duration)
		if _, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http")); !errors.Is(err, ErrState) {
			t.Errorf("error is %v", err)
		}
		w.follow()
		w.wantHead("m-1", manifest.Exported, "")
	})
}

// ECS does not cancel: the export goes on.
func TestCancelThatFails(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		w.fault(opCancel, false, &CallError{Op: opCancel, Status: 403, Code: "CancelTaskFailed", Message: "no"}, 1)
		if _, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http")); err == nil || errors.Is(err, ErrState) {
			t.Errorf("error is %v", err)
		}
		w.wantHead("m-1", manifest.Exporting, "")
		w.wantMarkers("m-1")
	})
}

// A tick that sees the cancelled task first and the request agree.
func TestCancelRacesWithFollow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		f := w.ferry()
		f.Tasks = cancelThen{w.cloud, func() { w.follow() }}
		_, err := f.Cancel(w.Context(), "m-1", w.trigger("http"))
		if err != nil && !errors.Is(err, ErrState) {
			t.Errorf("error is %v", err)
		}
		w.wantStates("m-1", "submitting exporting cancelled")
		w.wantMarkers("m-1")
		w.wantPublished("m-1")
	})
}

// cancelThen does something between CancelTask and its answer.
type cancelThen struct {
	*fakeCloud
	then func()
}

func (c cancelThen) Cancel(ctx context.Context, id string) error {
	err := c.fakeCloud.Cancel(ctx, id)
	c.then()
	return err
}
