package export

import (
	"context"

	"imageferry/internal/manifest"
)

// Beat leaves the trace of a timer's tick: one heartbeat for each of its rounds, except that a drain after a follow is part
// of that one. A dry run leaves none. A heartbeat that cannot be written is logged: the rounds have done their work all the
// same.
func (f *Ferry) Beat(ctx context.Context, rounds []Round, requestID string, failed bool) {
	var beats []manifest.Heartbeat
	for _, round := range rounds {
		if round.DryRun {
			continue
		}
		if n := len(beats); round.Action == "drain" && n > 0 && beats[n-1].Action == "follow" {
			addRound(&beats[n-1], round)
			continue
		}
		h := manifest.Heartbeat{At: f.now(), Action: round.Action, RequestID: requestID, Version: f.settings.Program, Failed: failed}
		addRound(&h, round)
		beats = append(beats, h)
	}
	for _, h := range beats {
		if err := f.index.PutHeartbeat(ctx, h); err != nil {
			f.log.WarnContext(ctx, "heartbeat is not written", "action", h.Action, "error", err.Error())
		}
	}
}

func addRound(h *manifest.Heartbeat, round Round) {
	h.Incomplete = h.Incomplete || round.Incomplete
	if round.Held != nil {
		h.Held = round.Held.Reason
	}
}

// Heartbeats reads when the timers have last run each action, in the order of the actions' names; an action without one has
// never run by a timer.
func (f *Ferry) Heartbeats(ctx context.Context) ([]manifest.Heartbeat, error) {
	return f.index.Heartbeats(ctx)
}
