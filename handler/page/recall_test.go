package page_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/export"
)

// A counted Source counts how often it is read, and takes a second for each read.
type counted struct {
	page.Source
	overviews, recents, progresses atomic.Int32
	fail                           atomic.Bool
}

func (c *counted) work(ctx context.Context, n *atomic.Int32) error {
	n.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.fail.Load() {
		return errors.New("down")
	}
	return nil
}

func (c *counted) Overview(ctx context.Context) (export.Overview, error) {
	if err := c.work(ctx, &c.overviews); err != nil {
		return export.Overview{}, err
	}
	return c.Source.Overview(ctx)
}

func (c *counted) Recent(ctx context.Context, f export.Filter, cursor string, limit int) (export.Recent, error) {
	if err := c.work(ctx, &c.recents); err != nil {
		return export.Recent{}, err
	}
	return c.Source.Recent(ctx, f, cursor, limit)
}

func (c *counted) Progress(ctx context.Context, ids []string) (map[string]int, error) {
	if err := c.work(ctx, &c.progresses); err != nil {
		return nil, err
	}
	return c.Source.Progress(ctx, ids)
}

func (c *counted) want(t *testing.T, when string, overviews, recents, progresses int32) {
	t.Helper()
	if o, r, p := c.overviews.Swap(0), c.recents.Swap(0), c.progresses.Swap(0); o != overviews || r != recents || p != progresses {
		t.Errorf("%s: %d overviews, %d lists, %d progresses; want %d, %d, %d", when, o, r, p, overviews, recents, progresses)
	}
}

// TestManyViewers: however many look within a few seconds, they cost one reading, and nobody gets an error that is another's.
func TestManyViewers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &counted{Source: pagetest.Account(time.Now())}
		options := page.Options{Remember: page.DefaultRemember, AllowActions: true}
		site := page.New(options)
		h := site.Handler(page.Backend{Source: source, Actions: source.Source.(*pagetest.Memory)})
		look := func(n int, target string, want int) {
			t.Helper()
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
					if w.Code != want {
						t.Errorf("%s: status %d", target, w.Code)
					}
				})
			}
			all.Wait()
		}
		look(50, "/", 200)
		source.want(t, "50 viewers", 1, 1, 1)
		time.Sleep(2 * time.Second)
		look(50, "/", 200)
		look(10, "/badge.svg", 200)
		source.want(t, "soon after", 0, 0, 0)
		look(2, "/?state=failed", 200)
		source.want(t, "another list", 0, 1, 0)
		time.Sleep(page.DefaultRemember)
		look(50, "/", 200)
		source.want(t, "later", 1, 1, 1)

		// An invocation that ends takes nobody along.
		time.Sleep(page.DefaultRemember)
		var both sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		both.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
			if w.Code != 503 {
				t.Errorf("the one that ended: status %d", w.Code)
			}
		})
		synctest.Wait()
		look(5, "/", 200)
		both.Wait()
		source.want(t, "after one that ended", 2, 2, 1)

		time.Sleep(page.DefaultRemember)
		source.fail.Store(true)
		look(1, "/", 503)
		source.fail.Store(false)
		look(1, "/", 200)
		source.want(t, "after an outage", 2, 2, 1)
	})
}
