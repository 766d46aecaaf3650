package handler

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// isActionTrail tells whether a type is ecs:ActionTrail:ApiCall or one of its like: ConsoleOperation for what is done in the
// console beside the API, AliyunServiceEvent for what a service does by itself.
func isActionTrail(eventType string) bool {
	return isType(eventType, "ActionTrail:ApiCall") || isType(eventType, "ActionTrail:ConsoleOperation") ||
		isType(eventType, "ActionTrail:AliyunServiceEvent")
}

// decodeActionTrail decodes the record of a call. The calls that make an image are recorded when they are made: the image is
// still Creating then, and its export is queued until it is Available.
func decodeActionTrail(o object, e envelope, scopes Scopes) (Command, error) {
	call, err := o.at("eventName").required()
	if err != nil {
		return nil, err
	}
	if e.id == "" {
		e.id = o.at("eventId").optional()
	}
	if e.time == nil {
		e.time = eventTime(o.at("eventTime").optional())
	}
	if e.eventType == "" {
		e.eventType = "ActionTrail"
	}
	t := e.trigger(e.eventType + "/" + clip(call, 64))
	ignored := func(reason, detail string) Command {
		return Ignored{Reason: reason, Detail: detail, Trigger: t}
	}
	// ENS and the Simple Application Server have calls of the same names.
	if service := callService(o, e); service != "" && !strings.EqualFold(service, "ecs") {
		return ignored(reasonOtherProduct, service), nil
	}
	if call != "CreateImage" && call != "CopyImage" && call != "ImportImage" {
		return ignored(reasonOtherCall, clip(call, 64)), nil
	}
	if code := o.at("errorCode"); code.present() && code.optional() != "" {
		return ignored(reasonCallFailed, code.optional()), nil
	}
	parameters, err := optionalObject(o.at("requestParameters"))
	if err != nil {
		return nil, err
	}
	at, err := callPlace(o, call, parameters)
	if err != nil {
		return nil, err
	}
	places := []envelope{at, e}
	if call == "CopyImage" && at.region != "" {
		// A copy belongs to the region that it goes to, wherever its event comes from.
		places[1].region = at.region
	}
	target, reason, detail := scopes.find(places...)
	if reason != "" {
		return ignored(reason, detail), nil
	}
	id, err := newImage(o, call, parameters)
	if err != nil {
		return nil, err
	}
	return submit(target, id, t, false), nil
}

// callPlace is the region in which the call makes its image, and the account. Guess: the record of CopyImage is made in the
// source region and names the other one among the parameters.
func callPlace(o object, call string, parameters object) (envelope, error) {
	region, err := o.at("acsRegion").text()
	if err != nil {
		return envelope{}, err
	}
	if call == "CopyImage" {
		destination, err := parameters.at("DestinationRegionId").text()
		if err != nil {
			return envelope{}, err
		}
		if destination != "" {
			region = destination
		}
	}
	account, err := o.at("recipientAccountId").text()
	if err != nil {
		return envelope{}, err
	}
	return envelope{region: region, account: account}, nil
}

func callService(o object, e envelope) string {
	if service := o.at("serviceName").optional(); service != "" {
		return service
	}
	if e.eventType == "ActionTrail" {
		return ""
	}
	return product(e.eventType)
}

// newImage finds the id of the image that the call has made.
//
// Guess: no document shows the record of one of these calls. The API's answer has ImageId, so it is looked for in
// responseElements first, then among the referenced resources (the documented samples have ACS::ECS::Instance, …), and
// last in the request's parameters. CopyImage's ImageId parameter is the source, never the new image.
func newImage(o object, call string, parameters object) (string, error) {
	response, err := optionalObject(o.at("responseElements"))
	if err != nil {
		return "", err
	}
	for _, field := range []string{"ImageId", "imageId"} {
		if response.has(field) {
			return response.at(field).imageID()
		}
	}
	source := ""
	if call == "CopyImage" {
		source = parameters.at("ImageId").optional()
	}
	id, err := referencedImage(o.at("referencedResources"), source)
	if err != nil || id != "" {
		return id, err
	}
	if call != "CopyImage" && parameters.has("ImageId") {
		return parameters.at("ImageId").imageID()
	}
	return "", o.at("responseElements.ImageId").fail("is missing",
		"no image id in responseElements or referencedResources: the sweep exports the image")
}

// referencedImage is the one image, other than source, under a key such as ACS::ECS::Image; "" when there is none.
func referencedImage(v value, source string) (string, error) {
	resources, err := optionalObject(v)
	if err != nil {
		return "", err
	}
	found := map[string]bool{}
	for key := range resources.fields {
		if key != "Image" && !strings.HasSuffix(key, "::Image") {
			continue
		}
		ids, err := resources.at(key).array()
		if err != nil {
			return "", err
		}
		for _, item := range ids {
			id, err := item.imageID()
			if err != nil {
				return "", err
			}
			if id != source {
				found[id] = true
			}
		}
	}
	if len(found) > 1 {
		return "", v.fail(fmt.Sprintf("names %d images", len(found)), "cannot tell which one is new: the sweep exports it")
	}
	ids := slices.Collect(maps.Keys(found))
	return strings.Join(ids, ""), nil
}

// optionalObject reads an object, or a string of one; nothing, or "", is an empty one.
func optionalObject(v value) (object, error) {
	if !v.present() {
		return object{path: v.path}, nil
	}
	if s, err := v.text(); err == nil && s == "" {
		return object{path: v.path}, nil
	}
	return v.embedded()
}
