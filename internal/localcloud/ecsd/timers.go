package ecsd

import (
	"context"
	"sync"
	"time"
)

// timers runs functions later and stops all of them together.
type timers struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // of those that wait or run

	mu      sync.Mutex
	closed  bool
	pending map[*time.Timer]struct{}
}

func newTimers() *timers {
	ctx, cancel := context.WithCancel(context.Background())
	return &timers{ctx: ctx, cancel: cancel, pending: map[*time.Timer]struct{}{}}
}

// after calls f in its own goroutine after d, unless stop or close is called before. Its context ends with close.
func (t *timers) after(d time.Duration, f func(context.Context)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return func() {}
	}
	t.wg.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		defer t.wg.Done()
		t.mu.Lock() // also waits until timer is assigned
		delete(t.pending, timer)
		t.mu.Unlock()
		f(t.ctx)
	})
	t.pending[timer] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drop(timer)
	}
}

// drop stops a timer that has not fired. The caller holds mu.
func (t *timers) drop(timer *time.Timer) {
	if timer.Stop() {
		delete(t.pending, timer)
		t.wg.Done()
	}
}

// close stops the functions that wait and waits for those that run.
func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	for timer := range t.pending {
		t.drop(timer)
	}
	t.mu.Unlock()
	t.cancel()
	t.wg.Wait()
}
