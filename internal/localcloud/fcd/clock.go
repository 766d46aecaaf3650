package fcd

import (
	"context"
	"time"
)

// A clock is the platform's: it starts with the real time and runs speed times as fast.
type clock struct {
	start time.Time
	speed float64
}

func newClock(speed float64) clock {
	if speed <= 0 {
		speed = 1
	}
	return clock{start: time.Now(), speed: speed}
}

// now is the platform's time in UTC.
func (c clock) now() time.Time {
	elapsed := time.Since(c.start)
	return c.start.UTC().Round(0).Add(time.Duration(float64(elapsed) * c.speed))
}

// wait blocks for a duration of the platform's time and tells whether it did so to the end.
func (c clock) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(time.Duration(float64(d) / c.speed))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
