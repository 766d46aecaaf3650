package handler

import (
	"net/url"
	"strings"

	"imageferry/internal/manifest"
)

// decodeOSS decodes an OSS trigger's events. A new object in the export bucket is a hint that a task may be finished, so the
// running exports of its target are followed, once for all events; whether it is finished, ECS says.
func decodeOSS(o object, scopes Scopes) ([]Command, error) {
	list := o.at("events")
	events, err := list.array()
	if err != nil {
		return nil, err
	}
	if err := checkLength(list, events); err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return []Command{Ignored{Reason: reasonNoEvents, Detail: "an empty array", Trigger: manifest.Trigger{Kind: "event"}}}, nil
	}
	var commands []Command
	var problems []error
	followed := map[string]bool{}
	for _, event := range events {
		c, err := decodeOSSEvent(event, scopes)
		tick, follow := c.(Tick)
		switch {
		case err != nil:
			problems = append(problems, err)
		case !follow || !followed[tick.Target]:
			commands = append(commands, c)
			followed[tick.Target] = follow
		}
	}
	return commands, joinSome(problems)
}

func decodeOSSEvent(v value, scopes Scopes) (Command, error) {
	// Paths as a reader of the event writes them: events[0].oss.object.key.
	v.path = strings.TrimPrefix(v.path, "event.")
	o, err := v.object()
	if err != nil {
		return nil, err
	}
	name, err := o.at("eventName").required()
	if err != nil {
		return nil, err
	}
	t := manifest.Trigger{Kind: "event", Source: "oss:" + clip(name, 64), Time: eventTime(o.at("eventTime").optional())}
	if !strings.HasPrefix(name, "ObjectCreated:") {
		return Ignored{Reason: reasonOtherType, Detail: clip(name, 64), Trigger: t}, nil
	}
	bucket, key, err := ossObject(o)
	if err != nil {
		return nil, err
	}
	for _, scope := range scopes {
		if bucket == scope.ManifestBucket && ownKey(key, scope.ManifestPrefix) {
			return Ignored{Reason: reasonOwnManifest, Detail: clip(key, 256), Trigger: t}, nil
		}
	}
	for _, scope := range scopes {
		if bucket == scope.Bucket {
			return Tick{Trigger: t, Follow: true, Target: scope.Name}, nil
		}
	}
	return Ignored{Reason: reasonOtherObject, Detail: clip(bucket+"/"+key, 256), Trigger: t}, nil
}

func ossObject(o object) (bucket, key string, err error) {
	oss, err := o.at("oss").object()
	if err != nil {
		return "", "", err
	}
	b, err := oss.at("bucket").object()
	if err != nil {
		return "", "", err
	}
	if bucket, err = b.at("name").required(); err != nil {
		return "", "", err
	}
	ob, err := oss.at("object").object()
	if err != nil {
		return "", "", err
	}
	key, err = ob.at("key").required()
	return bucket, key, err
}

// ownKey tells whether the function itself writes the key: following because of it would write it again, without end.
// Guess: no document tells whether the key in the event is URL-encoded, so both are recognized.
func ownKey(key, prefix string) bool {
	if strings.HasPrefix(key, prefix) {
		return true
	}
	decoded, err := url.PathUnescape(key)
	return err == nil && strings.HasPrefix(decoded, prefix)
}
