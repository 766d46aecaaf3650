package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

const (
	// timeout is that of the function in s.yaml.
	timeout = 300 * time.Second
	// sweepEvery is the interval of the timer sweep in s.yaml.
	sweepEvery = time.Hour
	// revisionTakes is what a revision costs on the clock of a simulation: three round trips.
	revisionTakes = 3 * callTime
	// overlap is how long the write of a revision really takes, so that those that go on side by side are seen to.
	overlap = time.Millisecond
)

// backfill submits the images of an account that has never exported any, while ECS allows so many calls a minute.
func backfill(ctx context.Context, l *lab) ([]Row, error) {
	n := pick(l, 10_000, 30)
	limits := map[string]int{
		"ExportImage": pick(l, 60, 5), "DescribeImages": 600, "DescribeTasks": 600, "DescribeTaskAttribute": 600,
	}
	ours, err := runBackfill(ctx, l, n, limits, ticking)
	if err != nil {
		return nil, err
	}
	theirs, err := runBackfill(ctx, l, n, limits, insisting)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("back-fill of %s images, ", grouped(int64(n)))
	note := fmt.Sprintf("Simulated: the clock of the domain and of the rate limit moves by %v for each revision written, which those share that are written at the same time, and from tick to tick. "+
		"A minute allows %d ExportImage and %d of each other call to ECS; what is refused in a minute stays refused in it. The other one submits "+
		"one image after the other, and repeats a throttled call up to 6 times, after 0.5 s, twice as many each time, at most 10 s.",
		revisionTakes, limits["ExportImage"], limits["DescribeImages"])
	const insist = "repeating each call"
	rows := []Row{
		Row{What: what + "until the last one is submitted", Unit: Minutes, Ours: sampleOf(ours.minutes())}.
			against(insist, sampleOf(theirs.minutes())),
		Row{What: what + "images that were not submitted", Unit: Images, Ours: sampleOf(float64(n - ours.accepted()))}.
			against(insist, sampleOf(float64(n-theirs.accepted()))).aims(0),
		Row{What: what + "ExportImage accepted, a minute", Unit: Calls, Ours: ours.perMinute(func(m minute) int { return m.accepted })}.
			against(insist, theirs.perMinute(func(m minute) int { return m.accepted })).calls(ours.accepted(), theirs.accepted()),
		Row{What: what + "ExportImage refused, a minute", Unit: Calls, Ours: ours.perMinute(func(m minute) int { return m.refused })}.
			against(insist, theirs.perMinute(func(m minute) int { return m.refused })).calls(ours.refused(), theirs.refused()),
		Row{What: what + "other calls to ECS refused", Unit: Calls, Ours: sampleOf(float64(ours.others))}.
			against(insist, sampleOf(float64(theirs.others))),
	}
	for i := range rows {
		rows[i] = rows[i].noted(note)
	}
	return rows, nil
}

// A minute is what became of the calls of ExportImage in one minute in which there were any.
type minute struct {
	at                time.Time
	accepted, refused int
}

// A ledger counts calls by minutes of a clock.
type ledger struct {
	begun  time.Time
	mu     sync.Mutex
	spans  []minute
	others int // other calls to ECS that were refused
}

func (b *ledger) enter(c trace.Call, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	throttled := strings.HasPrefix(c.Code, "Throttling")
	if c.Operation != "ExportImage" {
		if throttled {
			b.others++
		}
		return
	}
	at = at.Truncate(time.Minute)
	if n := len(b.spans); n == 0 || !b.spans[n-1].at.Equal(at) {
		b.spans = append(b.spans, minute{at: at})
	}
	m := &b.spans[len(b.spans)-1]
	if throttled {
		m.refused++
	} else if c.Code == "" {
		m.accepted++
	}
}

func (b *ledger) sum(of func(minute) int) int {
	n := 0
	for _, m := range b.spans {
		n += of(m)
	}
	return n
}

func (b *ledger) accepted() int { return b.sum(func(m minute) int { return m.accepted }) }
func (b *ledger) refused() int  { return b.sum(func(m minute) int { return m.refused }) }

// minutes is how long it took until the last call.
func (b *ledger) minutes() float64 {
	return b.spans[len(b.spans)-1].at.Sub(b.begun).Minutes() + 1
}

