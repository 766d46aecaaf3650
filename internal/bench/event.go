package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"imageferry/internal/localcloud/ecsd"
)

// callTime is what is added to every call where latency is measured.
const callTime = 50 * time.Millisecond

// hotPath measures one image event in a warm process: round trips, calls, and what it costs without latency.
func hotPath(ctx context.Context, l *lab) ([]Row, error) {
	rows, err := eventTrips(ctx, l)
	if err != nil {
		return nil, err
	}
	costs, err := eventCosts(ctx, l)
	return append(rows, costs...), err
}

// eventTrips measures events of new images, with and without a selection, and events that come again.
func eventTrips(ctx context.Context, l *lab) ([]Row, error) {
	var rows []Row
	for _, with := range []struct {
		what  string
		env   map[string]string
		least float64
	}{
		{"", nil, 3},
		{" with a selection", map[string]string{"FERRY_SELECT_NAME": "web-*"}, 4},
	} {
		s, err := l.open(ctx, stage{function: ferry, speed: never, env: with.env})
		if err != nil {
			return nil, err
		}
		defer s.end()
		first, again, err := s.eventsTwice(ctx, pick(l, 10, 2), pick(l, callTime, callTime/5))
		if err != nil {
			return nil, err
		}
		rows = append(rows,
			Row{What: "image event" + with.what + ", to its recorded task", Unit: Trips, Ours: first.recorded}.
				against("the least possible", sampleOf(with.least)).calls(first.callsToRecord, -1).aims(with.least),
			Row{What: "image event" + with.what + ", to its answer", Unit: Trips, Ours: first.trips}.calls(first.calls, -1),
			Row{What: "image event" + with.what + ", to its answer", Unit: Milliseconds, Ours: first.took}.calls(first.calls, -1),
			Row{What: "the same event again" + with.what, Unit: Trips, Ours: again.trips}.
				against("the least possible", sampleOf(1)).calls(again.calls, -1).aims(2),
		)
	}
	note := fmt.Sprintf("With %s added to every call. Round trips are the longest chain of calls of which each began after the one before it was answered.",
		pick(l, callTime, callTime/5))
	for i := range rows {
		rows[i] = rows[i].noted(note)
	}
	return rows, nil
}

// An eventFigure is what one kind of event took.
type eventFigure struct {
	recorded, trips, took Sample
	callsToRecord, calls  int
}

// eventsTwice delivers events of n new images, each twice.
func (s *scene) eventsTwice(ctx context.Context, n int, latency time.Duration) (first, again eventFigure, err error) {
	var recorded, trips, took, tripsAgain, tookAgain []float64
	for i := range n + 1 {
		event := s.imageEvent(s.ECS.AddImage(ecsd.Image{Name: fmt.Sprintf("web-%d", i)}), ecsd.StatusAvailable)
		s.recorder.take()
		s.delay(latency)
		once, err := s.invoke(ctx, event)
		all := s.recorder.take()
		if err != nil {
			return first, again, err
		}
		twice, err := s.invoke(ctx, event)
		repeated := s.recorder.take()
		s.delay(0)
		if err != nil {
			return first, again, err
		}
		if i == 0 {
			continue // the process was started for it
		}
		toRecord := all.until(recordsTask)
		first.callsToRecord, first.calls, again.calls = len(toRecord), len(all), len(repeated)
		recorded = append(recorded, float64(toRecord.trips()))
		trips = append(trips, float64(all.trips()))
		took = append(took, milliseconds(once))
		tripsAgain = append(tripsAgain, float64(repeated.trips()))
		tookAgain = append(tookAgain, milliseconds(twice))
	}
	first.recorded, first.trips, first.took = sampleOf(recorded...), sampleOf(trips...), sampleOf(took...)
	again.trips, again.took = sampleOf(tripsAgain...), sampleOf(tookAgain...)
	return first, again, nil
}

// recordsTask: with the second revision the journal knows the task.
func recordsTask(c call) bool {
	return c.Operation == "PutObject" && strings.Contains(c.Resource, "/journal/") && strings.HasSuffix(c.Resource, "/00000002.json")
}

// eventCosts measures what an event costs the function's process, without latency, against an event at the no-op handler.
func eventCosts(ctx context.Context, l *lab) ([]Row, error) {
	var rows []Row
	for _, figure := range []struct {
		what string
		unit Unit
		env  map[string]string
		read func(pid int) (float64, error)
		note string
	}{
		{"processor time of an image event", Milliseconds, nil, func(pid int) (float64, error) {
			used, err := processorTime(pid)
			return milliseconds(used), err
		}, "Of the function's process alone, as the kernel counts it, without latency."},
		{"memory allocated for an image event", Bytes, map[string]string{"GOGC": "off"}, func(pid int) (float64, error) {
			return memory(pid, "VmRSS")
		}, "By how much the process grows while the garbage collector is off."},
	} {
		row, err := eventCost(ctx, l, figure.env, figure.read)
		if errors.Is(err, errNoProc) {
			l.say("no row of the %s: %v", figure.what, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		row.What, row.Unit = figure.what, figure.unit
		rows = append(rows, row.noted(figure.note))
	}
	return rows, nil
}

// eventCost reads what a process has used before and after many events, ours and the no-op handler in turn.
func eventCost(ctx context.Context, l *lab, env map[string]string, read func(pid int) (float64, error)) (Row, error) {
	n := pick(l, 60, 3)
	batch := func(s *scene) measurement {
		return func() (float64, error) {
			defer s.FC.Kill()
			events := make([][]byte, n)
			for i := range events {
				events[i] = s.imageEvent(s.ECS.AddImage(ecsd.Image{}), ecsd.StatusAvailable)
			}
			for range 3 { // warm
				if _, err := s.invoke(ctx, s.imageEvent(s.ECS.AddImage(ecsd.Image{}), ecsd.StatusAvailable)); err != nil {
					return 0, err
				}
			}
			pid, err := child()
			if err != nil {
				return 0, err
			}
			before, err := read(pid)
			if err != nil {
				return 0, err
			}
			for _, event := range events {
				if _, err := s.invoke(ctx, event); err != nil {
					return 0, err
				}
			}
			after, err := read(pid)
			return (after - before) / float64(n), err
		}
	}
	ours, err := l.open(ctx, stage{function: ferry, speed: never, env: env})
	if err != nil {
		return Row{}, err
	}
	defer ours.end()
	least, err := l.open(ctx, stage{function: noop, speed: never, env: env})
	if err != nil {
		return Row{}, err
	}
	defer least.end()
	samples, err := inTurn(pick(l, 7, 1), batch(ours), batch(least))
	if err != nil {
		return Row{}, err
	}
	return Row{Ours: samples[0]}.against(floor, samples[1]), nil
}
