package doctor

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Status is what a check has come to.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Problem Status = "problem" // something is wrong, and Repair says how to repair it
	Unknown Status = "unknown" // it could not be seen, or is not decided; Repair says how to find out
)

// A Finding is the outcome of one check.
type Finding struct {
	// Check is a stable code, such as bucket-region.
	Check string `json:"check"`
	// About names the bucket, role, image or variable, where there are several.
	About  string `json:"about,omitempty"`
	Status Status `json:"status"`
	// Seen is what was found, in a sentence.
	Seen string `json:"seen"`
	// Repair are commands and console steps, in the order in which they are to be taken.
	Repair []string `json:"repair,omitempty"`
}

// A Report is everything that was checked, in the order in which things depend on each other.
type Report struct {
	At        time.Time `json:"at"`
	Region    string    `json:"region"`
	AccountID string    `json:"accountId,omitempty"`
	Findings  []Finding `json:"findings"`
	// OK, Problems and Unknown count the findings.
	OK       int `json:"ok"`
	Problems int `json:"problems"`
	Unknown  int `json:"unknown"`
}

func (r *Report) add(f Finding) {
	switch f.Status {
	case OK:
		r.OK++
	case Problem:
		r.Problems++
	default:
		r.Unknown++
	}
	r.Findings = append(r.Findings, f)
}

// WriteText writes the report for people: a line a finding, and under it how to repair it.
func (r Report) WriteText(w io.Writer) error {
	width := 0
	for _, f := range r.Findings {
		width = max(width, len(f.Check))
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", f.Status, width, f.Check, f.text())
		for _, step := range f.Repair {
			fmt.Fprintf(&b, "%*s> %s\n", 11+width, "", step)
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %s, %d unknown\n", r.OK, plural(r.Problems, "problem"), r.Unknown)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// text is what was seen, with what it is about unless it says so itself.
func (f Finding) text() string {
	if f.About == "" || strings.Contains(f.Seen, f.About) {
		return f.Seen
	}
	return f.About + ": " + f.Seen
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
