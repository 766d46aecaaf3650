package trace_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/localcloud/trace"
)

// pass takes a call through the tap as a service does.
func pass(ctx context.Context, tap *trace.Tap, action string) (trace.Call, trace.Fault) {
	call, fault := tap.Begin(ctx, trace.Call{Action: action})
	call.Applied = fault.Refuse == nil && fault.Cut != trace.CutBefore
	tap.End(ctx, call, fault)
	return call, fault
}

func TestRecord(t *testing.T) {
	t.Parallel()
	tap := trace.NewTap(0)
	var watched []string
	tap.Watch(func(c trace.Call) {
		watched = append(watched, c.Action)
		_ = tap.Calls() // a watcher may ask the tap
	})
	pass(t.Context(), tap, "a")
	pass(t.Context(), tap, "b")
	calls := tap.Calls()
	if len(calls) != 2 || calls[0].Seq != 1 || calls[0].Action != "a" || calls[1].Seq != 2 || calls[1].Time.IsZero() || !calls[1].Applied {
		t.Errorf("calls %+v", calls)
	}
	calls[0].Action = "changed"
	tap.Reset()
	pass(t.Context(), tap, "c")
	if left := tap.Calls(); len(left) != 1 || left[0].Seq != 3 || left[0].Action != "c" {
		t.Errorf("after Reset: %+v", left)
	}
	if len(watched) != 3 {
		t.Errorf("watched %q", watched)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	mangle := func(status int, body []byte) (int, []byte) { return status, body }
	for _, c := range []struct {
		fault   trace.Fault
		name    string
		applied bool
	}{
		{trace.Fault{}, "", true},
		{trace.Fault{Refuse: &trace.Refusal{Status: 503}, Cut: trace.CutAfter}, "refuse", false},
		{trace.Fault{Cut: trace.CutBefore}, "cut-before", false},
		{trace.Fault{Cut: trace.CutAfter, Delay: time.Nanosecond}, "cut-after", true},
		{trace.Fault{Mangle: mangle}, "mangle", true},
		{trace.Fault{Delay: time.Nanosecond}, "delay", true},
		{trace.Fault{AnswerDelay: time.Nanosecond}, "delay", true},
	} {
		tap := trace.NewTap(0)
		tap.Inject(func(call trace.Call) trace.Fault {
			if call.Action == "hit" {
				return c.fault
			}
			return trace.Fault{}
		})
		pass(t.Context(), tap, "missed")
		pass(t.Context(), tap, "hit")
		tap.Inject(nil)
		pass(t.Context(), tap, "hit")
		calls := tap.Calls()
		if calls[0].Fault != "" || calls[1].Fault != c.name || calls[1].Applied != c.applied || calls[2].Fault != "" {
			t.Errorf("%s: %+v", c.name, calls)
		}
	}
}

// TestTimes checks what is waited, where, and that nobody waits for a caller that has gone.
func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tap := trace.NewTap(time.Second)
		tap.Inject(func(trace.Call) trace.Fault { return trace.Fault{Delay: 2 * time.Second, AnswerDelay: 4 * time.Second} })
		start := time.Now()
		call, fault := tap.Begin(t.Context(), trace.Call{})
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("applied after %s", d)
		}
		tap.End(t.Context(), call, fault)
		if d := time.Since(start); d != 7*time.Second {
			t.Errorf("answered after %s", d)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		start = time.Now()
		pass(gone, tap, "a")
		if d := time.Since(start); d != time.Second/2 {
			t.Errorf("a caller that had gone was waited for until %s", d)
		}
		if len(tap.Calls()) != 2 {
			t.Errorf("calls %+v", tap.Calls())
		}
	})
}

func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	tap := trace.NewTap(0)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() { pass(t.Context(), tap, "a") })
	}
	calls.Wait()
	seen := map[int]bool{}
	for _, c := range tap.Calls() {
		seen[c.Seq] = true
	}
	if len(seen) != 50 || !seen[1] || !seen[50] {
		t.Errorf("numbers %v", seen)
	}
}
