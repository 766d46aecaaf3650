package fcd

import (
	"maps"
	"slices"
	"sync"
)

// A pool holds the instances of a function. Idle ones are kept and used again, the most recent first.
type pool struct {
	max   int
	start func() (*instance, error)

	mu     sync.Mutex
	closed bool
	// starting counts the instances that are being started, which are not in all.
	starting int
	cold     int
	all      map[*instance]bool
	idle     []*instance
}

func newPool(max int, start func() (*instance, error)) *pool {
	return &pool{max: max, start: start, all: map[*instance]bool{}}
}

// acquire returns an idle instance or starts one. Errors: ErrThrottled if all instances are at work, ErrClosed.
func (p *pool) acquire() (i *instance, cold bool, err error) {
	if i, err := p.reserve(); i != nil || err != nil {
		return i, false, err
	}
	i, err = p.start()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	if err != nil {
		return nil, false, err
	}
	if p.closed {
		i.kill()
		return nil, false, ErrClosed
	}
	p.cold++
	p.all[i] = true
	return i, true, nil
}

// reserve takes an idle instance, or else the right to start one, which a nil instance without an error means.
func (p *pool) reserve() (*instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	for len(p.idle) > 0 {
		last := len(p.idle) - 1
		i := p.idle[last]
		p.idle = p.idle[:last]
		if i.alive() {
			return i, nil
		}
		delete(p.all, i)
	}
	if len(p.all)+p.starting >= p.max {
		return nil, ErrThrottled
	}
	p.starting++
	return nil, nil
}

// release takes an instance back after its work, or forgets it if it is dead.
func (p *pool) release(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.all[i]:
	case i.alive():
		p.idle = append(p.idle, i)
	default:
		delete(p.all, i)
	}
}

// kill ends every instance at once, at work or idle, and returns when they have ended.
func (p *pool) kill() {
	p.mu.Lock()
	victims := slices.Collect(maps.Keys(p.all))
	clear(p.all)
	p.idle = nil
	p.mu.Unlock()
	for _, i := range victims {
		i.kill()
	}
}

// working returns the instance that works on a request, nil if none does.
func (p *pool) working(requestID string) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if i.worksOn(requestID) {
			return i
		}
	}
	return nil
}

// close is kill, after which no instance can be acquired.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.kill()
}

// size returns how many instances run and how many were started so far.
func (p *pool) size() (running, started int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all), p.cold
}
