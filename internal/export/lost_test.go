package export

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// faults lets several kinds of calls fail at once.
func (w *world) faults(failures map[string]error) {
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	w.cloud.fault = func(op, _ string) (bool, error) { return op == opExport, failures[op] }
}

const overLease = maxBudget + 10*time.Second

func TestLostAnswerOfATaskThatIsSeen(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.fault(opExport, true, lost(opExport), 1)
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
		if a := w.head("m-1").Attempts; len(a) != 1 || a[0].Outcome != manifest.Adopted || a[0].TaskID != "t-1" {
			t.Errorf("attempts are %+v", a)
		}
		w.pass(time.Hour)
		w.wantStates("m-1", "submitting exporting exported")
		w.wantCalls(opExport, 1)
	})
}

func TestAnswerWithoutATaskID(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.anonymous = true
		r := w.submit("m-1")
		w.wantResult(r, manifest.Exporting, "")
		if r.TaskID != "t-1" || w.head("m-1").Attempts[0].RequestID != "request-t-1" {
			t.Errorf("result is %+v, attempts are %+v", r, w.head("m-1").Attempts)
		}
	})
}

// The task appears in DescribeTasks only later: whoever takes over after the lease adopts it.
func TestLostAnswerOfATaskThatIsSeenLater(t *testing.T) {
	t.Parallel()
	for _, finished := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.add("m-1")
			w.cloud.onAccept = func(task *fakeTask) { task.hidden = true }
			w.fault(opExport, true, lost(opExport), 1)
			w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
			w.wantMarkers("m-1")
			w.wantResult(w.submit("m-1"), manifest.Submitting, "") // a live lease
			time.Sleep(time.Second)
			w.drain()
			w.wantStates("m-1", "submitting")
			w.task(1).hidden = false
			if finished {
				time.Sleep(w.cloud.duration)
			}
			time.Sleep(overLease)
			w.drain()
			w.wantStates("m-1", "submitting submitting exporting")
			w.wantMarkers("m-1")
			w.pass(time.Hour)
			w.wantHead("m-1", manifest.Exported, "")
			w.wantCalls(opExport, 1)
		})
	}
}

func TestLostAnswerOfNothing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.fault(opExport, false, lost(opExport), 1)
		w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
		time.Sleep(overLease)
		w.drain()
		head := w.wantHead("m-1", manifest.Exporting, "")
		a := head.Attempts
		if len(a) != 2 || a[0].Outcome != manifest.Lost || a[1].Outcome != manifest.Accepted || a[1].Number != 2 {
			t.Errorf("attempts are %+v", a)
		}
		w.wantCalls(opExport, 2)
		if tokens := w.cloud.tokens; len(tokens) != 1 || len(w.cloud.tasks) != 1 {
			t.Errorf("tokens are %q, %d tasks", tokens, len(w.cloud.tasks))
		}
		w.wantMarkers("m-1")
	})
}

// An event delivered again takes over, too, once the lease is over.
func TestEventTakesOver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.cloud.onAccept = func(task *fakeTask) { task.hidden = true }
		w.fault(opExport, true, lost(opExport), 1)
		w.submit("m-1")
		w.task(1).hidden = false
		time.Sleep(overLease)
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
		w.wantCalls(opExport, 1)
		w.wantMarkers("m-1")
	})
}

// As long as nobody can look for the task nothing is submitted and nothing is given up, whatever the looking is refused with.
func TestLookThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"no answer":         {lost(opTaskOf), ecsUnavailable},
		"throttled":         {&CallError{Op: opTaskOf, Status: 400, Code: "Throttling.User", Message: "slow"}, throttled},
		"forbidden":         {&CallError{Op: opTaskOf, Status: 403, Code: "Forbidden.RAM", Message: "no"}, permissionDenied},
		"a parameter":       {&CallError{Op: opTaskOf, Status: 400, Code: "MissingParameter", Message: "no"}, ecsUnavailable},
		"a skipping code":   {&CallError{Op: opTaskOf, Status: 400, Code: "OperationDenied", Message: "no"}, ecsUnavailable},
		"a code that fails": {&CallError{Op: opTaskOf, Status: 404, Code: "InvalidImageId.NotFound", Message: "no"}, ecsUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				w.faults(map[string]error{opExport: lost(opExport), opTaskOf: c.err})
				w.wantResult(w.submit("m-1"), manifest.Submitting, answerLost)
				w.pass(40 * time.Minute)
				head := w.wantHead("m-1", manifest.Queued, c.reason)
				if openAttempt(head) == nil || len(head.Attempts) != 1 || head.Failures != 0 {
					t.Errorf("head is %+v", head)
				}
				w.wantMarkers("m-1")
				w.wantCalls(opExport, 1)
				if _, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http")); !errors.Is(err, ErrState) {
					t.Errorf("what may run cannot be cancelled: %v", err)
				}
				w.noFault()
				w.wantResult(w.force("m-1"), manifest.Exporting, "") // looks first, too
				w.pass(time.Hour)
				w.wantHead("m-1", manifest.Exported, "")
				w.wantCalls(opExport, 1)
			})
		})
	}
}

