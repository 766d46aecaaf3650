package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/manifest"
)

// A slowImages has full pages, of which each takes a while, and notes when each was asked for.
type slowImages struct {
	pages int
	takes time.Duration
	// fail is asked for an error; shrink makes the pages from this number on empty.
	fail   func(page int) error
	shrink int

	mu     sync.Mutex
	asked  map[int]time.Time
	flying int
	most   int
}

func (s *slowImages) Images(ctx context.Context, _ time.Time, page int) ([]manifest.Image, int, error) {
	s.mu.Lock()
	if s.asked == nil {
		s.asked = map[int]time.Time{}
	}
	s.asked[page] = time.Now()
	s.flying++
	s.most = max(s.most, s.flying)
	s.mu.Unlock()
	err := sleep(ctx, s.takes)
	s.mu.Lock()
	s.flying--
	s.mu.Unlock()
	if err == nil && s.fail != nil {
		err = s.fail(page)
	}
	if err != nil {
		return nil, 0, err
	}
	if s.shrink > 0 && page >= s.shrink {
		return nil, (s.shrink - 1) * ImagePageSize, nil
	}
	images := make([]manifest.Image, ImagePageSize)
	for i := range images {
		images[i].ID = fmt.Sprintf("m-%d-%d", page, i)
	}
	return images, s.pages * ImagePageSize, nil
}

func (s *slowImages) Image(context.Context, string) (manifest.Image, bool, error) {
	return manifest.Image{}, false, nil
}

func (s *slowImages) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// walk collects the numbers of the pages that come, until stop of them.
func walk(ctx context.Context, t *testing.T, images *slowImages, ahead, stop int) (pages []int, err error) {
	w := newWorld(t)
	f := w.ferry()
	f.Images = images
	for page, err := range f.imagePages(ctx, time.Time{}, func() int { return ahead }) {
		if err != nil {
			return pages, err
		}
		var number int
		if _, err := fmt.Sscanf(page[0].ID, "m-%d-0", &number); err != nil {
			t.Fatal(err)
		}
		if pages = append(pages, number); len(pages) == stop {
			break
		}
	}
	return pages, nil
}

func numbers(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

func TestPagesComeInTheirOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		images *slowImages
		ahead  int
		want   int
		took   time.Duration
		most   int
	}{
		"one page":         {&slowImages{pages: 1}, maxPagesAhead, 1, time.Second, 1},
		"one by one":       {&slowImages{pages: 20}, 0, 20, 20 * time.Second, 1},
		"read ahead":       {&slowImages{pages: 25}, maxPagesAhead, 25, 4 * time.Second, maxPagesAhead},
		"fewer than told":  {&slowImages{pages: 20, shrink: 4}, maxPagesAhead, 3, 2 * time.Second, maxPagesAhead},
		"none at all":      {&slowImages{pages: 1, shrink: 1}, maxPagesAhead, 0, time.Second, 1},
		"more in a minute": {&slowImages{pages: maxPagesPerMinute + 50}, maxPagesAhead, maxPagesPerMinute + 50, 133 * time.Second, maxPagesAhead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.images.takes = time.Second
				begun := time.Now()
				pages, err := walk(t.Context(), t, c.images, c.ahead, 0)
				if err != nil || !slices.Equal(pages, numbers(c.want)) {
					t.Errorf("pages are %v (%v)", pages, err)
				}
				if took := time.Since(begun); took != c.took || c.images.most > c.most {
					t.Errorf("it took %v, with up to %d at once", took, c.images.most)
				}
			})
		})
	}
}

// A plan that a person waits for reads ahead, too.
func TestPlanReadsAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newWorld(t).ferry()
		f.Images = &slowImages{pages: 25, takes: time.Second}
		begun := time.Now()
		plan, err := f.Plan(t.Context(), -1)
		if took := time.Since(begun); err != nil || len(plan) != 25*ImagePageSize || took != 4*time.Second {
			t.Errorf("%d decisions in %v (%v)", len(plan), took, err)
		}
	})
}

// However fast they come, no minute has more pages than it may have.
func TestPagesKeepToTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		images := &slowImages{pages: 2*maxPagesPerMinute + 10, takes: time.Millisecond}
		begun := time.Now()
		if pages, err := walk(t.Context(), t, images, maxPagesAhead, 0); err != nil || len(pages) != images.pages {
			t.Errorf("%d pages (%v)", len(pages), err)
		}
		minutes := map[int]int{}
		for _, at := range images.asked {
			minutes[int(at.Sub(begun)/time.Minute)]++
		}
		if minutes[0] != maxPagesPerMinute || minutes[1] != maxPagesPerMinute || minutes[2] != 10 {
			t.Errorf("pages in each minute: %v", minutes)
		}
	})
}

// What was read ahead is given up when nobody wants it any more.
func TestPagesEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		images := &slowImages{pages: 50, takes: time.Second}
		if pages, err := walk(t.Context(), t, images, maxPagesAhead, 2); err != nil || len(pages) != 2 {
			t.Errorf("pages are %v (%v)", pages, err)
		}
		if n := images.calls(); n > 2+maxPagesAhead || images.flying != 0 {
			t.Errorf("%d pages were asked for, %d still are", n, images.flying)
		}
		bad := errors.New("bad")
		images = &slowImages{pages: 50, takes: time.Second, fail: func(page int) error {
			if page == 4 {
				return bad
			}
			return nil
		}}
		if pages, err := walk(t.Context(), t, images, maxPagesAhead, 0); !errors.Is(err, bad) || !slices.Equal(pages, numbers(3)) {
			t.Errorf("pages are %v (%v)", pages, err)
		}
	})
}

// No page is asked for that would come too late, not even after the wait for a minute with room.
func TestPagesStopInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		left time.Duration
		most int
	}{"none": {5 * time.Second, 0}, "a minute's": {50 * time.Second, maxPagesPerMinute}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.left)
				defer cancel()
				images := &slowImages{pages: 3 * maxPagesPerMinute, takes: time.Millisecond}
				pages, err := walk(ctx, t, images, maxPagesAhead, 0)
				if !errors.Is(err, errOutOfTime) || len(pages) != c.most || images.calls() != c.most {
					t.Errorf("%d pages, %d asked for (%v)", len(pages), images.calls(), err)
				}
			})
		})
	}
}

// A sweep that submits reads nothing ahead, so that a page is fresh when it is worked.
func TestSweepReadsAheadOnlyWhatItLooksThrough(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sweep sweep
		want  int
	}{
		"at the beginning": {sweep{}, 0},
		"looking":          {sweep{idle: true}, maxPagesAhead},
		"up to a limit":    {sweep{idle: true, order: SweepOrder{Limit: 50}}, 0},
	} {
		if got := c.sweep.ahead(); got != c.want {
			t.Errorf("%s: %d pages, want %d", name, got, c.want)
		}
	}
	inWorld(t, func(w *world) {
		for i := range 3 * ImagePageSize {
			w.add(fmt.Sprintf("m-%03d", i))
		}
		if round := w.sweep(SweepOrder{Limit: ImagePageSize / 2}); !round.Incomplete {
			t.Errorf("round is %+v", round)
		}
		w.wantCalls(opImages, 1)
	})
}
