package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

const (
	chartDays   = 30
	slotWidth   = 10
	barWidth    = 7
	plotHeight  = 56
	smallestBar = 1.5 // so that one of a thousand is still seen
)

// A chart is thirty days of one measure, drawn in a box of chartDays*slotWidth by plotHeight units.
type chart struct {
	ID       string
	Title    string
	Headline string
	Note     string
	Text     string // what a screen reader says in place of the drawing
	Max      string // what the top of the box stands for
	Zero     float64
	Slots    []slot
	From, To string
	Legend   []legend
	Empty    bool
}

// A slot is one day.
type slot struct {
	X    float64
	Text string
	Bars []bar
}

type bar struct {
	X, Y, W, H float64
	Class      string
}

type legend struct{ Class, Text string }

// window is the last thirty days, oldest first, with the days that have nothing to tell.
func window(days []export.Day, now time.Time) []export.Day {
	byDate := map[string]export.Day{}
	for _, d := range days {
		byDate[d.Date] = d
	}
	all := make([]export.Day, chartDays)
	for i := range all {
		date := now.UTC().AddDate(0, 0, i-chartDays+1).Format(time.DateOnly)
		all[i] = byDate[date]
		all[i].Date = date
	}
	return all
}

func charts(o export.Overview, now time.Time) []chart {
	days := window(o.Days, now)
	all := []chart{outcomeChart(days), durationChart(days), byteChart(days, o.Bytes)}
	for i := range all {
		all[i].From, all[i].To = shortDate(days[0].Date), shortDate(days[len(days)-1].Date)
	}
	return all
}

func shortDate(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return t.Format("2 Jan")
}

// missed are the outcomes other than exported, in the order in which they are drawn.
func missed() []manifest.State {
	return []manifest.State{manifest.Failed, manifest.Skipped, manifest.Cancelled}
}

func notExported(d export.Day) int {
	n := 0
	for _, s := range missed() {
		n += d.Outcomes[s]
	}
	return n
}

// outcomeChart draws what was exported above a line, and what was not below it.
func outcomeChart(days []export.Day) chart {
	up, down, good, bad := 0, 0, 0, 0
	for _, d := range days {
		up, down = max(up, d.Outcomes[manifest.Exported]), max(down, notExported(d))
		good, bad = good+d.Outcomes[manifest.Exported], bad+notExported(d)
	}
	c := chart{
		ID: "outcomes", Title: "Exports per day", Headline: count(good), Note: "exported in 30 days, " + count(bad) + " not", Max: count(up),
		Text:  fmt.Sprintf("In 30 days %d exported and %d failed, skipped or cancelled; at most %d exported on one day.", good, bad, up),
		Empty: good+bad == 0,
		Legend: []legend{
			{"exported", "exported"}, {"failed", "failed"}, {"skipped", "skipped"}, {"cancelled", "cancelled"},
		},
	}
	if c.Empty {
		return c
	}
	unit := plotHeight / float64(up+down)
	c.Zero = round1(float64(up) * unit)
	for i, d := range days {
		s := slotOf(i, d)
		if n := d.Outcomes[manifest.Exported]; n > 0 {
			h := max(float64(n)*unit, smallestBar)
			s.Bars = append(s.Bars, barAt(i, c.Zero-h, h, "exported"))
		}
		y := c.Zero
		for _, state := range missed() {
			if n := d.Outcomes[state]; n > 0 {
				h := max(float64(n)*unit, smallestBar)
				s.Bars = append(s.Bars, barAt(i, y, h, string(state)))
				y += h
			}
		}
		var parts []string
		for _, state := range append([]manifest.State{manifest.Exported}, missed()...) {
			if n := d.Outcomes[state]; n > 0 {
				parts = append(parts, count(n)+" "+string(state))
			}
		}
		s.Text += ": " + orNone(strings.Join(parts, ", "))
		c.Slots = append(c.Slots, s)
	}
	return c
}

