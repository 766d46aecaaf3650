package main

import (
	_ "embed" // limits.md
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// A Report is all that a run of the benchmarks found.
type Report struct {
	Machine Machine `json:"machine"`
	// Quick: the sizes were so small that the figures mean little.
	Quick bool  `json:"quick,omitempty"`
	Rows  []Row `json:"rows"`
}

// cells are a row's, as people read it.
func (r Row) cells() []string {
	cells := []string{r.What, r.Unit.text(r.Ours), "", "", callsText(r), "", ""}
	if !r.Unit.inText() {
		cells[1] += " " + string(r.Unit)
	}
	if r.Other != nil {
		cells[2] = r.Unit.text(*r.Other) + " " + r.Against
	}
	if r.Ratio != nil {
		cells[3] = number(*r.Ratio) + "×"
	}
	if r.Aim != nil {
		cells[5], cells[6] = r.Aim.text(r.Unit), "missed"
		if r.Aim.Met {
			cells[6] = "met"
		}
	}
	return cells
}

func callsText(r Row) string {
	if r.Calls == nil {
		return ""
	}
	text := grouped(int64(*r.Calls))
	if r.OtherCalls != nil {
		text += " / " + grouped(int64(*r.OtherCalls))
	}
	return text
}

var columns = []string{"what", "ours", "against", "ratio", "calls (ours / theirs)", "aim", ""}

// WriteText writes the report as one table.
func (r Report) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	group := ""
	var notes []string
	for _, row := range r.Rows {
		if row.Group != group {
			group = row.Group
			fmt.Fprintf(table, "\n%s\t%s\n", strings.ToUpper(group), strings.Join(columns[1:], "\t"))
		}
		cells := row.cells()
		if row.Note != "" {
			notes = appendNew(notes, row.Note)
			cells[0] += fmt.Sprintf(" [%d]", indexOf(notes, row.Note)+1)
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	for i, note := range notes {
		fmt.Fprintf(w, "\n[%d] %s", i+1, note)
	}
	_, err := fmt.Fprintf(w, "\n\n%s\n", r.Machine)
	return err
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// WriteMarkdown writes the page of the documentation.
func (r Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(preface)
	fmt.Fprintf(&b, "\nMeasured on %s\n", r.Machine)
	group := ""
	var notes []string
	for _, row := range r.Rows {
		if row.Group != group {
			group = row.Group
			fmt.Fprintf(&b, "\n## %s\n\n| %s |\n|%s\n", sentence(group), strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
		}
		cells := row.cells()
		if row.Note != "" {
			notes = appendNew(notes, row.Note)
			cells[0] += fmt.Sprintf(" <sup>%d</sup>", indexOf(notes, row.Note)+1)
		}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", "\\|")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	if len(notes) > 0 {
		b.WriteString("\n## How some rows came about\n\n")
	}
	for i, note := range notes {
		fmt.Fprintf(&b, "%d. %s\n", i+1, note)
	}
	b.WriteString(limits)
	_, err := io.WriteString(w, b.String())
	return err
}

// limits is what the figures come from, as profiles showed.
//
//go:embed limits.md
var limits string

const preface = `# Benchmarks

This page is written by ` + "`go run ./internal/bench -markdown docs/benchmarks.md`" + `: run it on your own machine. Everything is measured
against the embedded cloud on loopback, ours and the other one in turn within one run; a figure is the median, with the least and
the greatest in brackets. Compare the ratios and the calls: the milliseconds are this machine's.
`

func appendNew(all []string, one string) []string {
	if indexOf(all, one) < 0 {
		return append(all, one)
	}
	return all
}

func indexOf(all []string, one string) int {
	for i, s := range all {
		if s == one {
			return i
		}
	}
	return -1
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
