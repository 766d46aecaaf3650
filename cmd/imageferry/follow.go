package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// A followed is what follow did and what it left.
type followed struct {
	Rounds   []export.Round  `json:"rounds"`
	Activity export.Activity `json:"activity"`
	Hold     *manifest.Hold  `json:"hold,omitempty"`
}

func newFollow(a *app) *cobra.Command {
	var c connection
	var w waiting
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Do what a tick of the function does: follow the tasks, drain the queue",
		Long: `Asks ECS about every task that runs, verifies the objects of those that have finished, and submits what is due in the queue. Where
the function is deployed its timer does the same.

With --wait it goes on until no task runs and nothing in the queue is due; what is due later stays in the queue. The exit status
is 2 when an export ended other than exported.

--json prints {"rounds": [{"action", "seen", "results", "held", "incomplete"}], "activity": {"exporting", "queued", "nextDue"}, "hold"}.`,
		Example: `  imageferry follow
  imageferry follow --wait --timeout 6h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			if err := w.check(s.local); err != nil {
				return err
			}
			return s.follow(cmd.Context(), w, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	w.register(cmd)
	c.register(cmd)
	return cmd
}

func (s *session) follow(ctx context.Context, w waiting, asJSON bool) error {
	f := followed{Rounds: []export.Round{}}
	err := s.followUntil(ctx, w, &f)
	if err != nil && !errors.Is(err, errTimeout) && !errors.Is(err, errInterrupted) {
		return err
	}
	if f.Activity, f.Hold, err = s.activity(ctx, err); err != nil && !errors.Is(err, errTimeout) {
		return err
	}
	if asJSON {
		if printErr := s.printJSON(f); printErr != nil {
			return printErr
		}
	} else if printErr := s.printFollowed(f); printErr != nil {
		return printErr
	}
	if errors.Is(err, errTimeout) {
		s.note("tasks still run after %s: they go on", w.timeout)
		return errUnmet
	}
	return f.verdict()
}

// activity is what is left, read even after the waiting was given up; err is passed on.
func (s *session) activity(ctx context.Context, err error) (export.Activity, *manifest.Hold, error) {
	if ctx.Err() != nil {
		return export.Activity{}, nil, errInterrupted
	}
	activity, readErr := s.ferry.Activity(ctx)
	if readErr != nil {
		return activity, nil, readErr
	}
	hold, readErr := s.ferry.Hold(ctx)
	if readErr != nil {
		return activity, nil, readErr
	}
	return activity, hold, err
}

// followUntil makes one round, or rounds until nothing runs. Further rounds in which nothing was decided are left out.
func (s *session) followUntil(ctx context.Context, w waiting, f *followed) error {
	rounds, err := s.round(ctx)
	f.Rounds = append(f.Rounds, rounds...)
	if err != nil || !w.wait {
		return err
	}
	view := s.newLines()
	view.decided(rounds)
	return s.repeat(ctx, w, func(ctx context.Context) (bool, error) {
		rounds, err := s.round(ctx)
		view.decided(rounds)
		for _, r := range rounds {
			if len(r.Results) > 0 {
				f.Rounds = append(f.Rounds, r)
			}
		}
		if err != nil {
			return false, err
		}
		activity, err := s.ferry.Activity(ctx)
		due := activity.NextDue != nil && !activity.NextDue.After(s.now()) && !held(rounds)
		return activity.Exporting == 0 && !due, err
	})
}

func held(rounds []export.Round) bool {
	for _, r := range rounds {
		if r.Held != nil {
			return true
		}
	}
	return false
}

func (s *session) printFollowed(f followed) error {
	var rows [][]terminal.Cell
	for _, round := range f.Rounds {
		for _, r := range round.Results {
			rows = append(rows, outcome{Result: r}.row())
		}
	}
	if len(rows) > 0 {
		if err := s.table([]string{"IMAGE", "STATE", "NAME", "WHAT"}, rows); err != nil {
			return err
		}
		if err := s.printf("\n"); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%d running, %d queued", f.Activity.Exporting, f.Activity.Queued)
	if f.Activity.NextDue != nil {
		text += ", the first is due " + words.Since(*f.Activity.NextDue, s.now())
	}
	if f.Hold != nil {
		text += fmt.Sprintf("\nAll are held since %s: %s: %s", words.Since(f.Hold.Since, s.now()), words.Safe(f.Hold.Reason), words.Safe(f.Hold.Remedy))
	}
	return s.printf("%s\n", text)
}

// verdict goes by how each export ended last.
func (f followed) verdict() error {
	last := map[string]export.Result{}
	for _, round := range f.Rounds {
		for _, r := range round.Results {
			last[r.ImageID] = r
		}
	}
	for _, r := range last {
		if r.State == "" || r.State.Terminal() && r.State != manifest.Exported {
			return errUnmet
		}
	}
	return nil
}