// ECS accepted, and the journal could not be written.
func TestTaskThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{false, true} {
		inWorld(t, func(w *world) {
			w.add("m-1")
			w.store.SetFault(func(op, key string) (bool, error) {
				if strings.HasSuffix(key, "00000002.json") {
					return applied && op == manifesttest.Create, errors.New("connection reset")
				}
				return false, nil
			})
			_, err := w.ferry().Submit(w.Context(), Order{ImageID: "m-1", Trigger: w.trigger("event")})
			if err == nil {
				t.Error("the event must come again")
			}
			w.store.SetFault(nil)
			time.Sleep(overLease)
			w.submit("m-1")
			w.pass(time.Hour)
			w.wantHead("m-1", manifest.Exported, "")
			w.wantMarkers("m-1")
			w.wantPublished("m-1")
			w.wantCalls(opExport, 1)
		})
	}
}

// The process dies at any of the calls of a submit: what it leaves behind is carried to the end, with one task.
func TestDeathAtEveryCall(t *testing.T) {
	t.Parallel()
	for call := 1; ; call++ {
		died := false
		inWorld(t, func(w *world) {
			w.add("m-1")
			var acknowledged bool
			died, acknowledged = w.dieAt(call)
			w.pass(2 * time.Hour)
			if !acknowledged {
				w.submit("m-1") // the event comes again
				w.pass(time.Hour)
			}
			w.wantHead("m-1", manifest.Exported, "")
			if len(w.cloud.tasks) != 1 {
				t.Errorf("death at call %d: %d tasks", call, len(w.cloud.tasks))
			}
			w.wantMarkers("m-1")
		})
		if !died || t.Failed() {
			return
		}
	}
}

// dieAt submits m-1 with an invocation whose calls from the n-th on never leave it, except that the n-th one arrives, and
// loses its answer, where n is odd.
func (w *world) dieAt(n int) (died, acknowledged bool) {
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	calls := 0
	var mu sync.Mutex
	fault := func(string, string) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls < n {
			return false, nil
		}
		died = true
		cancel()
		return calls == n && n%2 == 1, &CallError{Op: "any", Message: "cut", Ambiguous: true, Cause: context.Canceled}
	}
	w.cloud.fault = fault
	w.store.SetFault(fault)
	_, err := w.ferry().Submit(ctx, Order{ImageID: "m-1", Trigger: w.trigger("event"), Available: true})
	w.cloud.fault = nil
	w.store.SetFault(nil)
	return died, err == nil
}

// A writer that is slower than its lease finds that another has gone on.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		others func(w *world) // while the slow writer's answer is on its way
		states string
	}{
		"the other adopts the task": {func(w *world) { w.drain() }, "submitting submitting exporting"},
		"the other could not look, and queued it": {func(w *world) {
			w.faults(map[string]error{opTaskOf: lost(opTaskOf)})
			w.drain()
		}, "submitting submitting queued exporting"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.add("m-1")
				accepted, answer := make(chan struct{}), make(chan struct{})
				w.cloud.onAccept = func(*fakeTask) { close(accepted) }
				slow := &slowTasks{fakeCloud: w.cloud, answer: answer}
				f := w.ferry()
				f.Tasks = slow
				done := make(chan Result)
				go func() {
					r, err := f.Submit(w.Context(), Order{ImageID: "m-1", Trigger: manifest.Trigger{Kind: "event"}})
					if err != nil {
						t.Error(err)
					}
					done <- r
				}()
				<-accepted
				time.Sleep(overLease)
				c.others(w)
				w.noFault()
				close(answer)
				w.wantResult(<-done, manifest.Exporting, "")
				w.wantStates("m-1", c.states)
				w.wantCalls(opExport, 1)
				w.pass(time.Hour)
				w.wantHead("m-1", manifest.Exported, "")
				w.wantMarkers("m-1")
				w.wantPublished("m-1")
			})
		})
	}
}

// slowTasks holds back the answer of ExportImage.
type slowTasks struct {
	*fakeCloud
	answer chan struct{}
}

func (s *slowTasks) Export(ctx context.Context, r Request) (Accepted, error) {
	accepted, err := s.fakeCloud.Export(ctx, r)
	<-s.answer
	return accepted, err
}
