package handler

import (
	"cmp"
	"strings"
)

// decodeCloudMonitor decodes the body of a CloudMonitor system event, such as
// https://help.aliyun.com/zh/ecs/user-guide/image-event-notification shows it for Image:StateChange.
func decodeCloudMonitor(o object, e envelope, scopes Scopes) (Command, error) {
	name, err := o.at("name").required()
	if err != nil {
		return nil, err
	}
	region, err := o.at("regionId").text()
	if err != nil {
		return nil, err
	}
	account, err := o.at("userId").text()
	if err != nil {
		return nil, err
	}
	if e.id == "" {
		e.id = o.at("id").optional()
	}
	if e.time == nil {
		e.time = eventTime(o.at("eventTime").optional())
	}
	if e.eventType == "" {
		e.eventType = clip(name, 256)
	}
	t := e.trigger(e.eventType)
	if name != stateChange {
		return Ignored{Reason: reasonOtherType, Detail: clip(name, 256), Trigger: t}, nil
	}
	if p := o.at("product").optional(); p != "" && !strings.EqualFold(p, "ECS") {
		return Ignored{Reason: reasonOtherProduct, Detail: p, Trigger: t}, nil
	}
	place := envelope{region: region, account: account}
	if _, reason, detail := scopes.find(place, e); reason != "" {
		return Ignored{Reason: reason, Detail: detail, Trigger: t}, nil
	}
	e.region, e.account = cmp.Or(region, e.region), cmp.Or(account, e.account)
	content, err := o.at("content").embedded()
	if err != nil {
		return nil, err
	}
	return decodeState(content, e, scopes)
}

// decodeState decodes {imageId, currentState}. Available arrives again with each change of the image's attributes; the
// journal sees to it that this starts nothing.
func decodeState(o object, e envelope, scopes Scopes) (Command, error) {
	if e.eventType == "" {
		e.eventType = stateChange
	}
	t := e.trigger(e.eventType)
	target, reason, detail := scopes.find(e)
	if reason != "" {
		return Ignored{Reason: reason, Detail: detail, Trigger: t}, nil
	}
	id, err := o.at("imageId").imageID()
	if err != nil {
		return nil, err
	}
	state, err := o.at("currentState").required()
	if err != nil {
		return nil, err
	}
	if state == "Available" {
		return submit(target, id, t, true), nil
	}
	return Ignored{Reason: stateReason(state), Detail: "the image is " + clip(state, 64), ImageID: id, Trigger: t}, nil
}

// stateReason is why an image in this state is left alone. The documented states of the event are Waiting, Creating,
// Available, CreateFailed, Deleted and Deprecated; DescribeImages knows UnAvailable, too.
func stateReason(state string) string {
	switch state {
	case "Waiting", "Creating":
		return reasonImageCreating
	case "CreateFailed":
		return reasonImageFailed
	case "Deleted":
		return reasonImageDeleted
	case "Deprecated":
		return reasonImageDeprecated
	case "UnAvailable":
		return reasonImageUnavailable
	default:
		return reasonImageState
	}
}
