package main

import (
	"fmt"
	"strings"

	"imageferry/internal/restore"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// printPlan shows every value, and where it came from.
func (s *session) printPlan(p *restore.Plan, asJSON bool) error {
	if asJSON {
		return s.printJSON(struct {
			Plan *restore.Plan `json:"plan"`
		}{p})
	}
	var rows [][]terminal.Cell
	for _, v := range p.Values {
		from := v.From
		if v.Note != "" {
			from += ": " + v.Note
		}
		rows = append(rows, []terminal.Cell{{Text: v.Name}, {Text: v.Value}, {Text: from, Style: terminal.Faint}})
	}
	if err := s.table([]string{"WHAT", "VALUE", "FROM"}, rows); err != nil {
		return err
	}
	text := ""
	for _, w := range p.Warnings {
		text += "\nwarning: " + words.Safe(w)
	}
	for _, t := range p.Transfers {
		text += transferText(t)
	}
	for _, problem := range p.Problems {
		text += "\nproblem: " + words.Safe(problem.Reason+": "+problem.Detail) + "\n  " + words.Safe(problem.Remedy)
	}
	if text == "" {
		return nil
	}
	return s.printf("%s\n", text)
}

// transferText tells what to copy where, and how.
func transferText(t restore.Transfer) string {
	bucket := firstOf(t.To.Bucket, "<bucket in "+t.To.Region+">")
	text := fmt.Sprintf("\ncopy %s in %s, %s (%d bytes)\n  to %s in %s", words.Safe("oss://"+t.From.Bucket+"/"+t.From.Key), words.Safe(t.From.Region),
		words.Bytes(t.Size), t.Size, words.Safe("oss://"+bucket+"/"+t.To.Key), words.Safe(t.To.Region))
	if t.Command != "" {
		text += "\n  " + words.Safe(t.Command)
	} else if t.To.Bucket == "" {
		text += "\n  --objects-bucket with its name shows the command"
	}
	return text
}

// printRestored tells what came of a restore.
func (s *session) printRestored(r *restore.Record, asJSON bool) error {
	if asJSON {
		return s.printJSON(struct {
			Restore *restore.Record `json:"restore"`
		}{r})
	}
	if err := s.table(restoreHeading(), [][]terminal.Cell{s.restoreRow(r)}); err != nil {
		return err
	}
	var lines []string
	if r.Reason != "" {
		lines = append(lines, r.Reason+": "+r.Remedy)
	}
	if r.Detail != "" {
		lines = append(lines, r.Detail)
	}
	switch {
	case r.State.Terminal():
		for _, w := range r.Warnings {
			lines = append(lines, "warning: "+w)
		}
		if r.Verification != nil {
			for _, f := range r.Verification.Differences() {
				lines = append(lines, fmt.Sprintf("warning: %s is %q, the export has %q", f.Name, f.Got, f.Want))
			}
			lines = append(lines, fmt.Sprintf("compared with the manifest: %s, %d different", words.Plural(len(r.Verification.Facts), "fact"), len(r.Verification.Differences())))
		}
	case r.Lease != nil:
		lines = append(lines, "somebody is at it until "+r.Lease.Until.In(s.zone).Format(storyTime))
	default:
		lines = append(lines, "Run the restore again to go on, or with --wait to see it through.")
	}
	for i, line := range lines {
		lines[i] = words.Safe(line)
	}
	return s.printf("\n%s\n", strings.Join(lines, "\n"))
}

func restoreHeading() []string {
	return []string{"NAME", "STATE", "IMAGE", "CHANGED", "FROM", "REASON"}
}

func (s *session) restoreRow(r *restore.Record) []terminal.Cell {
	image := "-"
	if r.Image != nil {
		image = r.Image.ID
	}
	return []terminal.Cell{
		{Text: r.Name}, restoreCell(r.State), {Text: image}, {Text: words.Since(r.UpdatedAt, s.now())}, {Text: r.Source.Image.ID}, {Text: r.Reason},
	}
}

// restoreCell colours a state.
func restoreCell(state restore.State) terminal.Cell {
	style := terminal.Cyan
	switch state {
	case restore.Restored, restore.Rehearsed:
		style = terminal.Green
	case restore.Failed:
		style = terminal.Red
	case restore.Cancelled:
		style = terminal.Yellow
	}
	return terminal.Cell{Text: string(state), Style: style}
}

// restores tells of the restores of an export, and since when it is proven to be restorable.
func (p *storyPrinter) restores(t story) {
	if len(t.Restores) > 0 {
		p.title("Restores")
		var rows [][]terminal.Cell
		for _, r := range t.Restores {
			image := ""
			if r.Image != nil {
				image = r.Image.ID
			}
			rows = append(rows, []terminal.Cell{
				{Text: "  " + r.Name}, restoreCell(r.State), {Text: r.UpdatedAt.In(p.zone).Format(storyTime)}, {Text: image},
				{Text: strings.TrimSpace(strings.TrimSuffix(r.Reason+": "+r.Remedy, ": ") + " " + r.Detail)},
			})
		}
		p.table(nil, rows)
	}
	if t.Rehearsals == nil {
		return
	}
	p.title("Rehearsals")
	if proven := t.Rehearsals.Proven; proven != nil {
		p.line("  last proven restorable %s", p.when(proven.At))
	}
	if last := t.Rehearsals.Last; !last.OK {
		p.line("  the last one failed %s: %s: %s", p.when(last.At), last.Reason, last.Remedy)
		p.line("  %s", last.Detail)
	}
}
