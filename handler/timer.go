package handler

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// decodeTimer decodes FC's timer event. Its payload is always a string: empty, it asks for follow, drain and sweep; else it
// is JSON, see decodeAction, with "target" to tick one target alone.
func decodeTimer(o object) (Command, error) {
	payload := o.at("payload")
	t := manifest.Trigger{
		Kind:   "timer",
		Source: o.at("triggerName").optional(),
		Time:   eventTime(o.at("triggerTime").optional()),
	}
	text, err := payload.text()
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return everything(t), nil
	}
	order, err := payload.embedded()
	if err != nil {
		return nil, err
	}
	target, err := order.takeTarget()
	if err != nil {
		return nil, err
	}
	if len(order.fields) > 0 {
		return decodeWork(order, t, target)
	}
	tick := everything(t)
	tick.Target = target
	return tick, nil
}

// decodeWork decodes what is to be done: a restore, or a tick.
func decodeWork(o object, t manifest.Trigger, target string) (Command, error) {
	switch o.at("action").optional() {
	case "restore", "rehearse":
		c, err := decodeRestore(o, t)
		c.Target = target
		return c, err
	}
	tick, err := decodeAction(o, t)
	tick.Target = target
	return tick, err
}

// decodeRestore decodes {"action":"restore","imageId":"m-…"} with the fields of decodeRestoreOptions, and {"action":"rehearse"}
// with an imageId or, for any export, without one.
func decodeRestore(o object, t manifest.Trigger) (Restore, error) {
	c := Restore{Trigger: t}
	var err error
	if o.at("action").optional() == "rehearse" {
		if err := o.only("action", "imageId", "target"); err != nil {
			return Restore{}, err
		}
		c.Options.Rehearsal = true
		if o.has("imageId") {
			c.ImageID, err = o.at("imageId").imageID()
		}
		return c, err
	}
	delete(o.fields, "action")
	id := o.at("imageId")
	delete(o.fields, "imageId")
	if c, err = decodeRestoreOptions(o, t); err != nil {
		return Restore{}, err
	}
	c.ImageID, err = id.imageID()
	return c, err
}

// decodeRestoreOptions decodes {name?, resourceGroupId?, rehearsal?, force?}: the name of the image to be made, by default that of
// the exported one, its resource group, whether it is only rehearsed, and whether a restore that was successful is done again.
func decodeRestoreOptions(o object, t manifest.Trigger) (Restore, error) {
	if err := o.only("name", "resourceGroupId", "rehearsal", "force"); err != nil {
		return Restore{}, err
	}
	c := Restore{Trigger: t}
	var err error
	for field, into := range map[string]*string{"name": &c.Options.Name, "resourceGroupId": &c.Options.ResourceGroupID} {
		if o.has(field) {
			if *into, err = o.at(field).required(); err != nil {
				return Restore{}, err
			}
		}
	}
	if c.Options.Rehearsal, err = o.at("rehearsal").truth(); err != nil {
		return Restore{}, err
	}
	if c.Options.Rehearsal && c.Options.Name != "" {
		return Restore{}, o.at("name").invalid("does not go with a rehearsal", "a rehearsal has a name of its own")
	}
	c.Force, err = o.at("force").truth()
	return c, err
}

// takeTarget removes the field target from an order: the name of one target, without which a tick is for all of them, and an
// export for the function's own destination.
func (o object) takeTarget() (string, error) {
	target := o.at("target")
	if !target.present() {
		return "", nil
	}
	delete(o.fields, "target")
	return target.required()
}

func everything(t manifest.Trigger) Tick {
	return Tick{Trigger: t, Follow: true, Drain: true, Sweep: &export.SweepOrder{Trigger: t}}
}

// decodeAction decodes {"action":"follow|drain|sweep","maxAge":"720h","dryRun":true,"limit":50}.
//
//   - follow looks after the running exports and then drains: a finished export makes room for a queued one, so one timer
//     carries both;
//   - drain works off the queue alone;
//   - sweep compares the images with the manifests. maxAge, dryRun and limit belong to it alone: with another action they
//     are refused, because a dry run that submits is worse than none.
func decodeAction(o object, t manifest.Trigger) (Tick, error) {
	if err := o.only("action", "maxAge", "dryRun", "limit", "target"); err != nil {
		return Tick{}, err
	}
	action, err := o.at("action").required()
	if err != nil {
		return Tick{}, err
	}
	if action == "sweep" {
		order, err := decodeSweep(o, t)
		return Tick{Trigger: t, Sweep: order}, err
	}
	for _, option := range []string{"maxAge", "dryRun", "limit"} {
		if o.has(option) {
			return Tick{}, o.at(option).invalid("does not go with the action "+clip(action, 32), "it bounds a sweep")
		}
	}
	switch action {
	case "follow":
		return Tick{Trigger: t, Follow: true, Drain: true}, nil
	case "drain":
		return Tick{Trigger: t, Drain: true}, nil
	default:
		return Tick{}, o.at("action").invalid(fmt.Sprintf("is %q", clip(action, 32)), "expected follow, drain, sweep, restore or rehearse")
	}
}

// decodeSweep decodes what bounds a sweep.
func decodeSweep(o object, t manifest.Trigger) (*export.SweepOrder, error) {
	maxAge, err := o.at("maxAge").age()
	if err != nil {
		return nil, err
	}
	dryRun, err := o.at("dryRun").truth()
	if err != nil {
		return nil, err
	}
	limit, err := o.at("limit").count()
	if err != nil {
		return nil, err
	}
	return &export.SweepOrder{Trigger: t, MaxAge: maxAge, DryRun: dryRun, Limit: limit}, nil
}

// age is a duration such as 720h, 0 when there is none.
func (v value) age() (time.Duration, error) {
	if !v.present() {
		return 0, nil
	}
	if v.kind() != "a string" {
		return 0, v.wrong(`a duration such as "720h"`)
	}
	s, err := v.text()
	if err != nil {
		return 0, err
	}
	age, err := time.ParseDuration(s)
	if err != nil || age <= 0 {
		return 0, v.invalid(fmt.Sprintf("is %q", clip(s, 32)), `expected a positive duration such as "720h"`)
	}
	return age, nil
}

// decodeByHand decodes what somebody who invokes the function sends: the payload of a timer, or {"imageId":"m-…"} with
// "force":true to start again even from a terminal state.
func decodeByHand(o object) (Command, error) {
	t := manifest.Trigger{Kind: "event", Source: "invocation"}
	target, err := o.takeTarget()
	if err != nil {
		return nil, err
	}
	if o.has("action") {
		return decodeWork(o, t, target)
	}
	order, err := decodeOrder(o, t)
	return Submit{Order: order, Target: target}, err
}

// decodeOrder decodes {imageId, force?}.
func decodeOrder(o object, t manifest.Trigger) (export.Order, error) {
	if err := o.only("imageId", "force"); err != nil {
		return export.Order{}, err
	}
	id, err := o.at("imageId").imageID()
	if err != nil {
		return export.Order{}, err
	}
	force, err := o.at("force").truth()
	if err != nil {
		return export.Order{}, err
	}
	return export.Order{ImageID: id, Trigger: t, Explicit: true, Force: force}, nil
}

// parseObject reads a whole document that is to be an object.
func parseObject(path string, raw json.RawMessage) (object, error) {
	v := value{path, raw}
	if err := v.parse(); err != nil {
		return object{}, err
	}
	return v.object()
}
