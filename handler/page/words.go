package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/words"
)

// say makes text from outside fit for the page: characters that reorder, hide or control text are shown as escapes. Everything
// that came from outside goes through here; the templates escape it, and isolate it with <bdi>.
func say(text string) string { return words.Safe(text) }

// A when is a time as the page shows it.
type when struct {
	ISO  string // for machines
	Full string // to the second
	Day  string
	Ago  string // 5 min ago, in 2 h
}

func (p *site) when(t time.Time) when { return whenAt(t, p.opts.Now()) }

func whenAt(t, now time.Time) when {
	t = t.UTC()
	return when{ISO: t.Format(time.RFC3339), Full: t.Format("2006-01-02 15:04:05") + " UTC", Day: t.Format(time.DateOnly), Ago: words.Since(t, now)}
}

func (p *site) maybe(t *time.Time) *when {
	if t == nil || t.IsZero() {
		return nil
	}
	w := p.when(*t)
	return &w
}

// span is a duration in its two largest units: 45 s, 21 min, 3 h 12 min, 5 d 3 h.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	big, small, bigUnit, smallUnit := time.Duration(0), time.Duration(0), "", ""
	switch d = d.Abs(); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		big, small, bigUnit, smallUnit = d/time.Hour, d%time.Hour/time.Minute, "h", "min"
	default:
		big, small, bigUnit, smallUnit = d/day, d%day/time.Hour, "d", "h"
	}
	if small == 0 {
		return fmt.Sprintf("%d %s", big, bigUnit)
	}
	return fmt.Sprintf("%d %s %d %s", big, bigUnit, small, smallUnit)
}

// count is a number with commas between its thousands.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// percent cuts, so that nothing is 100 % before all is done.
func percent(part, whole int) string {
	if whole <= 0 {
		return "100 %"
	}
	tenths := part * 1000 / whole
	if tenths%10 == 0 {
		return fmt.Sprintf("%d %%", tenths/10)
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// joined leaves out what is empty.
func joined(separator string, parts ...string) string {
	var some []string
	for _, part := range parts {
		if part != "" {
			some = append(some, part)
		}
	}
	return strings.Join(some, separator)
}
