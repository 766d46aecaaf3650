package main

import (
	"context"
	"errors"

	"imageferry/internal/localcloud/ecsd"
)

const floor = "no-op handler"

// startUp measures from the start of the process until its first answer, and what it takes, against a handler that does nothing
// on the same SDK.
func startUp(ctx context.Context, l *lab) ([]Row, error) {
	rows, err := sizeRows(ctx, l)
	if err != nil {
		return nil, err
	}
	ours, err := l.open(ctx, stage{function: ferry})
	if err != nil {
		return nil, err
	}
	defer ours.end()
	least, err := l.open(ctx, stage{function: noop})
	if err != nil {
		return nil, err
	}
	defer least.end()
	for _, first := range []struct {
		what  string
		event func() []byte
		aim   bool
	}{
		{"an event that needs no call", func() []byte { return ours.imageEvent("m-bp1bench", ecsd.StatusCreating) }, true},
		{"an image event, to its recorded task", func() []byte {
			return ours.imageEvent(ours.ECS.AddImage(ecsd.Image{Name: "bench"}), ecsd.StatusAvailable)
		}, false},
	} {
		more, err := coldStarts(ctx, l, ours, least, first.event)
		if err != nil {
			return nil, err
		}
		for i, aim := range []float64{1.3, 1.5} {
			if i >= len(more) {
				break
			}
			more[i].What += first.what
			if first.aim {
				more[i] = more[i].aimsAtRatio(aim)
			}
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// sizeRows are of what a release compiles, so a quick run has none.
func sizeRows(ctx context.Context, l *lab) ([]Row, error) {
	if l.quick {
		return nil, nil
	}
	binary, archive, err := l.sizes(ctx, ferry)
	if err != nil {
		return nil, err
	}
	leastBinary, leastArchive, err := l.sizes(ctx, noop)
	if err != nil {
		return nil, err
	}
	return []Row{
		Row{What: "binary", Unit: Bytes, Ours: sampleOf(binary)}.against(floor, sampleOf(leastBinary)),
		Row{What: "code package (zip)", Unit: Bytes, Ours: sampleOf(archive)}.against(floor, sampleOf(leastArchive)).aims(4e6),
	}, nil
}

// coldStarts are a row of the time and, where it can be read, one of the peak memory of processes that answer one event.
func coldStarts(ctx context.Context, l *lab, ours, least *scene, event func() []byte) ([]Row, error) {
	var peaks [2][]float64
	calls := 0
	cold := func(at int, s *scene) measurement {
		return func() (float64, error) {
			e := event()
			s.FC.Kill()
			s.recorder.take()
			took, err := s.invoke(ctx, e)
			if err != nil {
				return 0, err
			}
			if at == 0 {
				calls = len(s.recorder.take())
			}
			pid, err := child()
			if err == nil {
				var peak float64
				peak, err = memory(pid, "VmHWM")
				peaks[at] = append(peaks[at], peak)
			}
			if errors.Is(err, errNoProc) {
				err = nil
			}
			s.FC.Kill()
			return milliseconds(took), err
		}
	}
	times, err := inTurn(pick(l, 25, 2), cold(0, ours), cold(1, least))
	if err != nil {
		return nil, err
	}
	rows := []Row{Row{What: "process start to the first answer: ", Unit: Milliseconds, Ours: times[0]}.against(floor, times[1]).calls(calls, 0)}
	if len(peaks[0]) > 0 {
		rows = append(rows, Row{What: "peak memory after ", Unit: Bytes, Ours: sampleOf(peaks[0][1:]...)}.
			against(floor, sampleOf(peaks[1][1:]...)).calls(calls, 0))
	}
	return rows, nil
}