// perMinute is over the minutes in which there were calls.
func (b *ledger) perMinute(of func(minute) int) Sample {
	values := make([]float64, len(b.spans))
	for i, m := range b.spans {
		values[i] = float64(of(m))
	}
	return sampleOf(values...)
}

// A submitter brings the images of a scene to ECS, in the time of the clock.
type submitter func(ctx context.Context, s *scene, c *clock, images int) error

func runBackfill(ctx context.Context, l *lab, n int, limits map[string]int, submit submitter) (*ledger, error) {
	s, err := l.open(ctx, stage{speed: 1e6}) // tasks end at once
	if err != nil {
		return nil, err
	}
	defer s.end()
	s.images(n)
	c := newClock()
	b := &ledger{begun: c.time()}
	throttle := trace.Throttle(limits, c.time)
	var writing atomic.Int64 // revisions, at this moment
	s.Tap.Inject(func(call trace.Call) trace.Fault {
		if writesRevision(call) {
			// Those that are written side by side share the time.
			c.pass(revisionTakes / time.Duration(writing.Add(1)))
			return trace.Fault{Delay: overlap}
		}
		return throttle(call)
	})
	s.Tap.Watch(func(call trace.Call) {
		if writesRevision(call) {
			writing.Add(-1)
		}
		if call.Service == "ecs" {
			b.enter(call, c.time())
		}
	})
	return b, submit(ctx, s, c, n)
}

func writesRevision(call trace.Call) bool {
	return call.Operation == "PutObject" && strings.Contains(call.Resource, "/journal/")
}

// ticking is the function: a sweep every hour, and a tick every minute.
func ticking(ctx context.Context, s *scene, c *clock, images int) error {
	ferry, err := s.ferryOver(shortcut{s.Cloud}, c.time)
	if err != nil {
		return err
	}
	begun := c.time()
	for at := begun; ; at = at.Add(tickEvery) {
		c.until(at)
		s.recorder.take()
		if at.Sub(begun)%sweepEvery == 0 {
			if err := within(ctx, c, func(ctx context.Context) error {
				_, err := ferry.Sweep(ctx, export.SweepOrder{MaxAge: -1})
				return err
			}); err != nil {
				return err
			}
		}
		if err := within(ctx, c, func(ctx context.Context) error { return work(ctx, "tick", ferry) }); err != nil {
			return err
		}
		if len(s.ECS.Tasks()) == images {
			return nil
		}
		if at.Sub(begun) > 60*24*time.Hour {
			return errors.New("it does not come to an end")
		}
	}
}

// within gives an invocation the function's time of the clock. What was throttled comes again with the next tick.
func within(ctx context.Context, c *clock, invocation func(context.Context) error) error {
	ctx, cancel := context.WithDeadline(ctx, c.time().Add(timeout))
	defer cancel()
	err := invocation(ctx)
	var refused *export.CallError
	if errors.As(err, &refused) && strings.HasPrefix(refused.Code, "Throttling") {
		return nil
	}
	return err
}

// insisting is a loop that submits each image, and repeats a throttled call.
func insisting(ctx context.Context, s *scene, c *clock, _ int) error {
	session, err := s.session(shortcut{s.Cloud})
	if err != nil {
		return err
	}
	var ids []string
	for number := 1; ; number++ {
		page, total, err := session.ECS.Images(ctx, time.Time{}, number)
		if err != nil {
			return err
		}
		for _, image := range page {
			ids = append(ids, image.ID)
		}
		if number*export.ImagePageSize >= total {
			break
		}
	}
	for id := range slices.Values(ids) {
		pause := 500 * time.Millisecond
		for range 6 {
			c.pass(callTime)
			_, err := session.ECS.Export(ctx, export.Request{ImageID: id, Role: s.settings.Role, Destination: manifest.Destination{
				Region: s.Region, Bucket: s.settings.Destination.Bucket, Prefix: "backfill", Format: "raw",
			}})
			var refused *export.CallError
			if err == nil {
				break
			}
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Code, "Throttling") {
				return err
			}
			c.pass(pause)
			pause = min(2*pause, 10*time.Second)
		}
	}
	return nil
}
