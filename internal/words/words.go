package words

import (
	"fmt"
	"strconv"
	"time"
)

// Span is a duration in one or two units, such as 45 s, 3 min, 2 h, 5 d.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Abs(); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d/day))
}

// Since is how long ago a time is, or how far ahead.
func Since(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d.Abs() < 2*time.Second:
		return "now"
	case d < 0:
		return "in " + Span(d)
	default:
		return Span(d) + " ago"
	}
}

// Clock is a duration as hours, minutes and seconds: 1:02:03, or 2:03.
func Clock(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Bytes is a size in binary units with one decimal, such as 1.5 GiB.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < len("KMGTPE")-1 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[prefix])
}

// Plural is a number with its noun: 1 image, 2 images.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
