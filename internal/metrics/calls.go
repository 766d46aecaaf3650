package metrics

import (
	"context"
	"maps"
	"sync"
)

// maxAPIs bounds the APIs that are told apart, far above what imageferry calls.
const maxAPIs = 64

// calls counts what this instance has sent since it began.
type calls struct {
	all, errors *family

	mutex sync.Mutex
	known map[string]bool
}

func newCalls() *calls {
	return &calls{
		all:    counter("imageferry_api_calls_total", "Calls of cloud APIs by this instance, each try counted."),
		errors: counter("imageferry_api_errors_total", "Calls of cloud APIs by this instance that did not end well, by what went wrong."),
		known:  map[string]bool{},
	}
}

func (c *calls) families() []*family { return []*family{c.all, c.errors} }

// name is the API, or "other" once there are too many.
func (c *calls) name(api string) string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.known[api] {
		if len(c.known) == maxAPIs {
			return other
		}
		c.known[api] = true
	}
	return api
}

// Called counts one call, for the instance and for the tally that the context may have. The API is one such as
// ecs:ExportImage; the class is one of a few words, empty when all went well.
func (m *Metrics) Called(ctx context.Context, api, class string) {
	name := m.calls.name(api)
	m.calls.all.inc("api", name)
	if class != "" {
		m.calls.errors.inc("api", name, "class", class)
	}
	if t, ok := ctx.Value(tallyKey{}).(*Tally); ok {
		t.called(name, class)
	}
}

// A Tally counts the calls made on behalf of one context. It is safe for concurrent use.
type Tally struct {
	mutex  sync.Mutex
	counts map[string]Count
}

// A Count is how often an API was called, and how many of these calls did not end well.
type Count struct{ Calls, Errors int }

type tallyKey struct{}

// WithTally returns a context, and the tally of the calls that are made with it or one derived from it.
func WithTally(ctx context.Context) (context.Context, *Tally) {
	t := &Tally{counts: map[string]Count{}}
	return context.WithValue(ctx, tallyKey{}, t), t
}

func (t *Tally) called(api, class string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	c := t.counts[api]
	c.Calls++
	if class != "" {
		c.Errors++
	}
	t.counts[api] = c
}

// Counts are the calls until now, by API.
func (t *Tally) Counts() map[string]Count {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return maps.Clone(t.counts)
}
