package alicloud

import (
	"context"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffPause(t *testing.T) {
	t.Parallel()
	b := Backoff{First: 100 * time.Millisecond, Max: time.Second}
	var bounds []time.Duration
	longest := func(most time.Duration) time.Duration { bounds = append(bounds, most); return most }
	for _, n := range []int{1, 2, 3, 4, 5, 6, 1000} {
		if got := b.pause(n, longest); got != bounds[len(bounds)-1] {
			t.Errorf("after try %d the pause is %v, chosen was %v", n, got, bounds)
		}
		if got := b.pause(n, func(time.Duration) time.Duration { return 0 }); got != 0 {
			t.Errorf("after try %d the pause is %v, chosen was 0", n, got)
		}
	}
	const ms = time.Millisecond
	if want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1000 * ms, 1000 * ms, 1000 * ms}; !slices.Equal(bounds, want) {
		t.Errorf("chosen up to %v, want %v", bounds, want)
	}
	if got := (Backoff{First: time.Minute, Max: time.Second}).pause(1, longest); got != time.Second {
		t.Errorf("a first pause above the greatest is %v", got)
	}
}

// Jitter is full: pauses come from the whole range, both ends included, and never leave it.
func TestJitter(t *testing.T) {
	t.Parallel()
	const most = 3 * time.Nanosecond
	seen := map[time.Duration]int{}
	for range 1000 {
		seen[jitter(most)]++
	}
	for d := range most + 1 {
		if seen[d] == 0 {
			t.Errorf("%v was never chosen of %v", d, seen)
		}
	}
	if len(seen) != int(most)+1 || jitter(0) != 0 {
		t.Errorf("chosen were %v", seen)
	}
}

// The waits that are chosen are the waits that are waited, and no try begins that could not end before the deadline.
func TestCallWaitsWhatWasChosen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		budget time.Duration // 0: none
		want   []time.Duration
	}{
		"no deadline":                {0, []time.Duration{0, 100, 300, 700}},
		"deadline after the third":   {500, []time.Duration{0, 100, 300}},
		"deadline at the second try": {100, []time.Duration{0}},
		"deadline before any wait":   {1, []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var at []time.Duration
				session := offline(t, func(*http.Request) (*http.Response, error) {
					at = append(at, time.Since(start)/time.Millisecond)
					return nil, io.EOF
				})
				session.OSS.line.random = func(most time.Duration) time.Duration { return most }
				ctx := t.Context()
				if c.budget > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.budget*time.Millisecond)
					defer cancel()
				}
				callError(t, session.OSS.Store("golden-images").Put(ctx, "k", nil))
				if !slices.Equal(at, c.want) {
					t.Errorf("tries after %v ms, want %v", at, c.want)
				}
			})
		})
	}
}

// A try that may have been applied stays in the fault, whatever the next one is told.
func TestAmbiguityOutlastsATry(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   bool
	}{
		"lost, then refused": {answers(hangUp, ossError(403, "AccessDenied", "")), true},
		"busy, then refused": {answers(ossError(503, "TotalQpsLimitExceeded", ""), ossError(403, "AccessDenied", "")), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.handle)
			e := callError(t, open(t, s).OSS.Store("golden-images").Put(t.Context(), "k", nil))
			if e.Code != "AccessDenied" || e.Ambiguous != c.want || s.count() != 2 {
				t.Errorf("got %+v after %d requests", e, s.count())
			}
		})
	}
}
