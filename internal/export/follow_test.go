package export

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

// What becomes of an export whose task does not bring the objects.
func TestTasksThatEndBadly(t *testing.T) {
	t.Parallel()
	fails := func(code, message string) func(*fakeTask) {
		return func(t *fakeTask) { t.end, t.code, t.message = "Failed", code, message }
	}
	for name, c := range map[string]struct {
		change func(*fakeTask)
		state  manifest.State
		reason string
		detail string
		code   string // of the attempt
	}{
		"failed with a reason":  {fails("SnapshotError", "The snapshot cannot be read."), manifest.Queued, taskFailed, "SnapshotError: The snapshot cannot be read.", "SnapshotError"},
		"failed with a message": {fails("", "The snapshot cannot be read."), manifest.Queued, taskFailed, "The snapshot cannot be read.", ""},
		"failed without one":    {fails("", ""), manifest.Queued, taskFailed, "gave no reason", ""},
		"failed in one disk": {func(t *fakeTask) {
			t.subtasks = []Subtask{{Status: "Finished", Bucket: "golden-images", Object: "nightly_m-1_system.raw.tar.gz"}, {Status: "Failed", Message: "The data disk cannot be read."}}
		}, manifest.Queued, taskFailed, "The data disk cannot be read.", ""},
		"failed, counted only": {func(t *fakeTask) { t.failed = 1 }, manifest.Queued, taskFailed, "gave no reason", ""},
		"an empty failed disk": {func(t *fakeTask) { t.subtasks = []Subtask{{Status: "Failed"}} }, manifest.Queued, taskFailed, "gave no reason", ""},
		"failed for the image": {fails("InvalidImageLicense.NotSupported", "The licence."), manifest.Skipped, imageLicense, "The licence.", "InvalidImageLicense.NotSupported"},
		"failed for everybody": {fails("NoSetRoletoECSServiceAcount", "No role."), manifest.Queued, exportRoleMissing, "No role.", "NoSetRoletoECSServiceAcount"},
		"failed, to wait for":  {fails("ImageIsExporting", "Again."), manifest.Queued, taskFailed, "Again.", "ImageIsExporting"},
		"cancelled":            {func(t *fakeTask) { t.end = "Cancelled" }, manifest.Cancelled, taskCancelled, "cancelled in ECS", ""},
		"cancelled, of old":    {func(t *fakeTask) { t.end = "Deleted" }, manifest.Cancelled, taskCancelled, "cancelled in ECS", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.cloud.onAccept = c.change
				w.submit("m-1")
				time.Sleep(w.cloud.duration)
				round := w.follow()
				if len(round.Results) != 1 {
					t.Fatalf("round is %+v", round)
				}
				w.wantResult(round.Results[0], c.state, c.reason)
				head := w.wantHead("m-1", c.state, c.reason)
				if !strings.Contains(head.Detail, c.detail) {
					t.Errorf("detail is %q, want %q", head.Detail, c.detail)
				}
				want := manifest.Broken
				if c.state == manifest.Cancelled {
					want = manifest.Stopped
				}
				a := head.Attempts
				if len(a) != 1 || a[0].Outcome != want || a[0].TaskID != "t-1" || a[0].Code != c.code || a[0].Reason != c.reason {
					t.Errorf("attempts are %+v", a)
				}
				if shared := reasons[c.reason].Class == Shared; shared {
					w.wantHold(c.reason)
				} else {
					w.wantHold("")
				}
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
				w.wantCalls(opExport, 1)
			})
		})
	}
}

func TestTaskThatFailsAgainAndAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.onAccept = func(task *fakeTask) { task.end, task.code, task.message = "Failed", "SnapshotError", "no" }
		w.submit("m-1")
		w.pass(5 * time.Hour)
		w.wantStates("m-1", "submitting exporting queued submitting exporting queued submitting exporting failed")
		head := w.wantHead("m-1", manifest.Failed, taskFailed)
		if head.Failures != 3 || len(head.Attempts) != 3 || head.Task == nil || head.Task.FinishedAt == nil {
			t.Errorf("head is %+v", head)
		}
		waited := head.Attempts[2].StartedAt.Sub(*head.Attempts[1].EndedAt)
		if before := head.Attempts[1].StartedAt.Sub(*head.Attempts[0].EndedAt); waited <= before {
			t.Errorf("it waited %s, then %s", before, waited)
		}
		w.wantMarkers("m-1")
		// A person's retry begins counting anew.
		w.cloud.onAccept = nil
		w.wantResult(w.force("m-1"), manifest.Exporting, "")
		if head := w.head("m-1"); head.Failures != 0 || len(head.Attempts) != 4 {
			t.Errorf("head is %+v", head)
		}
	})
}

func TestTaskThatFailsOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.onAccept = func(task *fakeTask) {
			if task.id == "t-1" {
				task.end = "Failed"
			}
		}
		w.submit("m-1")
		w.pass(2 * time.Hour)
		if head := w.wantHead("m-1", manifest.Exported, ""); head.Failures != 0 || len(head.Attempts) != 2 {
			t.Errorf("head is %+v", head)
		}
	})
}

// ECS may list a task late, tell nothing about it for a while, or forget it.
func TestTaskThatIsNotSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fakeTask)
		before manifest.State // for an hour
		after  string         // the reason then
	}{
		"forgotten":            {func(t *fakeTask) { t.hidden, t.unknown = true, true }, manifest.Exporting, taskVanished},
		"listed, without more": {func(t *fakeTask) { t.unknown = true }, manifest.Exporting, taskVanished},
		"not listed, running":  {func(t *fakeTask) { t.hidden, t.ends = true, t.ends.Add(24*time.Hour) }, manifest.Exporting, ""},
		"not listed, finished": {func(t *fakeTask) { t.hidden = true }, manifest.Exported, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.cloud.onAccept = func(task *fakeTask) {
					if task.id == "t-1" {
						c.change(task)
					}
				}
				w.submit("m-1")
				time.Sleep(vanishTime - time.Minute)
				w.follow()
				w.wantHead("m-1", c.before, "")
				time.Sleep(2 * time.Minute)
				w.follow()
				if c.after == "" {
					w.wantHead("m-1", c.before, "")
					return
				}
				if head := w.wantHead("m-1", manifest.Queued, c.after); head.Failures != 1 {
					t.Errorf("head is %+v", head)
				}
				w.pass(2 * time.Hour)
				w.wantHead("m-1", manifest.Exported, "")
			})
		})
	}
}

func TestTaskThatIsStuck(t *testing.T) {
	t.Parallel()
	for _, recovers := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.add("m-1")
			w.cloud.onAccept = func(task *fakeTask) { task.status = "Confused" }
			w.submit("m-1")
			time.Sleep(stuckTime - time.Minute)
			w.follow()
			w.wantHead("m-1", manifest.Exporting, "")
			if recovers {
				w.task(1).status = ""
			}
			time.Sleep(time.Minute)
			w.follow()
			if recovers {
				w.wantHead("m-1", manifest.Exported, "")
			} else if head := w.wantHead("m-1", manifest.Failed, taskStuck); !strings.Contains(head.Detail, "Confused") {
				t.Errorf("detail is %q", head.Detail)
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]taskStatus{
		"Processing": taskRunning, "Waiting": taskRunning, "pending": taskRunning, "Paused": taskRunning,
		"Finished": taskFinishedStatus, "FINISHED": taskFinishedStatus, "Failed": taskFailedStatus,
		"Deleted": taskCancelledStatus, "Cancelled": taskCancelledStatus, "Canceled": taskCancelledStatus, "Cancelling": taskCancelledStatus,
		"": taskUnknownStatus, "Unfinished": taskUnknownStatus,
	} {
		if got := statusOf(status); got != want {
			t.Errorf("%q is of kind %d, want %d", status, got, want)
		}
	}
}

