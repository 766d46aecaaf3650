package main

import (
	"context"
	"fmt"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// An outcome is what came of an order for one image.
type outcome struct {
	export.Result
	// Error is why the order could not be carried out.
	Error string `json:"error,omitempty"`
	err   error
}

type outcomes struct {
	Results []outcome `json:"results"`
}

// An order is carried out for one image.
type order func(ctx context.Context, imageID string) (export.Result, error)

// carryOut gives an order for each image in turn. One image's error is not the others'; Ctrl-C ends the turn, not the order
// that has begun.
func carryOut(ctx context.Context, ids []string, do order) (outcomes, error) {
	all := outcomes{Results: []outcome{}}
	for _, id := range ids {
		if ctx.Err() != nil {
			return all, errInterrupted
		}
		all.Results = append(all.Results, one(ctx, id, do))
	}
	return all, nil
}

func one(ctx context.Context, id string, do order) outcome {
	within, cancel := shield(ctx)
	defer cancel()
	r, err := do(within, id)
	if err == nil {
		return outcome{Result: r}
	}
	return outcome{Result: export.Result{ImageID: id}, Error: words.Safe(err.Error()), err: err}
}

// report prints outcomes, and is the error that the exit status follows from.
func (o outcomes) report(a *app, asJSON bool) error {
	if asJSON {
		if err := a.printJSON(o); err != nil {
			return err
		}
		return o.verdict(a, false)
	}
	var rows [][]terminal.Cell
	for _, r := range o.Results {
		rows = append(rows, r.row())
	}
	if err := a.table([]string{"IMAGE", "STATE", "NAME", "WHAT"}, rows); err != nil {
		return err
	}
	return o.verdict(a, true)
}

func (o outcome) row() []terminal.Cell {
	what := o.Detail
	switch {
	case o.err != nil:
		what = o.err.Error()
	case o.Reason != "":
		what = o.Reason + ": " + o.Remedy
	case o.TaskID != "" && o.State == manifest.Exporting:
		what = "task " + o.TaskID
	}
	state := string(o.State)
	switch {
	case o.err != nil:
		state = "error"
	case state == "":
		state = "-"
	}
	return []terminal.Cell{{Text: o.ImageID}, stateCell(state), {Text: o.Name}, {Text: what}}
}

// verdict is nil when every image is exported or on its way.
func (o outcomes) verdict(a *app, advise bool) error {
	var verdict error
	for _, r := range o.Results {
		switch {
		case r.err != nil:
			if advice := adviceOn(r.err); advise && advice != "" {
				a.note("%s: %s", r.ImageID, advice)
			}
			verdict = errReported
		case r.State == "":
			verdict = errReported
		case verdict == nil && r.State.Terminal() && r.State != manifest.Exported:
			verdict = errUnmet
		}
	}
	return verdict
}

// stateCell colours a state, or a class of the report.
func stateCell(state string) terminal.Cell {
	style := terminal.Plain
	switch state {
	case "exported", "submit":
		style = terminal.Green
	case "failed", "error", "unreadable", "missing":
		style = terminal.Red
	case "skipped", "cancelled", "skip":
		style = terminal.Yellow
	case "queued", "submitting", "exporting", "pending":
		style = terminal.Cyan
	case "excluded", "exclude", "keep", "-":
		style = terminal.Faint
	}
	return terminal.Cell{Text: state, Style: style}
}

// retried is the order of retry: there has to be an export.
func (s *session) retried(command string) order {
	return func(ctx context.Context, id string) (export.Result, error) {
		if _, err := s.ferry.Get(ctx, id); err != nil {
			return export.Result{}, fmt.Errorf("retry: %w", err)
		}
		return s.submitted(command, true)(ctx, id)
	}
}

// submitted is the order of submit.
func (s *session) submitted(command string, force bool) order {
	return func(ctx context.Context, id string) (export.Result, error) {
		return s.ferry.Submit(ctx, export.Order{ImageID: id, Trigger: s.trigger(command), Explicit: true, Force: force})
	}
}

// cancelled is the order of cancel.
func (s *session) cancelled(ctx context.Context, id string) (export.Result, error) {
	return s.ferry.Cancel(ctx, id, s.trigger("cancel"))
}
