package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Heartbeat is the trace of the newest round that a timer has run of one action: whoever looks can tell that the timers
// run, and since when they do not. It is a hint, and nothing rests on it.
type Heartbeat struct {
	At     time.Time `json:"at"`     // when the round ended
	Action string    `json:"action"` // follow, drain or sweep
	// RequestID is the invocation's.
	RequestID string `json:"requestId,omitempty"`
	// Version is of the imageferry that ran it.
	Version string `json:"version,omitempty"`
	// Incomplete: the round ran out of time, or met its limit.
	Incomplete bool `json:"incomplete,omitempty"`
	// Failed: the round ended with an error, which the function's log has.
	Failed bool `json:"failed,omitempty"`
	// Held is the reason of the hold that the round met, if any.
	Held string `json:"held,omitempty"`
}

// Active is the prefix of everything that is a hint: markers, the hold, heartbeats.
func (l Layout) Active() string { return string(l) + "active/" }

// Journals is the prefix of every revision of every export of a destination.
func (l Layout) Journals(d Destination) string { return string(l) + "journal/" + d.path() + "/" }

// MarkerKey is the key of a marker in the index.
func (l Layout) MarkerKey(m Marker) string { return l.marker(m) }

// CompleteKey is the key without which the next sweep builds the index anew.
func (l Layout) CompleteKey() string { return l.complete() }

func (l Layout) seen() string { return l.Active() + "seen/" }

// PutHeartbeat leaves the trace of a round, over that of the one before.
func (x *Index) PutHeartbeat(ctx context.Context, h Heartbeat) error {
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return fmt.Errorf("encode heartbeat of %s: %w", h.Action, err)
	}
	if err := x.store.Put(ctx, x.layout.seen()+h.Action, append(data, '\n')); err != nil {
		return fmt.Errorf("write heartbeat of %s: %w", h.Action, err)
	}
	return nil
}

// Heartbeats reads the newest heartbeat of each action, in the order of the actions' names. One that cannot be decoded
// counts as none.
func (x *Index) Heartbeats(ctx context.Context) ([]Heartbeat, error) {
	keys, _, err := x.store.List(ctx, x.layout.seen(), "", maxList)
	if err != nil {
		return nil, fmt.Errorf("list heartbeats: %w", err)
	}
	var all []Heartbeat
	for _, key := range keys {
		data, err := x.store.Get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read heartbeat: %w", err)
		}
		var h Heartbeat
		if json.Unmarshal(data, &h) == nil && h.Action == strings.TrimPrefix(key, x.layout.seen()) && !h.At.IsZero() {
			all = append(all, h)
		}
	}
	return all, nil
}

// Late tells whether the timer that leaves this heartbeat every period has missed at least one round.
func (h Heartbeat) Late(now time.Time, period time.Duration) bool { return now.Sub(h.At) > 2*period }
