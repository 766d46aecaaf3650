package handler

import (
	"strings"
	"time"

	"imageferry/internal/manifest"
)

// stateChange is CloudMonitor's name for the event that ECS sends whenever an image's status changes.
const stateChange = "Image:StateChange"

// An envelope is what EventBridge tells about the event that it carries. Without an envelope all is empty.
type envelope struct {
	eventType string
	region    string
	account   string
	id        string
	time      *time.Time
}

func (e envelope) trigger(source string) manifest.Trigger {
	return manifest.Trigger{Kind: "event", Source: source, ID: e.id, Time: e.time}
}

// decodeCloudEvent decodes a CloudEvent 1.0 with Alibaba Cloud's extension attributes.
func decodeCloudEvent(o object, scopes Scopes) (Command, error) {
	e, err := readEnvelope(o)
	if err != nil {
		return nil, err
	}
	data := o.at("data")
	switch {
	case isType(e.eventType, stateChange):
		return decodeStateChange(data, e, scopes)
	case isActionTrail(e.eventType):
		record, err := data.embedded()
		if err != nil {
			return nil, err
		}
		return decodeActionTrail(record, e, scopes)
	}
	if body, err := data.object(); err == nil && body.has("content") && body.at("name").optional() == stateChange {
		return decodeCloudMonitor(body, e, scopes)
	}
	return Ignored{Reason: reasonOtherType, Detail: e.eventType, Trigger: e.trigger(e.eventType)}, nil
}

// decodeStateChange decodes the data of ecs:Image:StateChange.
//
// Guess: no document names that type, nor tells whether its data is CloudMonitor's body or the content in it, as it is for
// ECS's other events. The type follows from the rule that those keep to; should it be another, the body gives it away.
func decodeStateChange(data value, e envelope, scopes Scopes) (Command, error) {
	if e.eventType != stateChange && !strings.EqualFold(product(e.eventType), "ecs") {
		return Ignored{Reason: reasonOtherProduct, Detail: e.eventType, Trigger: e.trigger(e.eventType)}, nil
	}
	body, err := data.embedded()
	if err != nil {
		return nil, err
	}
	if body.has("content") {
		return decodeCloudMonitor(body, e, scopes)
	}
	return decodeState(body, e, scopes)
}

func readEnvelope(o object) (envelope, error) {
	eventType, err := o.at("type").required()
	if err != nil {
		return envelope{}, err
	}
	region, err := o.at("aliyunregionid").text()
	if err != nil {
		return envelope{}, err
	}
	account, err := o.at("aliyunaccountid").text()
	if err != nil {
		return envelope{}, err
	}
	return envelope{
		eventType: clip(eventType, 256),
		region:    region,
		account:   account,
		id:        o.at("id").optional(),
		time:      eventTime(o.at("time").optional()),
	}, nil
}

func isType(eventType, name string) bool {
	return eventType == name || strings.HasSuffix(eventType, ":"+name)
}

// eventTime reads the times of EventBridge and ActionTrail (RFC 3339) and of CloudMonitor (20240410T160101.922+0800). It only
// informs, so an unknown notation is no reason to refuse an event.
func eventTime(s string) *time.Time {
	for _, layout := range []string{time.RFC3339, "20060102T150405.999Z0700"} {
		// A year of more than four digits, or before 0, cannot be written as RFC 3339 again.
		if t, err := time.Parse(layout, s); err == nil && t.UTC().Year() > 0 && t.UTC().Year() < 10000 {
			t = t.UTC()
			return &t
		}
	}
	return nil
}
