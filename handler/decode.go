package handler

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// maxEvents bounds one array of events. EventBridge pushes at most 256 KB at once, so more events than this cannot be real.
const maxEvents = 1000

const shapesHint = `expected a timer, HTTP, EventBridge, CloudMonitor, ActionTrail or OSS event, {"action":"follow"} or {"imageId":"m-…"}`

// Decode tells what an event asks for. It understands, by their shape:
//
//   - FC's timer trigger, see decodeTimer for its payload, and that payload as the whole event;
//   - {"imageId":"m-…"}: an explicit submit, by hand;
//   - FC's HTTP trigger, version v1;
//   - an OSS trigger's {"events":[…]};
//   - CloudEvents from EventBridge about images, and the bare CloudMonitor and ActionTrail bodies, one object, or an array of
//     objects and of strings of escaped JSON.
//
// Events outside of all scopes, and those that ask for nothing, are Ignored commands. Each error is a *DecodeError; several are
// joined. An array with a malformed event yields both an error and the commands of the others.
func Decode(raw json.RawMessage, scopes ...Scope) ([]Command, error) {
	if len(scopes) == 0 {
		scopes = []Scope{{}} // nothing is known to be outside
	}
	event := value{"event", raw}
	if err := event.parse(); err != nil {
		return nil, err
	}
	switch event.kind() {
	case "an object":
		o, err := event.object()
		if err != nil {
			return nil, err
		}
		return decodeObject(o, scopes)
	case "an array":
		return decodeArray(value{"events", raw}, scopes)
	default:
		return nil, event.fail("is "+event.kind(), shapesHint)
	}
}

func decodeObject(o object, scopes Scopes) ([]Command, error) {
	var c Command
	var err error
	switch {
	case isHTTP(o):
		c, err = decodeHTTP(o)
	case o.has("triggerName") || o.has("triggerTime"):
		c, err = decodeTimer(o)
	case o.has("events"):
		return decodeOSS(o, scopes)
	case imageEvent(o) != nil:
		c, err = imageEvent(o)(o, scopes)
	case o.has("action") || o.has("imageId"):
		c, err = decodeByHand(o)
	default:
		err = noShape(o)
	}
	if err != nil {
		return nil, err
	}
	return []Command{c}, nil
}

func decodeArray(v value, scopes Scopes) ([]Command, error) {
	items, err := v.array()
	if err != nil {
		return nil, err
	}
	if err := checkLength(v, items); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return []Command{Ignored{Reason: reasonNoEvents, Detail: "an empty array", Trigger: manifest.Trigger{Kind: "event"}}}, nil
	}
	var commands []Command
	var problems []error
	for _, item := range items {
		c, err := decodeItem(item, scopes)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		commands = append(commands, c)
	}
	return commands, joinSome(problems)
}

// decodeItem decodes one event of an array. Timers and requests come alone, never in an array.
func decodeItem(item value, scopes Scopes) (Command, error) {
	o, err := item.embedded()
	if err != nil {
		return nil, err
	}
	decode := imageEvent(o)
	if decode == nil {
		return nil, noShape(o)
	}
	return decode(o, scopes)
}

func checkLength(v value, items []value) error {
	if len(items) > maxEvents {
		return v.fail(fmt.Sprintf("has %d events", len(items)), fmt.Sprintf("send at most %d at once", maxEvents))
	}
	return nil
}

// imageEvent finds the decoder of an event that tells about something in the account: in an EventBridge envelope, or bare as
// a rule with the schema RawData passes it on. It is nil for other shapes.
func imageEvent(o object) func(object, Scopes) (Command, error) {
	bare := func(decode func(object, envelope, Scopes) (Command, error)) func(object, Scopes) (Command, error) {
		return func(o object, scopes Scopes) (Command, error) { return decode(o, envelope{}, scopes) }
	}
	switch {
	case o.has("specversion") || o.has("type") && o.has("source"):
		return decodeCloudEvent
	case o.has("name") && o.has("content"):
		return bare(decodeCloudMonitor)
	case o.has("imageId") && o.has("currentState"):
		return bare(decodeState)
	case o.has("eventName"):
		return bare(decodeActionTrail)
	default:
		return nil
	}
}

func noShape(o object) error {
	return value{path: o.path}.fail("has no known shape", shapesHint)
}

// imageID reads the id of a custom image.
func (v value) imageID() (string, error) {
	id, err := v.required()
	if err != nil {
		return "", err
	}
	if !manifest.ValidImageID(id) {
		return "", v.invalid(fmt.Sprintf("is %q", clip(id, 80)), "expected a custom image's id: m- and letters or digits")
	}
	return id, nil
}

// submit asks for the export that an event tells of.
func submit(target, id string, t manifest.Trigger, available bool) Submit {
	return Submit{Order: export.Order{ImageID: id, Trigger: t, Available: available}, Target: target}
}

// joinSome joins errors; of many it keeps the first ones, because the platform bounds what it passes on.
func joinSome(all []error) error {
	const some = 10
	switch n := len(all); {
	case n == 1:
		return all[0]
	case n > some:
		return errors.Join(append(all[:some:some], fmt.Errorf("and %d more", n-some))...)
	default:
		return errors.Join(all...)
	}
}

// product is the part of an event type before the first colon: ecs in ecs:Image:StateChange.
func product(eventType string) string {
	p, _, _ := strings.Cut(eventType, ":")
	return strings.TrimPrefix(p, "acs.")
}