// A hundred tasks a call, and nothing more for those that run.
func TestFollowingManyIsCheap(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 250
		w.cloud.beforeExport = nil // it reads the whole journal
		for i := range n {
			id := fmt.Sprintf("m-%03d", i)
			w.add(id)
			w.submit(id)
		}
		w.store.ResetOps()
		round := w.follow()
		if ops := w.store.Ops(); round.Seen != n || ops["list"] != 1 || len(ops) != 1 {
			t.Errorf("saw %d for %v", round.Seen, ops)
		}
		w.wantCalls(opTasks, 3)
		w.wantCalls(opDetail, 0)
	})
}

// Exports that have ended are worked side by side, and told of in the order of their tasks.
func TestFollowEndsManyAtOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 3 * followersAtOnce
		for i := range n {
			id := fmt.Sprintf("m-%02d", i)
			w.add(id)
			w.submit(id)
		}
		time.Sleep(w.cloud.duration)
		const trip = 50 * time.Millisecond
		slow := func(string, string) (bool, error) { time.Sleep(trip); return false, nil }
		w.cloud.fault = slow
		w.store.SetFault(slow)
		start := time.Now()
		round := w.follow()
		took := time.Since(start)
		w.cloud.fault = nil
		w.store.SetFault(nil)
		if len(round.Results) != n || round.Seen != n || round.Incomplete {
			t.Fatalf("round is %+v", round)
		}
		for i, r := range round.Results {
			if r.State != manifest.Exported || i > 0 && r.TaskID <= round.Results[i-1].TaskID {
				t.Errorf("result %d is %+v", i, r)
			}
		}
		const longestEnd = 12 // calls, one after the other
		if took > (2+n/followersAtOnce*longestEnd)*trip {
			t.Errorf("it took %d round trips", took/trip)
		}
	})
}

// Once ECS refuses by rate, what else has ended waits for the next round.
func TestFollowStopsWhenThrottled(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 250
		w.cloud.beforeExport = nil // it reads the whole journal
		for i := range n {
			id := fmt.Sprintf("m-%03d", i)
			w.add(id)
			w.submit(id)
		}
		time.Sleep(w.cloud.duration)
		w.fault(opDetail, false, refusal(400, "Throttling.User", "Request was denied due to user flow control."), 0)
		round := w.follow()
		if refused := w.calls(opDetail); !round.Incomplete || refused > followersAtOnce || w.calls(opTasks) != 1 || len(round.Results) != 0 {
			t.Errorf("%d refused calls: round is %+v", refused, round)
		}
		w.noFault()
		if round := w.follow(); round.Incomplete || len(round.Results) != n {
			t.Errorf("%d results, incomplete: %v", len(round.Results), round.Incomplete)
		}
	})
}

// One export's trouble is not the others'.
func TestFollowGoesOn(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.add("m-2")
		w.submit("m-1")
		w.submit("m-2")
		time.Sleep(w.cloud.duration)
		w.cloud.fault = func(op, id string) (bool, error) {
			if op == opDetail && id == "t-1" {
				return false, lost(opDetail)
			}
			return false, nil
		}
		w.follow()
		w.wantHead("m-1", manifest.Exporting, "")
		w.wantHead("m-2", manifest.Exported, "")
		w.noFault()
		w.follow()
		w.wantHead("m-1", manifest.Exported, "")
		w.fault(opTasks, false, lost(opTasks), 0)
		w.add("m-3")
		w.submit("m-3")
		if _, err := w.ferry().Follow(w.Context()); err == nil {
			t.Error("an ECS that cannot be asked is an error")
		}
	})
}

// A task's end is written once, whatever the number of those who follow.
func TestConcurrentFollowers(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		time.Sleep(w.cloud.duration)
		slow := func(string, string) (bool, error) { time.Sleep(time.Millisecond); return false, nil }
		w.store.SetFault(slow)
		done := make(chan error)
		const followers = 8
		for range followers {
			go func() {
				_, err := w.ferry().Follow(w.Context())
				done <- err
			}()
		}
		for range followers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		w.wantStates("m-1", "submitting exporting exported")
		w.wantPublished("m-1")
		w.wantMarkers("m-1")
	})
}
