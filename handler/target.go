package handler

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"imageferry/internal/export"
)

// A Target is one account in one region, with the domain that exports its images to its own bucket.
type Target struct {
	Scope
	Ferry Ferry
	// Restores is nil where images are not restored.
	Restores Restores
}

// A TargetAnswer is what a tick did for a target other than the function's own destination.
type TargetAnswer struct {
	Target string         `json:"target"`
	Rounds []export.Round `json:"rounds,omitempty"`
	// Reason, Remedy and Detail are empty unless a round has failed.
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// to is the invocation for the target of the name; empty is the function's own destination.
func (in *invocation) to(name string) (*invocation, error) {
	if name != "" && name == in.target {
		return in, nil
	}
	for i, t := range in.targets {
		if t.Name != name && (name != "" || i > 0) {
			continue
		}
		chosen := *in
		chosen.ferry, chosen.restores, chosen.bucket, chosen.target = t.Ferry, t.Restores, t.Bucket, name
		if i > 0 {
			chosen.log = in.log.With(slog.String("target", name))
		}
		return &chosen, nil
	}
	return nil, newProblem(http.StatusBadRequest, reasonInvalid, fmt.Sprintf("there is no target %q", clip(name, 32)))
}

// ticks runs a tick for the target that it names, or for all of them at once, each on its own: none waits for another. What
// fails for a target beside the function's own is logged and answered, and no error of such a tick: FC would repeat the rounds of all
// of them because of the one, and the next tick comes anyway.
func (in *invocation) ticks(ctx context.Context, c Tick) (Answer, error) {
	own, err := in.to(c.Target)
	if err != nil {
		return Answer{}, err
	}
	var others []Target
	if c.Target == "" {
		others = in.targets[1:]
	}
	answers := make([]TargetAnswer, len(others))
	var group sync.WaitGroup
	for i, t := range others {
		group.Go(func() { answers[i] = in.tickOther(ctx, t.Name, c) })
	}
	rounds, err := own.tick(ctx, c)
	group.Wait()
	return Answer{Rounds: rounds, Targets: answers, Restores: own.resume(ctx, c)}, err
}

func (in *invocation) tickOther(ctx context.Context, name string, c Tick) TargetAnswer {
	answer := TargetAnswer{Target: name}
	err := in.guard(ctx, func() error {
		other, err := in.to(name)
		if err == nil {
			answer.Rounds, err = other.tick(ctx, c)
		}
		return err
	})
	if err != nil {
		p := problemOf(err)
		answer.Reason, answer.Remedy, answer.Detail = p.Reason, p.Remedy, p.Detail
	}
	return answer
}
