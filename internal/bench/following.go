package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/export"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/manifest"
)

const (
	// tickEvery is the interval of the timer follow in s.yaml.
	tickEvery = time.Minute
	// exportTakes is how long the exports run whose whole life is measured.
	exportTakes = 30 * time.Minute
)

// following measures ticks while exports run, and what an export costs over its whole life against programs that wait for it.
func following(ctx context.Context, l *lab) ([]Row, error) {
	one, err := lifeOfOne(ctx, l)
	if err != nil {
		return nil, err
	}
	waiters, err := waits(ctx, l)
	if err != nil {
		return nil, err
	}
	var rows []Row
	var lives []Row
	for _, n := range pick(l, []int{1, 100, 1000}, []int{1, 10}) {
		t, err := tickOf(ctx, l, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows,
			Row{What: fmt.Sprintf("tick with %s running", grouped(int64(n))), Unit: Milliseconds, Ours: t.took}.
				calls(t.follow, -1).aimsAtCalls((n+999)/1000+(n+99)/100).
				noted(fmt.Sprintf("With %s added to every call. The calls are those of following; the whole tick, with the queue and the heartbeat, makes %d more.",
					pick(l, callTime, callTime/10), t.calls-t.follow)))
		lives = append(lives, one.rows(n, t, waiters)...)
	}
	rows = append(rows, Row{What: "each export that has finished in a tick", Unit: Milliseconds, Ours: one.finish}.calls(one.finishCalls, -1).
		noted(fmt.Sprintf("With %s added to every call: how much longer the tick takes for it.", pick(l, callTime, callTime/10))))
	return append(rows, lives...), nil
}

// A tick is one invocation by the timer while nothing has finished.
type tick struct {
	took          Sample
	follow, calls int
}

func tickOf(ctx context.Context, l *lab, n int) (tick, error) {
	s, err := l.open(ctx, stage{function: ferry, speed: never})
	if err != nil {
		return tick{}, err
	}
	defer s.end()
	if err := s.submit(ctx, n); err != nil {
		return tick{}, err
	}
	var t tick
	took, err := inTurn(pick(l, 5, 1), func() (float64, error) {
		s.recorder.take()
		s.delay(pick(l, callTime, callTime/10))
		took, err := s.invoke(ctx, timerEvent(map[string]any{"action": "follow"}))
		s.delay(0)
		all := s.recorder.take()
		t.calls = len(all)
		t.follow = all.of("DescribeTasks", "ListObjectsV2") - 1 // the drain lists the queue
		return milliseconds(took), err
	})
	if err != nil {
		return tick{}, err
	}
	t.took = took[0]
	return t, nil
}

// submit submits n images of 40 GiB each.
func (s *scene) submit(ctx context.Context, n int) error {
	ferry, err := s.ferry(time.Now)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i := range n {
		id := s.ECS.AddImage(ecsd.Image{Name: fmt.Sprintf("image-%d", i)})
		g.Go(func() error {
			r, err := ferry.Submit(ctx, export.Order{ImageID: id, Trigger: manifest.Trigger{Kind: "event"}, Available: true})
			if err == nil && r.State != manifest.Exporting {
				err = fmt.Errorf("submit %s: it is %s: %s", id, r.State, r.Reason)
			}
			return err
		})
	}
	return g.Wait()
}

// A life is what one export costs beside the ticks in which nothing happens to it, with latency.
type life struct {
	submit, finish           Sample // milliseconds
	submitCalls, finishCalls int
}

// lifeOfOne measures the event and, over some that finish in the same tick, the end.
func lifeOfOne(ctx context.Context, l *lab) (life, error) {
	var one life
	n := pick(l, 10, 2)
	s, err := l.open(ctx, stage{function: ferry, speed: 6000})
	if err != nil {
		return life{}, err
	}
	defer s.end()
	follow := func() (time.Duration, calls, error) {
		s.recorder.take()
		s.delay(pick(l, callTime, callTime/10))
		took, err := s.invoke(ctx, timerEvent(map[string]any{"action": "follow"}))
		s.delay(0)
		return took, s.recorder.take(), err
	}
	samples, err := inTurn(pick(l, 3, 1), func() (float64, error) {
		event := s.imageEvent(s.ECS.AddImage(ecsd.Image{}), ecsd.StatusAvailable)
		s.recorder.take()
		s.delay(pick(l, callTime, callTime/10))
		took, err := s.invoke(ctx, event)
		s.delay(0)
		one.submitCalls = len(s.recorder.take())
		return milliseconds(took), err
	}, func() (float64, error) {
		if err := s.submit(ctx, n-1); err != nil { // and the one of the event
			return 0, err
		}
		if err := s.allEnded(ctx); err != nil {
			return 0, err
		}
		busy, all, err := follow()
		if err != nil {
			return 0, err
		}
		idle, none, err := follow()
		one.finishCalls = (len(all) - len(none)) / n
		return milliseconds(busy-idle) / float64(n), err
	})
	if err != nil {
		return life{}, err
	}
	one.submit, one.finish = samples[0], samples[1]
	return one, nil
}

// allEnded waits until ECS has no task in progress.
func (s *scene) allEnded(ctx context.Context) error {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		running := 0
		for _, t := range s.ECS.Tasks() {
			if t.Status == ecsd.TaskProcessing {
				running++
			}
		}
		if running == 0 {
			return nil
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d tasks: %w", running, ctx.Err())
		}
	}
}

// rows compare the whole life of each of n exports that run at one time with that of programs that wait for them.
func (one life) rows(n int, t tick, waiters []waiter) []Row {
	ticks := float64(exportTakes / tickEvery)
	billed := one.submit.Median + one.finish.Median + ticks*t.took.Median/float64(n)
	calls := float64(one.submitCalls+one.finishCalls) + ticks*float64(t.calls)/float64(n)
	var rows []Row
	for _, w := range waiters {
		rows = append(rows, Row{What: fmt.Sprintf("billed for one export of %v min, %s at a time", exportTakes.Minutes(), grouped(int64(n))), Unit: Milliseconds,
			Ours: sampleOf(billed)}.against(w.name, w.billed).calls(int(calls+0.5), w.calls).noted(fmt.Sprintf(
			"Ours is put together from the rows above: one event, %d ticks shared by the exports that run, and the end. The other one is a loop that asks "+
				"as that program does, run in scaled time against the embedded cloud, in a function that waits: it is billed for as long as the export takes.",
			int(ticks))))
	}
	return rows
}
