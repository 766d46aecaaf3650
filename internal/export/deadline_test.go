package export

import (
	"context"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

// With too little time left nothing is begun, and the event comes again.
func TestSubmitWithTooLittleTime(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		ctx, cancel := w.within(DefaultReserve)
		defer cancel()
		if _, err := w.ferry().Submit(ctx, Order{ImageID: "m-1", Trigger: w.trigger("event")}); err == nil {
			t.Error("there is no time")
		}
		w.wantCalls(opExport, 0)
		if keys := w.store.Keys(""); len(keys) != 0 {
			t.Errorf("keys are %q", keys)
		}
	})
}

// The lease never ends after the invocation's deadline by more than the clocks may differ.
func TestLeaseIsWithinTheDeadline(t *testing.T) {
	t.Parallel()
	for _, left := range []time.Duration{DefaultReserve + time.Second, 30 * time.Second, time.Hour} {
		inWorld(t, func(w *world) {
			w.add("m-1")
			ctx, cancel := w.within(left)
			defer cancel()
			if _, err := w.ferry().Submit(ctx, Order{ImageID: "m-1", Trigger: w.trigger("event")}); err != nil {
				t.Fatal(err)
			}
			intent := w.revisions("m-1")[0]
			want := min(left-DefaultReserve, maxBudget) + w.settings.ClockSkew
			if got := intent.Lease.Until.Sub(intent.UpdatedAt); got != want || !intent.DueAt.Equal(intent.Lease.Until) {
				t.Errorf("with %s left the lease is %s, want %s", left, got, want)
			}
		})
	}
}

// The looks took up all of the budget: ExportImage is not called any more, because the lease may end under it.
func TestBudgetThatIsOver(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		f := w.ferry()
		f.Objects = lateObjects{w.cloud}
		r, err := f.Submit(w.Context(), Order{ImageID: "m-1", Trigger: w.trigger("event")})
		if err != nil {
			t.Fatal(err)
		}
		w.wantResult(r, manifest.Submitting, answerLost)
		w.wantCalls(opExport, 0)
		w.pass(3 * time.Minute)
		w.wantHead("m-1", manifest.Exporting, "")
		w.wantCalls(opExport, 1)
	})
}

// lateObjects answers about buckets when the budget is over.
type lateObjects struct{ *fakeCloud }

func (l lateObjects) Bucket(ctx context.Context, name string) (Bucket, bool, error) {
	b, found, err := l.fakeCloud.Bucket(ctx, name)
	time.Sleep(maxBudget + time.Second)
	return b, found, err
}

// Drain, follow and sweep begin nothing that they cannot finish; the next tick goes on.
func TestRoundsStopInTime(t *testing.T) {
	t.Parallel()
	const n = 10
	ids := []string{"m-0", "m-1", "m-2", "m-3", "m-4", "m-5", "m-6", "m-7", "m-8", "m-9"}
	slow := func(w *world) {
		w.cloud.fault = func(op, _ string) (bool, error) {
			switch op { // so that half of the images fit into a round, or what is followed at once
			case opExport:
				time.Sleep(5 * time.Second)
			case opDetail:
				time.Sleep(25 * time.Second)
			}
			return false, nil
		}
	}
	for action, c := range map[string]struct {
		prepare func(w *world)
		done    manifest.State
	}{
		"sweep": {func(*world) {}, manifest.Exporting},
		"drain": {func(w *world) {
			w.cloud.quota = 0
			for _, id := range ids {
				w.submit(id)
			}
			w.cloud.quota = n
		}, manifest.Exporting},
		"follow": {func(w *world) {
			for _, id := range ids {
				w.submit(id)
			}
			time.Sleep(w.cloud.duration)
		}, manifest.Exported},
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				for _, id := range ids {
					w.add(id)
				}
				c.prepare(w)
				slow(w)
				rounds := 0
				for incomplete := true; incomplete && rounds < n; rounds++ {
					const limit = 30 * time.Second
					ctx, cancel := w.within(limit)
					start := time.Now()
					var round Round
					var err error
					switch action {
					case "sweep":
						round, err = w.ferry().Sweep(ctx, SweepOrder{Trigger: w.trigger("timer")})
					case "drain":
						round, err = w.ferry().Drain(ctx)
					case "follow":
						round, err = w.ferry().Follow(ctx)
					}
					cancel()
					if err != nil {
						t.Fatal(err)
					}
					if took := time.Since(start); took > limit-DefaultReserve {
						t.Errorf("the round took %s of %s", took, limit)
					}
					incomplete = round.Incomplete
					w.check()
				}
				if rounds != 2 {
					t.Errorf("it took %d rounds", rounds)
				}
				for _, id := range ids {
					w.wantHead(id, c.done, "")
				}
			})
		})
	}
}
