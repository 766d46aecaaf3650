package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// sweeping is what a sweep may do.
type sweeping struct {
	dryRun, yes, all, json bool
	maxAge                 age
	limit                  int
}

// unasked is how many exports a sweep may begin without asking.
const unasked = 10

// A swept is what a sweep decided, and what came of it.
type swept struct {
	DryRun    bool              `json:"dryRun"`
	Decisions []export.Decision `json:"decisions"`
	Results   []outcome         `json:"results"`
	Hold      *manifest.Hold    `json:"hold,omitempty"`
	// Incomplete: the limit left something for the next sweep.
	Incomplete bool `json:"incomplete,omitempty"`
}

func newSweep(a *app) *cobra.Command {
	var c connection
	var o sweeping
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Export every image that has no export yet",
		Long: `Looks at the Available images of the account that are not older than --max-age, and submits those that have no export yet. Images
that can never be exported are written down as skipped; that is no failure.

--dry-run shows the decision on every image, and why, and does nothing. More than 10 exports are begun only after asking, or with
--yes.

--json prints {"dryRun", "decisions": [{"imageId", "name", "created", "action", "state", "reason", "remedy", "detail"}], "results": [as
imageferry submit --json], "hold", "incomplete"}; action is submit, skip, exclude (by the selection) or keep (has an export).`,
		Example: `  imageferry sweep --dry-run
  imageferry sweep --max-age 30d --limit 20
  imageferry sweep --all --yes --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.limit < 0 {
				return usage(errors.New("--limit cannot be negative"))
			}
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			return s.sweep(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "show every decision, and do nothing")
	flags.Var(&o.maxAge, "max-age", "only images created within this age, such as 36h or 30d (FERRY_SWEEP_MAX_AGE)")
	flags.BoolVar(&o.all, "all", false, "images of any age")
	flags.IntVar(&o.limit, "limit", 0, "submit at most so many; 0 is all")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("max-age", "all")
	c.register(cmd)
	return cmd
}

func (s *session) sweep(ctx context.Context, o sweeping) error {
	maxAge := time.Duration(o.maxAge)
	if o.all {
		maxAge = -1
	}
	decisions, err := s.ferry.Plan(ctx, maxAge)
	if err != nil {
		return err
	}
	result := swept{DryRun: o.dryRun, Decisions: decisions, Results: []outcome{}}
	if result.Decisions == nil {
		result.Decisions = []export.Decision{}
	}
	if o.dryRun {
		if result.Hold, err = s.ferry.Hold(ctx); err != nil {
			return err
		}
		return s.printSwept(result, o.json)
	}
	ids, left := result.orders(o.limit)
	result.Incomplete = left
	if err := s.mayBegin(ctx, result, ids, o); err != nil {
		return err
	}
	quarantined, err := s.ferry.RebuildIndex(ctx)
	if err != nil {
		return err
	}
	all, err := carryOut(ctx, ids, func(ctx context.Context, id string) (export.Result, error) {
		return s.ferry.Submit(ctx, export.Order{ImageID: id, Trigger: s.trigger("sweep"), Available: true, Explicit: true})
	})
	for _, r := range quarantined {
		all.Results = append(all.Results, outcome{Result: r})
	}
	result.Results = all.Results
	if err == nil {
		result.Hold, err = s.ferry.Hold(ctx)
	}
	if printErr := s.printSwept(result, o.json); printErr != nil {
		return printErr
	}
	if err != nil {
		return err
	}
	if verdict := all.verdict(s.app, !o.json); verdict == errReported {
		return verdict
	}
	return nil
}

// orders are the images to submit, those to skip included; more tells that the limit left some.
func (r swept) orders(limit int) (ids []string, more bool) {
	for _, d := range r.Decisions {
		if d.Action != export.PlanSubmit && d.Action != export.PlanSkip {
			continue
		}
		if limit > 0 && len(ids) == limit {
			return ids, true
		}
		ids = append(ids, d.ImageID)
	}
	return ids, false
}

// mayBegin asks where there is something to be asked.
func (s *session) mayBegin(ctx context.Context, r swept, ids []string, o sweeping) error {
	submits := 0
	begun := map[string]bool{}
	for _, id := range ids {
		begun[id] = true
	}
	for _, d := range r.Decisions {
		if d.Action == export.PlanSubmit && begun[d.ImageID] {
			submits++
		}
	}
	if submits <= unasked || o.yes {
		return nil
	}
	if !s.asks {
		return usage(advised{
			fmt.Errorf("%d images would be exported, and nobody is there to be asked", submits),
			"Give --yes to export them, --limit for fewer, or --dry-run to see them.",
		})
	}
	yes, err := s.ask(ctx, fmt.Sprintf("Export %d images to oss://%s/? [y/N] ", submits, s.settings.Destination.Bucket))
	if err != nil {
		return err
	}
	if !yes {
		return advised{errors.New("nothing was done"), "See the decisions with --dry-run."}
	}
	return nil
}

// ask waits for an answer on the terminal, or for Ctrl-C.
func (s *session) ask(ctx context.Context, question string) (yes bool, err error) {
	_, _ = fmt.Fprint(s.err, question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(s.in).ReadString('\n') // the end of input is a no
		answer <- line
	}()
	select {
	case line := <-answer:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes", nil
	case <-ctx.Done():
		s.note("")
		return false, errInterrupted
	}
}

func (s *session) printSwept(r swept, asJSON bool) error {
	if asJSON {
		return s.printJSON(r)
	}
	count := map[export.Action]int{}
	for _, d := range r.Decisions {
		count[d.Action]++
	}
	var rows [][]terminal.Cell
	heading := []string{"IMAGE", "STATE", "NAME", "WHAT"}
	if r.DryRun {
		heading[1] = "WOULD"
		for _, d := range r.Decisions {
			rows = append(rows, []terminal.Cell{{Text: d.ImageID}, stateCell(string(d.Action)), {Text: d.Name}, {Text: why(d)}})
		}
	}
	for _, result := range r.Results {
		rows = append(rows, result.row())
	}
	if len(rows) > 0 {
		if err := s.table(heading, rows); err != nil {
			return err
		}
		if err := s.printf("\n"); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s: %d to submit, %d to skip, %d excluded, %d with an export", words.Plural(len(r.Decisions), "image"),
		count[export.PlanSubmit], count[export.PlanSkip], count[export.PlanExclude], count[export.PlanKeep])
	if r.Incomplete {
		text += "; the limit leaves some for the next sweep"
	}
	if r.Hold != nil {
		text += "\nAll exports are held: " + words.Safe(r.Hold.Reason+": "+r.Hold.Remedy)
	}
	return s.printf("%s\n", text)
}

// why is the reason of a decision.
func why(d export.Decision) string {
	switch {
	case d.Action == export.PlanKeep:
		return strings.TrimSuffix("is "+firstOf(string(d.State), "unreadable")+": "+d.Reason, ": ")
	case d.Action == export.PlanSubmit:
		return "has no export"
	}
	return d.Reason + ": " + firstOf(d.Detail, d.Remedy)
}
