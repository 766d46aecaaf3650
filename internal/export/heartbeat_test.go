package export

import (
	"errors"
	"testing"

	"imageferry/internal/manifest"
)

func TestBeat(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		f := w.ferry()
		f.Beat(t.Context(), []Round{
			{Action: "follow"}, {Action: "drain", Incomplete: true, Held: &manifest.Hold{Reason: "quota-weekly"}}, {Action: "sweep"},
		}, "req-1", false)
		f.Beat(t.Context(), []Round{{Action: "sweep", DryRun: true}, {Action: "drain"}}, "req-2", true)
		beats, err := f.Heartbeats(t.Context())
		if err != nil || len(beats) != 3 {
			t.Fatalf("%+v, %v", beats, err)
		}
		drain, follow, sweep := beats[0], beats[1], beats[2]
		if follow.Held != "quota-weekly" || !follow.Incomplete || follow.RequestID != "req-1" || follow.At.IsZero() {
			t.Errorf("a follow with its drain left %+v", follow)
		}
		if drain.RequestID != "req-2" || !drain.Failed {
			t.Errorf("a drain alone left %+v", drain)
		}
		if sweep.RequestID != "req-1" {
			t.Errorf("a dry run left %+v", sweep)
		}
	})
}

func TestBeatCannotFail(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.fault("put", false, errors.New("no"), 1)
		w.ferry().Beat(t.Context(), []Round{{Action: "follow"}}, "req-1", false)
	})
}
