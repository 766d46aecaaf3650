package export

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// A refusal that all exports share costs one call a tick, however many wait, and heals by itself.
func TestSharedRefusalHoldsAll(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = 8
		w.fault(opExport, false, refusal(403, "UserNotInTheWhiteList", "The user is not in the white list of exporting image."), 0)
		for i := range n {
			id := fmt.Sprintf("m-%d", i)
			w.add(id)
			r := w.submit(id)
			w.wantResult(r, manifest.Queued, whitelist)
			if !strings.Contains(r.Detail, "white list") {
				t.Errorf("detail is %q", r.Detail)
			}
			time.Sleep(time.Second)
		}
		w.wantCalls(opExport, 1)
		w.wantHold(whitelist)
		const ticks = 30
		for tick := range ticks {
			time.Sleep(time.Minute)
			round := w.drain()
			if len(round.Results) > 1 || round.Held == nil || round.Held.Reason != whitelist {
				t.Fatalf("tick %d: round is %+v", tick, round)
			}
		}
		if calls := w.calls(opExport); calls > 1+ticks {
			t.Errorf("%d calls in %d ticks", calls, ticks)
		}
		revisions := len(w.store.Keys("journal/"))
		if most := 2*n + 2*ticks; revisions > most {
			t.Errorf("%d revisions, want at most %d", revisions, most)
		}
		w.noFault()
		before := w.calls(opExport)
		w.pass(2 * time.Hour)
		for i := range n {
			w.wantHead(fmt.Sprintf("m-%d", i), manifest.Exported, "")
		}
		w.wantCalls(opExport, before+n)
		w.wantHold("")
	})
}

// While the quota is used up the oldest goes first, and nobody overtakes it.
func TestQuotaIsGivenToTheOldest(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cloud.quota = 1
		w.cloud.duration = 10 * time.Minute
		const n = 4
		for i := range n {
			id := fmt.Sprintf("m-%d", n-i) // not in the order of the ids
			w.add(id)
			w.submit(id)
			time.Sleep(time.Second)
		}
		w.wantCalls(opExport, 2)
		w.wantHead("m-4", manifest.Exporting, "")
		w.wantHead("m-3", manifest.Queued, quotaConcurrent)
		w.wantHead("m-1", manifest.Queued, quotaConcurrent)
		w.wantHold(quotaConcurrent)
		w.pass(n * 12 * time.Minute)
		for i, task := range w.cloud.tasks {
			if want := fmt.Sprintf("m-%d", n-i); task.imageID != want {
				t.Errorf("task %d is of %s, want %s", i+1, task.imageID, want)
			}
		}
		for i := range n {
			w.wantHead(fmt.Sprintf("m-%d", n-i), manifest.Exported, "")
		}
		w.wantHold("")
		for _, m := range w.revisions("m-1") {
			if m.Failures != 0 {
				t.Errorf("waiting for the quota was counted in %+v", m)
			}
		}
	})
}

// An export that waits for the quota for long does not lose its history to it.
func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cloud.quota = 0
		w.add("m-1")
		w.submit("m-1")
		w.pass(25 * time.Minute)
		head := w.wantHead("m-1", manifest.Queued, quotaConcurrent)
		n := len(head.Attempts)
		if n != manifest.MaxAttemptsKept || head.Attempts[n-1].Number <= n {
			t.Errorf("%d attempts are kept, the last is %+v", n, head.Attempts[n-1])
		}
	})
}

// Should nobody tick, new events submit again once the hold's time is over.
func TestHoldEndsByItself(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.add("m-2")
		w.add("m-3")
		w.fault(opExport, false, refusal(403, "NoSetRoletoECSServiceAcount", "no role"), 1)
		w.wantResult(w.submit("m-1"), manifest.Queued, exportRoleMissing)
		time.Sleep(holdTime - time.Second)
		w.wantResult(w.submit("m-2"), manifest.Queued, exportRoleMissing)
		w.wantCalls(opExport, 1)
		time.Sleep(time.Second)
		w.wantResult(w.submit("m-3"), manifest.Exporting, "")
		w.drain()
		w.wantHead("m-1", manifest.Exporting, "")
		w.wantHead("m-2", manifest.Exporting, "")
		w.wantHold("")
	})
}

func TestHoldEndsWithTheQueue(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.fault(opExport, false, refusal(403, "UserNotInTheWhiteList", "no"), 0)
		w.submit("m-1")
		if _, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http")); err != nil {
			t.Fatal(err)
		}
		if round := w.drain(); round.Held != nil {
			t.Errorf("round is %+v", round)
		}
		w.wantHold("")
	})
}

