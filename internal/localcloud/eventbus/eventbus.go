// Package eventbus is the embedded cloud's EventBridge and CloudMonitor: it turns what happens in ECS into events and
// delivers them to the subscribers whose pattern selects them.
//
// Delivery is as on the platform: asynchronous, at least once, and in no order.
package eventbus

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrClosed is the error of a subscription to a closed Bus.
var ErrClosed = errors.New("the event bus is closed")

// A Bus is the default event bus of one account in one region. Its methods are safe for concurrent use.
type Bus struct {
	region, accountID string
	log               *slog.Logger

	mu        sync.Mutex
	closed    bool
	duplicate bool
	rules     []rule
	monitors  []func([]byte)
	running   sync.WaitGroup
}

type rule struct {
	pattern Pattern
	deliver func(event []byte)
}

// New returns a bus without subscribers. Close ends it.
func New(region, accountID string, log *slog.Logger) *Bus {
	return &Bus{region: region, accountID: accountID, log: log}
}

// Subscribe has every later event that the pattern selects delivered, as a CloudEvent in JSON. The function is called
// concurrently, in a goroutine of its own, and possibly more than once for one event; it must not change the bytes.
func (b *Bus) Subscribe(pattern []byte, deliver func(event []byte)) error {
	p, err := ParsePattern(pattern)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("subscribe: %w", ErrClosed)
	}
	b.rules = append(b.rules, rule{p, deliver})
	return nil
}

// SubscribeCloudMonitor has every later notification of CloudMonitor delivered, in the form of [CloudMonitorBody] and
// under the conditions of Subscribe.
func (b *Bus) SubscribeCloudMonitor(deliver func(body []byte)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return fmt.Errorf("subscribe: %w", ErrClosed)
	}
	b.monitors = append(b.monitors, deliver)
	return nil
}

// SetDuplicate has every later event delivered twice to each of its subscribers, as "at least once" allows.
func (b *Bus) SetDuplicate(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.duplicate = on
}

// ImageStateChanged publishes that an image has changed its state (Creating, Available, …), to EventBridge and to
// CloudMonitor.
//
// Guess: the platform documents the CloudMonitor notification only. The EventBridge type ecs:Image:StateChange, with the
// notification's content as its data, follows the rule that holds for the documented events of ECS.
func (b *Bus) ImageStateChanged(imageID, state string) {
	now := time.Now()
	b.publish(b.envelope("ecs:Image:StateChange", imageID, now, stateChange{imageID, state}))
	body := CloudMonitorBody(b.region, b.accountID, imageID, state, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, deliver := range b.monitors {
		b.start(deliver, body)
	}
}

// APICalled publishes a call of the ECS API, successful or not, as ActionTrail hands it to EventBridge. Calls that only
// read are never published.
func (b *Bus) APICalled(call APICall) {
	if call.readOnly() {
		return
	}
	// Guess: the documents print the data of such an event without its envelope, and so not its subject.
	b.publish(b.envelope("ecs:ActionTrail:ApiCall", call.RequestID, call.Time, call.trailEvent()))
}

func (b *Bus) publish(event cloudEvent) {
	body := encode(event)
	b.mu.Lock()
	defer b.mu.Unlock()
	delivered := 0
	for _, r := range b.rules {
		if r.pattern.Matches(body) {
			b.start(r.deliver, body)
			delivered++
		}
	}
	b.log.Debug("event published", "type", event.Type, "id", event.ID, "rules", delivered)
}

// start delivers in the background, unless the bus is closed. The caller holds the lock, so that Close, which sets closed
// under it, misses no delivery.
func (b *Bus) start(deliver func([]byte), body []byte) {
	if b.closed {
		return
	}
	times := 1
	if b.duplicate {
		times = 2
	}
	for range times {
		b.running.Go(func() { deliver(body) })
	}
}

// Close drops every later event and waits for the deliveries that are under way.
func (b *Bus) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.running.Wait()
}
