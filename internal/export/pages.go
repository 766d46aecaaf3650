package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"imageferry/internal/manifest"
)

const (
	// maxPagesAhead is how many pages of images are asked for at once.
	maxPagesAhead = 8
	// maxPagesPerMinute leaves room for others: the account's consoles and programs share the limit of DescribeImages.
	// Guess: ECS publishes no number. This one is what a program reaches that asks for one page after the other at 60 ms each.
	maxPagesPerMinute = 1000
)

// imagePages walks over the pages of the account's Available images created at or after since. ahead tells, whenever a page has
// come or was worked, how many more to ask for before it is their turn: they come at once instead of one after the other, but
// are older by then. The walk ends with the first error, which is errOutOfTime when the invocation has no time for more pages.
func (f *Ferry) imagePages(ctx context.Context, since time.Time, ahead func() int) iter.Seq2[[]manifest.Image, error] {
	return func(yield func([]manifest.Image, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		w := pageWalk{Ferry: f, since: since, last: 1}
		defer w.running.Wait()
		defer stop()
		for w.ask(ctx, 1); len(w.asked) > 0; w.ask(ctx, max(1, ahead())) {
			p := <-w.asked[0]
			w.asked = w.asked[1:]
			if p.err != nil {
				yield(nil, p.err)
				return
			}
			if len(p.images) == 0 {
				return // there are fewer than there were
			}
			w.last = (p.total + ImagePageSize - 1) / ImagePageSize
			w.ask(ctx, ahead())
			if !yield(p.images, nil) {
				return
			}
		}
		if w.late {
			yield(nil, errOutOfTime)
		}
	}
}

var errOutOfTime = errors.New("the time of the invocation is over")

// A pageWalk asks for pages in their order.
type pageWalk struct {
	*Ferry
	since   time.Time
	number  int // of the page that was asked for last
	last    int // as far as is known
	asked   []<-chan imagePage
	running sync.WaitGroup
	// begun is when the minute began in which so many pages were asked for.
	begun  time.Time
	inside int
	late   bool // there is no time to ask for more
}

type imagePage struct {
	images []manifest.Image
	total  int
	err    error
}

// ask has up to n pages on their way.
func (w *pageWalk) ask(ctx context.Context, n int) {
	for len(w.asked) < n && w.number < w.last && !w.late {
		pause := w.pause()
		if w.late = !w.hasTimeIn(ctx, pause); w.late {
			return
		}
		w.number++
		number := w.number
		answer := make(chan imagePage, 1)
		w.asked = append(w.asked, answer)
		w.running.Go(func() {
			var p imagePage
			if p.err = sleep(ctx, pause); p.err == nil {
				p.images, p.total, p.err = w.Images.Images(ctx, w.since, number)
			}
			answer <- p
		})
	}
}

// hasTimeIn is hasTime after a pause.
func (w *pageWalk) hasTimeIn(ctx context.Context, pause time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return w.hasTime(ctx) && (!ok || deadline.Sub(w.now().Add(pause)) > 2*w.settings.Reserve)
}

// pause is how long the next page has to wait for a minute with room.
func (w *pageWalk) pause() time.Duration {
	now := w.now()
	if now.Sub(w.begun) >= time.Minute {
		w.begun, w.inside = now, 0
	}
	if w.inside == maxPagesPerMinute {
		w.begun, w.inside = w.begun.Add(time.Minute), 0
	}
	w.inside++
	return max(0, w.begun.Sub(now))
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for room in a minute: %w", ctx.Err())
	}
}