// A person may ask in spite of the hold.
func TestForceProbesInSpiteOfTheHold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.fault(opExport, false, refusal(403, "UserNotInTheWhiteList", "no"), 1)
		w.submit("m-1")
		w.wantResult(w.submit("m-1"), manifest.Queued, whitelist)
		w.wantCalls(opExport, 1)
		w.wantResult(w.force("m-1"), manifest.Exporting, "")
		w.wantMarkers("m-1")
	})
}

// The hold is a hint: where it cannot be written or read, exports go their way.
func TestHoldThatCannotBeKept(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.add("m-2")
		w.store.SetFault(func(_, key string) (bool, error) {
			if strings.HasSuffix(key, "active/hold") {
				return false, errors.New("connection reset")
			}
			return false, nil
		})
		w.fault(opExport, false, refusal(403, "UserNotInTheWhiteList", "no"), 0)
		w.wantResult(w.submit("m-1"), manifest.Queued, whitelist)
		w.wantResult(w.submit("m-2"), manifest.Queued, whitelist)
		w.wantCalls(opExport, 2)
		if _, err := w.ferry().Drain(w.Context()); err == nil {
			t.Error("a drain that cannot see the hold would call for every export")
		}
		w.store.SetFault(nil)
		w.noFault()
		w.pass(5 * time.Minute)
		w.wantHead("m-1", manifest.Exporting, "")
	})
}

// The hold tells since when, until when and how often ECS was asked.
func TestHoldCounts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		start := time.Now()
		w.cloud.quota = 0
		w.submit("m-1")
		time.Sleep(time.Minute)
		w.drain()
		hold, err := manifest.NewIndex(w.store, testLayout).Hold(w.Context())
		if err != nil || hold == nil || hold.Probes != 2 || !hold.Since.Equal(start) || !hold.Until.Equal(time.Now().Add(holdTime)) {
			t.Errorf("hold is %+v (%v)", hold, err)
		}
		// Another reason begins anew.
		w.fault(opExport, false, refusal(400, "Throttling.User", "slow"), 1)
		time.Sleep(time.Minute)
		w.drain()
		hold, err = manifest.NewIndex(w.store, testLayout).Hold(w.Context())
		if err != nil || hold == nil || hold.Reason != throttled || hold.Probes != 1 || !hold.Since.Equal(time.Now()) {
			t.Errorf("hold is %+v (%v)", hold, err)
		}
	})
}

// Ticks come more often than it makes sense to probe: but a minute of throttling is over soon, and a person does not wait.
func TestProbesPause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		refused error
		reason  string
		probes  int // in half an hour
	}{
		{refusal(403, "UserNotInTheWhiteList", "The user is not in the white list of exporting image."), whitelist, 6},
		{refusal(400, "Throttling.User", "Request was denied due to user flow control."), throttled, 30},
	} {
		inWorld(t, func(w *world) {
			w.settings.ProbePause = 4*time.Minute + time.Second
			w.fault(opExport, false, c.refused, 0)
			for _, id := range []string{"m-1", "m-2", "m-3"} {
				w.add(id)
				w.submit(id)
			}
			w.wantCalls(opExport, 1)
			for range 30 {
				time.Sleep(time.Minute)
				if round := w.drain(); round.Held == nil || round.Held.Reason != c.reason {
					t.Fatalf("round is %+v", round)
				}
			}
			w.wantCalls(opExport, 1+c.probes)
			w.wantResult(w.force("m-3"), manifest.Queued, c.reason)
			w.wantCalls(opExport, 2+c.probes)
			w.noFault()
			w.pass(10 * time.Minute)
			for _, id := range []string{"m-1", "m-2", "m-3"} {
				w.wantHead(id, manifest.Exporting, "")
			}
			w.wantHold("")
		})
	}
}

// A probe that ends for its own reasons says nothing about the hold: the next in line is asked.
func TestProbeThatIsSkipped(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cloud.quota = 0
		w.add("m-1")
		w.add("m-2")
		w.submit("m-1")
		time.Sleep(time.Second)
		w.submit("m-2")
		w.addAfter(0, goodImage("m-2"))
		deprecated := goodImage("m-1")
		deprecated.Status = "Deprecated"
		w.addAfter(0, deprecated)
		w.cloud.quota = 1
		w.store.ResetOps()
		w.drain()
		w.wantHead("m-1", manifest.Skipped, imageDeprecated)
		w.wantHead("m-2", manifest.Exporting, "")
		w.wantHold("")
		if ops := w.store.Ops(); ops[manifesttest.Create] != 4 {
			t.Errorf("operations are %v", ops)
		}
	})
}