// durationChart draws, for each day, a mark at the median and a band up to the 90th percentile.
func durationChart(days []export.Day) chart {
	var top int64
	last := -1
	for i, d := range days {
		if d.MedianSeconds > 0 {
			top, last = max(top, d.MedianSeconds, d.P90Seconds), i
		}
	}
	c := chart{
		ID: "durations", Title: "How long they take", Empty: last < 0, Zero: plotHeight,
		Text:   "No export was finished in 30 days.",
		Legend: []legend{{"median", "median"}, {"band", "up to 9 of 10"}},
	}
	if c.Empty {
		return c
	}
	median, p90 := seconds(days[last].MedianSeconds), seconds(max(days[last].P90Seconds, days[last].MedianSeconds))
	c.Headline, c.Max = median, seconds(top)
	c.Note = "median of " + shortDate(days[last].Date) + ", 9 of 10 in " + p90
	c.Text = "On " + shortDate(days[last].Date) + " half of the exports took up to " + median + " and nine of ten up to " + p90 +
		"; the longest day's nine of ten took " + seconds(top) + "."
	scale := (plotHeight - 2) / float64(top)
	for i, d := range days {
		s := slotOf(i, d)
		if d.MedianSeconds > 0 {
			low, high := plotHeight-float64(d.MedianSeconds)*scale, plotHeight-float64(max(d.P90Seconds, d.MedianSeconds))*scale
			s.Bars = append(s.Bars, barAt(i, high, max(low-high, smallestBar), "band"), barAt(i, low-1, 2, "median"))
			s.Text += ": median " + seconds(d.MedianSeconds) + ", 9 of 10 within " + seconds(max(d.P90Seconds, d.MedianSeconds))
		} else {
			s.Text += ": none"
		}
		c.Slots = append(c.Slots, s)
	}
	return c
}

func byteChart(days []export.Day, kept int64) chart {
	var top, sum int64
	for _, d := range days {
		top, sum = max(top, d.Bytes), sum+d.Bytes
	}
	c := chart{
		ID: "bytes", Title: "Bytes kept", Headline: size(kept), Note: size(sum) + " added in 30 days", Max: size(top),
		Text: "The verified objects have " + size(kept) + "; " + size(sum) + " of them were added in 30 days, at most " +
			size(top) + " on one day.",
		Empty: sum == 0, Zero: plotHeight, Legend: []legend{{"bytes", "added per day"}},
	}
	if c.Empty {
		return c
	}
	for i, d := range days {
		s := slotOf(i, d)
		if d.Bytes > 0 {
			h := max(float64(d.Bytes)/float64(top)*plotHeight, smallestBar)
			s.Bars = append(s.Bars, barAt(i, plotHeight-h, h, "bytes"))
		}
		s.Text += ": " + size(d.Bytes)
		c.Slots = append(c.Slots, s)
	}
	return c
}

func slotOf(i int, d export.Day) slot {
	return slot{X: float64(i * slotWidth), Text: shortDate(d.Date)}
}

func barAt(i int, y, h float64, class string) bar {
	return bar{X: float64(i*slotWidth) + (slotWidth-barWidth)/2.0, Y: round1(y), W: barWidth, H: round1(h), Class: class}
}

func round1(x float64) float64 { return math.Round(x*10) / 10 }

func seconds(n int64) string { return span(time.Duration(n) * time.Second) }

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// A dayRow is a day of the charts in figures.
type dayRow struct {
	Date   string
	Counts []string // exported, and the missed ones
	Median string
	P90    string
	Bytes  string
}

// dayRows are the newest days first.
func dayRows(days []export.Day) []dayRow {
	days = slices.Clone(days)
	slices.SortFunc(days, func(a, b export.Day) int { return strings.Compare(b.Date, a.Date) })
	var rows []dayRow
	for _, d := range days[:min(len(days), chartDays)] {
		r := dayRow{Date: say(d.Date), Bytes: size(d.Bytes), Median: "–", P90: "–"}
		for _, s := range append([]manifest.State{manifest.Exported}, missed()...) {
			r.Counts = append(r.Counts, count(d.Outcomes[s]))
		}
		if d.MedianSeconds > 0 {
			r.Median, r.P90 = seconds(d.MedianSeconds), seconds(max(d.P90Seconds, d.MedianSeconds))
		}
		rows = append(rows, r)
	}
	return rows
}
