package main

import (
	"context"
	"errors"
	"fmt"
)

// sweeping measures looking for images without an export, by the function's sweep and by the loop that one writes first.
func sweeping(ctx context.Context, l *lab) ([]Row, error) {
	var rows []Row
	for _, n := range pick(l, []int{1000, 10_000, 100_000}, []int{300}) {
		more, err := sweepsOf(ctx, l, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	late, err := sweepWithLatency(ctx, l)
	return append(rows, late...), err
}

// sweepsOf sweeps n images while none, half and all of them are exported.
func sweepsOf(ctx context.Context, l *lab, n int) ([]Row, error) {
	pair, err := l.openPair(ctx)
	if err != nil {
		return nil, err
	}
	defer pair.end()
	fixed := map[bool]int{}
	if err := pair.ours.endings(ctx, 0, 0); err != nil { // the index is whole
		return nil, err
	}
	for _, dry := range []bool{false, true} {
		empty, err := pair.run(ctx, 1, dry, false)
		if err != nil {
			return nil, err
		}
		// Even an empty account has a page of images and one of exports, which count as those of the others do.
		fixed[dry] = len(empty.ours.calls) - 2
	}
	pair.ours.images(n)
	pair.loop.images(n)
	runs := pick(l, map[int]int{1000: 5, 10_000: 3, 100_000: 1}[n], 1)
	var rows []Row
	for _, part := range []struct {
		name   string
		before int // exported before, of the images
		upTo   int
	}{{"none", 0, 0}, {"half", 0, n / 2}, {"all", n / 2, n}} {
		l.say("  sweeping %d images, %s exported", n, part.name)
		if err := pair.exported(ctx, part.before, part.upTo); err != nil {
			return nil, err
		}
		// What is exported makes no difference to the loop, which takes long.
		both := n <= 1000 || part.name == "half"
		dry := part.name != "all"
		figures, err := pair.run(ctx, runs, dry, both)
		if err != nil {
			return nil, err
		}
		rows = append(rows, figures.rows(fmt.Sprintf("%s images, %s exported", grouped(int64(n)), part.name), n, part.upTo, fixed[dry])...)
	}
	return rows, nil
}

// A pair is two clouds with the same images: in one is the function, in the other the loop.
type pair struct{ ours, loop *scene }

func (l *lab) openPair(ctx context.Context) (*pair, error) {
	ours, err := l.open(ctx, stage{function: ferry, speed: never})
	if err != nil {
		return nil, err
	}
	theirs, err := l.open(ctx, stage{function: loop, speed: never})
	if err != nil {
		ours.end()
		return nil, err
	}
	return &pair{ours, theirs}, nil
}

func (p *pair) end() {
	p.ours.end()
	p.loop.end()
}

// exported plants the exports of the images from first up to end, in both clouds.
func (p *pair) exported(ctx context.Context, first, end int) error {
	return errors.Join(p.ours.endings(ctx, first, end), p.loop.objects(ctx, first, end))
}

// A sweepFigure is what sweeps took, in milliseconds, at most bytes, and calls.
type sweepFigure struct {
	took, peak Sample
	calls      calls
}

type sweepFigures struct {
	ours sweepFigure
	loop *sweepFigure // nil when it was not run
	dry  bool
}

// run sweeps in new processes, ours and, if asked to, the loop in turn. While images are without an export, ours is a dry run,
// because it would submit them.
func (p *pair) run(ctx context.Context, runs int, dry, both bool) (sweepFigures, error) {
	figures := sweepFigures{dry: dry}
	event := timerEvent(map[string]any{"action": "sweep", "dryRun": dry})
	measurements := []measurement{p.ours.sweeper(ctx, event, &figures.ours)}
	if both {
		figures.loop = &sweepFigure{}
		measurements = append(measurements, p.loop.sweeper(ctx, event, figures.loop))
	}
	samples, err := inTurn(runs, measurements...)
	if err != nil {
		return figures, err
	}
	figures.ours.took = samples[0]
	if both {
		figures.loop.took = samples[1]
	}
	return figures, nil
}

// sweeper measures the invocations of new processes; their memory and calls go into the figure.
func (s *scene) sweeper(ctx context.Context, event []byte, into *sweepFigure) measurement {
	var peaks []float64
	return func() (float64, error) {
		s.recorder.take()
		took, err := s.invoke(ctx, event)
		if err != nil {
			return 0, err
		}
		into.calls = s.recorder.take()
		pid, err := child()
		if err == nil {
			var peak float64
			peak, err = memory(pid, "VmHWM")
			peaks = append(peaks, peak)
			into.peak = sampleOf(peaks...)
		}
		if errors.Is(err, errNoProc) {
			err = nil
		}
		s.FC.Kill()
		return milliseconds(took), err
	}
}

const theLoop = "describe and HeadObject"

// rows are those of n images, with so many exports. The fixed calls are the same for any number of images.
func (f sweepFigures) rows(what string, n, exported, fixed int) []Row {
	looked := len(f.ours.calls) - fixed
	note := fmt.Sprintf("Without the %d calls that a sweep makes beside, for any number of images.", fixed)
	took := Row{What: what + ", time", Unit: Milliseconds, Ours: f.ours.took}
	if f.dry {
		took = took.noted("A dry run, which tells of a thousand of the images that it would submit, and counts the others.")
	}
	peak := Row{What: what + ", peak memory", Unit: Bytes, Ours: f.ours.peak, Note: took.Note}
	all := Row{What: what + ", calls", Unit: Calls, Ours: sampleOf(float64(looked)), Note: note}
	if f.loop != nil {
		took = took.against(theLoop, f.loop.took)
		peak = peak.against(theLoop, f.loop.peak)
		all = all.against(theLoop, sampleOf(float64(len(f.loop.calls))))
	}
	rows := []Row{all.aims(float64((n+99)/100 + max(1, (exported+999)/1000))), took}
	if f.ours.peak.Runs > 0 {
		rows = append(rows, peak.aims(64e6))
	}
	return rows
}

// sweepWithLatency shows what reading ahead is worth where a call takes its time.
func sweepWithLatency(ctx context.Context, l *lab) ([]Row, error) {
	n := pick(l, 10_000, 300)
	s, err := l.open(ctx, stage{function: ferry, speed: never})
	if err != nil {
		return nil, err
	}
	defer s.end()
	s.images(n)
	if err := s.endings(ctx, 0, n); err != nil {
		return nil, err
	}
	s.delay(callTime)
	var f sweepFigure
	samples, err := inTurn(pick(l, 3, 1), s.sweeper(ctx, timerEvent(map[string]any{"action": "sweep"}), &f))
	if err != nil {
		return nil, err
	}
	loopCalls := float64(n + (n+99)/100)
	what := fmt.Sprintf("%s images, all exported, ", grouped(int64(n)))
	return []Row{
		Row{What: what + "round trips", Unit: Trips, Ours: sampleOf(float64(f.calls.trips()))}.
			against(theLoop, sampleOf(loopCalls)).calls(len(f.calls), int(loopCalls)),
		Row{What: what + fmt.Sprintf("time with %v added to every call", callTime), Unit: Milliseconds, Ours: samples[0]}.
			against(theLoop, sampleOf(loopCalls*milliseconds(callTime))).calls(len(f.calls), int(loopCalls)).
			noted("The loop's is computed: its calls, one after the other."),
	}, nil
}
