package main

import (
	"context"
	"fmt"
	"time"

	"imageferry/internal/export"
)

// growth measures the same work beside ever more exports that are over, and ever more that wait.
func growth(ctx context.Context, l *lab) ([]Row, error) {
	finished, err := grow(ctx, l, "finished", pick(l, []int{100, 10_000, 100_000}, []int{60, 120}), 0, (*scene).finished)
	if err != nil {
		return nil, err
	}
	queued, err := grow(ctx, l, "queued", pick(l, []int{0, 1000, 20_000}, []int{0, 60, 120}), 1, (*scene).queued)
	return append(finished, queued...), err
}

// grow measures each kind of work beside several numbers of exports, those after the base against the base.
func grow(ctx context.Context, l *lab, kind string, sizes []int, base int, plant func(*scene, context.Context, int, int) error) ([]Row, error) {
	clouds := make([]*scene, len(sizes))
	for i, n := range sizes {
		l.say("  planting %d %s exports", n, kind)
		s, err := l.open(ctx, stage{speed: never})
		if err != nil {
			return nil, err
		}
		defer s.end()
		s.settings.ProbePause = 0
		if err := plant(s, ctx, 0, n); err != nil {
			return nil, err
		}
		clouds[i] = s
	}
	var rows []Row
	for _, name := range []string{"tick", "list page of 50", "overview"} {
		var measurements []measurement
		counts := make([]int, len(sizes))
		for i, s := range clouds {
			ferry, err := s.ferry(time.Now)
			if err != nil {
				return nil, err
			}
			measurements = append(measurements, func() (float64, error) {
				s.recorder.take()
				begun := time.Now()
				err := work(ctx, name, ferry)
				took := time.Since(begun)
				counts[i] = len(s.recorder.take())
				return milliseconds(took), err
			})
		}
		samples, err := inTurn(pick(l, 7, 1), measurements...)
		if err != nil {
			return nil, err
		}
		for i, n := range sizes {
			row := Row{What: fmt.Sprintf("%s with %s %s", name, grouped(int64(n)), kind), Unit: Milliseconds, Ours: samples[i]}.calls(counts[i], -1)
			if i > base {
				row = row.against("with "+grouped(int64(sizes[base])), samples[base]).calls(counts[i], counts[base])
			}
			rows = append(rows, row.noted(growthNotes[name]))
		}
	}
	return rows, nil
}

var growthNotes = map[string]string{
	"tick": "Follow and drain without latency, in the process of the benchmark. What is queued is held by a quota, and each tick sends one " +
		"export to ECS as a probe, which the function does in one of five.",
	"overview": "It lists the index, a thousand exports a call, up to ten calls of those that are over; beyond them it tells what the newest " +
		"sweep has counted.",
}

// work does one kind of work once.
func work(ctx context.Context, kind string, ferry *export.Ferry) error {
	switch kind {
	case "tick":
		if _, err := ferry.Follow(ctx); err != nil {
			return err
		}
		_, err := ferry.Drain(ctx)
		return err
	case "list page of 50":
		_, err := ferry.Recent(ctx, export.Filter{}, "", 50)
		return err
	}
	_, err := ferry.Overview(ctx)
	return err
}
