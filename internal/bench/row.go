package main

import (
	"fmt"
	"strconv"
)

// A Unit is what a figure is in.
type Unit string

// The units.
const (
	Milliseconds Unit = "ms"
	Bytes        Unit = "bytes"
	Trips        Unit = "round trips"
	Calls        Unit = "calls"
	Minutes      Unit = "minutes"
	Images       Unit = "images"
)

// A Row is one line of the table: a figure of ours beside that of a peer or of what is the least possible.
type Row struct {
	Group string `json:"group"`
	What  string `json:"what"`
	Unit  Unit   `json:"unit"`
	Ours  Sample `json:"ours"`
	// Against says what Other is a figure of; without it there is none.
	Against string  `json:"against,omitempty"`
	Other   *Sample `json:"other,omitempty"`
	// Ratio is ours to the other; nil when there is no other, or that is 0.
	Ratio *float64 `json:"ratio,omitempty"`
	// Calls and OtherCalls are those of one run to ECS and OSS; nil where they mean nothing.
	Calls      *int `json:"calls,omitempty"`
	OtherCalls *int `json:"otherCalls,omitempty"`
	// Aim is what the figure is held to; nil when it is shown only.
	Aim *Aim `json:"aim,omitempty"`
	// Note says how the row was come by where that is not by measuring it as it stands.
	Note string `json:"note,omitempty"`
}

// An Aim is the most that a figure may be.
type Aim struct {
	Of   string  `json:"of"` // ours, ratio or calls
	Most float64 `json:"most"`
	Met  bool    `json:"met"`
}

// against puts a figure beside ours.
func (r Row) against(name string, other Sample) Row {
	r.Against, r.Other = name, &other
	if other.Min > 0 {
		r.Ratio = new(ratio(r.Ours, other))
	}
	return r
}

// calls notes how many calls a run made, ours and, if not negative, the other's.
func (r Row) calls(ours, other int) Row {
	r.Calls = &ours
	if other >= 0 {
		r.OtherCalls = &other
	}
	return r
}

// aims at a figure of at most so much, in the row's unit.
func (r Row) aims(most float64) Row {
	r.Aim = &Aim{Of: "ours", Most: most, Met: r.Ours.Median <= most}
	return r
}

func (r Row) aimsAtRatio(most float64) Row {
	r.Aim = &Aim{Of: "ratio", Most: most, Met: *r.Ratio <= most}
	return r
}

func (r Row) aimsAtCalls(most int) Row {
	r.Aim = &Aim{Of: "calls", Most: float64(most), Met: *r.Calls <= most}
	return r
}

func (r Row) noted(note string) Row {
	r.Note = note
	return r
}

// format writes a value of the unit for people.
func (u Unit) format(v float64) string {
	switch u {
	case Bytes:
		switch {
		case v >= 1e6:
			return number(v/1e6) + " MB"
		case v >= 1e3:
			return number(v/1e3) + " kB"
		}
		return number(v) + " B"
	case Milliseconds:
		if v >= 10_000 {
			return number(v/1e3) + " s"
		}
		return number(v) + " ms"
	}
	return number(v)
}

// inText tells whether a formatted value names its unit.
func (u Unit) inText() bool { return u == Bytes || u == Milliseconds }

// number keeps three digits that say something.
func number(v float64) string {
	switch {
	case v == float64(int64(v)), v >= 100:
		return grouped(int64(v + 0.5))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// grouped writes 12345 as 12,345.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// text writes a sample: its median, and its spread if there was more than one run that differed.
func (u Unit) text(s Sample) string {
	if u.format(s.Min) == u.format(s.Max) {
		return u.format(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", u.format(s.Median), u.format(s.Min), u.format(s.Max))
}

// text is the aim in words.
func (a Aim) text(u Unit) string {
	switch a.Of {
	case "ratio":
		return "≤ " + number(a.Most) + "×"
	case "calls":
		return "≤ " + number(a.Most) + " calls"
	}
	most := "≤ " + u.format(a.Most)
	if !u.inText() {
		most += " " + string(u)
	}
	return most
}
