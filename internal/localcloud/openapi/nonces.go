package openapi

import (
	"sync"
	"time"
)

// nonces remembers the nonces of authentic requests for as long as their timestamps are accepted. The zero value is
// ready. It keeps two generations, so that forgetting costs nothing.
type nonces struct {
	mu       sync.Mutex
	since    time.Time
	current  map[string]struct{}
	previous map[string]struct{}
}

// use reports whether the nonce is new, and remembers it.
func (n *nonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current == nil || now.Sub(n.since) > 2*clockSkew {
		n.previous, n.current, n.since = n.current, map[string]struct{}{}, now
	}
	_, inCurrent := n.current[nonce]
	_, inPrevious := n.previous[nonce]
	if inCurrent || inPrevious {
		return false
	}
	n.current[nonce] = struct{}{}
	return true
}
