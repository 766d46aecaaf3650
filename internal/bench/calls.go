package main

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/trace"
)

// A recorder keeps the calls that reach ECS and OSS of a cloud, other than those that ECS makes itself to write an export.
type recorder struct {
	tap *trace.Tap

	mu    sync.Mutex
	calls calls
}

// A call is one request, from when it reached the service until it was answered.
type call struct {
	trace.Call
	answered time.Time
}

type calls []call

func record(tap *trace.Tap) *recorder {
	r := &recorder{tap: tap}
	tap.Watch(func(c trace.Call) {
		if c.Service != "ecs" && c.Service != "oss" || byECS(c) {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls = append(r.calls, call{c, time.Now()})
	})
	return r
}

// byECS tells whether ECS made the call itself, under the role for exports.
func byECS(c trace.Call) bool {
	return strings.Contains(c.Principal, ":assumed-role/"+strings.ToLower(localcloud.ExportRole)+"/")
}

// take returns the calls since it was last called, and forgets them.
func (r *recorder) take() calls {
	r.tap.Reset()
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.calls
	r.calls = nil
	return taken
}

// of counts the calls of some operations.
func (c calls) of(operations ...string) int {
	n := 0
	for _, one := range c {
		if slices.Contains(operations, one.Operation) {
			n++
		}
	}
	return n
}

// trips is how many of the calls followed one upon another: the longest chain of calls of which each began after the one
// before it was answered.
func (c calls) trips() int {
	sorted := slices.SortedFunc(slices.Values(c), func(a, b call) int { return a.answered.Compare(b.answered) })
	n := 0
	var last time.Time
	for _, one := range sorted {
		if n == 0 || !one.Time.Before(last) {
			n, last = n+1, one.answered
		}
	}
	return n
}

// until are the calls that were answered no later than the first one that fits.
func (c calls) until(fits func(call) bool) calls {
	sorted := slices.SortedFunc(slices.Values(c), func(a, b call) int {
		return cmp.Or(a.answered.Compare(b.answered), cmp.Compare(a.Seq, b.Seq))
	})
	if i := slices.IndexFunc(sorted, fits); i >= 0 {
		return sorted[:i+1]
	}
	return nil
}
