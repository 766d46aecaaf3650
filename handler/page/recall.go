package page

import (
	"context"
	"sync"
	"time"
)

// A recall keeps answers for a short time, and has one ask while the others wait for that answer, so that any number of
// people who look at the page cost as much as one. An error is not kept: whoever waits next asks again.
type recall[V any] struct {
	mu    sync.Mutex
	memos map[string]*memo[V]
}

// A memo is one answer. Whoever has its turn may read and write the rest.
type memo[V any] struct {
	turn  chan struct{}
	value V
	asked time.Time // zero: never
}

// get is the answer to what key stands for, not older than life; 0 asks each time.
func (r *recall[V]) get(ctx context.Context, key string, life time.Duration, now func() time.Time, ask func() (V, error)) (V, error) {
	if life <= 0 {
		return ask()
	}
	s := r.memo(key, now().Add(-life))
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
	defer func() { <-s.turn }()
	begun := now()
	if begun.Sub(s.asked) < life {
		return s.value, nil
	}
	value, err := ask()
	if err == nil {
		s.value, s.asked = value, begun
	}
	return value, err
}

// memo finds the key's, or makes it, and removes those that nobody has asked since.
func (r *recall[V]) memo(key string, since time.Time) *memo[V] {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, s := range r.memos {
		select {
		case s.turn <- struct{}{}:
			if other != key && s.asked.Before(since) {
				delete(r.memos, other)
			}
			<-s.turn
		default: // somebody is asking
		}
	}
	if r.memos == nil {
		r.memos = map[string]*memo[V]{}
	}
	if r.memos[key] == nil {
		r.memos[key] = &memo[V]{turn: make(chan struct{}, 1)}
	}
	return r.memos[key]
}

// forget has the next one ask, whatever was answered before.
func (r *recall[V]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memos = nil
}
