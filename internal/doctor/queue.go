package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// timers compares the traces of the timers' rounds with their periods.
func (e *examination) timers(ctx context.Context) {
	beats, err := e.index.Heartbeats(ctx)
	if err != nil {
		e.unknown("timers", "", err.Error(), "imageferry doctor")
		return
	}
	for _, timer := range []struct {
		action string
		period time.Duration
	}{{"follow", e.options.FollowEvery}, {"sweep", e.options.SweepEvery}} {
		i := slices.IndexFunc(beats, func(h manifest.Heartbeat) bool { return h.Action == timer.action })
		if i < 0 {
			e.neverRan(ctx, timer.action)
			continue
		}
		e.timer(beats[i], timer.period)
	}
}

// console is where a function's triggers and logs are.
const console = "Function Compute console, function imageferry, "

func (e *examination) neverRan(ctx context.Context, action string) {
	check := "timer-" + action
	seen := "no timer has run a " + action + " yet"
	repair := []string{"s deploy -y", console + "Triggers: enable the timer " + action}
	if ids, _, err := e.journal.Images(ctx, e.at, "", 1); err == nil && len(ids) > 0 {
		e.problem(check, "", seen+", although there are exports", repair...)
		return
	}
	e.unknown(check, "", seen+": is the function deployed?", repair...)
}

func (e *examination) timer(h manifest.Heartbeat, period time.Duration) {
	check := "timer-" + h.Action
	ago := e.now().Sub(h.At)
	seen := fmt.Sprintf("the last %s by a timer was %s ago", h.Action, short(ago))
	if h.Version != "" {
		seen += ", by version " + h.Version
	}
	logs := console + "Logs: read those of request " + h.RequestID
	switch {
	case h.Late(e.now(), period):
		e.problem(check, "", fmt.Sprintf("%s: late, it should run every %s", seen, short(period)),
			console+"Triggers: enable the timer "+h.Action, logs)
	case h.Failed:
		e.problem(check, "", seen+": it failed", logs)
	case h.Incomplete:
		e.ok(check, "", seen+"; it had no time for everything, the next one goes on")
	default:
		e.ok(check, "", seen)
	}
}

// short writes a duration in the units that a person would use.
func short(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return strings.TrimSuffix(strings.TrimSuffix(d.Round(time.Minute).String(), "0s"), "0m")
	case d >= time.Minute:
		return strings.TrimSuffix(d.Round(time.Second).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// maxMarkers bounds how much of the queue is looked at.
const maxMarkers = 10000

// maxReasons bounds how many queued exports are read for their reasons: the oldest.
const maxReasons = 100

// longWait is how long a quota may hold everything before somebody should know.
const longWait = 6 * time.Hour

// queue looks at the hold, and at what waits in the queue.
func (e *examination) queue(ctx context.Context) {
	hold, err := e.index.Hold(ctx)
	if err != nil {
		e.unknown("hold", "", err.Error(), "imageferry doctor")
		return
	}
	e.hold = hold
	e.held()
	markers, err := e.markers(ctx, e.index.Queued)
	if err != nil {
		e.unknown("queue", "", err.Error(), "imageferry doctor")
		return
	}
	e.waiting(ctx, markers)
}

func (e *examination) held() {
	h := e.hold
	if h == nil {
		e.ok("hold", "", "nothing is held")
		return
	}
	since := e.now().Sub(h.Since)
	seen := fmt.Sprintf("everything is held for %s since %s, after %s", h.Reason, short(since), plural(h.Probes, "refused call"))
	if h.Detail != "" {
		seen += ": " + h.Detail
	}
	if e.reasons[h.Reason].Class == export.Quota && since < longWait {
		e.ok("hold", "", seen)
		return
	}
	e.problem("hold", "", seen, h.Remedy, "imageferry follow")
}

// markers reads all pages of a part of the index.
func (e *examination) markers(ctx context.Context, page func(context.Context, manifest.Marker) ([]manifest.Marker, bool, error)) ([]manifest.Marker, error) {
	var all []manifest.Marker
	var after manifest.Marker
	for len(all) < maxMarkers {
		some, more, err := page(ctx, after)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if !more || len(some) == 0 {
			break
		}
		after = some[len(some)-1]
	}
	return all, nil
}

// grace is how long the timers may take to come to what is due.
func (e *examination) grace() time.Duration { return max(4*e.options.FollowEvery, 20*time.Minute) }

// waiting sums up the queue by the reasons of its oldest exports, and reports those that nobody comes to.
func (e *examination) waiting(ctx context.Context, markers []manifest.Marker) {
	reasons := map[string]int{}
	var oldest *manifest.Manifest
	var stuck []*manifest.Manifest
	for _, m := range markers[:min(len(markers), maxReasons)] {
		head, err := e.journal.Head(ctx, m.Destination, m.ImageID)
		if errors.Is(err, manifest.ErrNotFound) {
			continue // the intent may be about to be written
		}
		if err != nil {
			if !unreadable(err) {
				e.unknown("queue", m.ImageID, err.Error(), "imageferry doctor")
				return
			}
			continue // the comparison of the journal reports it
		}
		if head.State != manifest.Queued && head.State != manifest.Submitting {
			continue
		}
		reasons[cmp.Or(head.Reason, string(head.State))]++
		if oldest == nil || head.CreatedAt.Before(oldest.CreatedAt) {
			oldest = head
		}
		if e.stuck(head) {
			stuck = append(stuck, head)
		}
	}
	for _, head := range stuck[:min(len(stuck), maxReported)] {
		e.stuckFinding(head)
	}
	switch {
	case oldest == nil:
		e.ok("queue", "", "nothing waits")
	case len(stuck) == 0:
		e.ok("queue", "", fmt.Sprintf("%s: %s; the oldest for %s", plural(len(markers), "export")+" waiting", counts(reasons), short(e.now().Sub(oldest.CreatedAt))))
	}
}

// maxReported bounds how many exports are reported one by one for the same thing.
const maxReported = 5

// stuck tells whether the timers should have come to the export long ago. While everything is held they do not.
func (e *examination) stuck(head *manifest.Manifest) bool {
	limit := e.now().Add(-e.grace())
	if head.State == manifest.Submitting {
		return head.Lease.Until.Before(limit)
	}
	return e.hold == nil && head.DueAt.Before(limit) && head.UpdatedAt.Before(limit)
}

func (e *examination) stuckFinding(head *manifest.Manifest) {
	if head.State == manifest.Submitting {
		e.problem("stuck", head.Image.ID, fmt.Sprintf("%s is submitting, and its lease ended %s ago", head.Image.ID, short(e.now().Sub(head.Lease.Until))),
			"imageferry follow")
		return
	}
	e.problem("stuck", head.Image.ID, fmt.Sprintf("%s is queued (%s), and was due %s ago", head.Image.ID, head.Reason, short(e.now().Sub(*head.DueAt))),
		"imageferry follow", "imageferry show "+head.Image.ID)
}

func counts(reasons map[string]int) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		parts = append(parts, fmt.Sprintf("%d %s", reasons[reason], reason))
	}
	return strings.Join(parts, ", ")
}

// running looks at the exports that ECS works on.
func (e *examination) running(ctx context.Context) {
	markers, err := e.markers(ctx, e.index.Exporting)
	if err != nil {
		e.unknown("exporting", "", err.Error(), "imageferry doctor")
		return
	}
	long := 0
	for _, m := range markers {
		head, err := e.journal.Head(ctx, m.Destination, m.ImageID)
		if err != nil || head.State != manifest.Exporting || head.Task.ID != m.TaskID {
			continue // the comparison of the index reports it
		}
		age := e.now().Sub(head.Task.RecordedAt)
		if age <= e.options.MaxExporting {
			continue
		}
		if long++; long > maxReported {
			break
		}
		e.problem("exporting", m.ImageID, fmt.Sprintf("%s has been exporting for %s, as task %s", m.ImageID, short(age), m.TaskID),
			fmt.Sprintf("aliyun ecs DescribeTaskAttribute --RegionId %s --TaskId %s", e.options.Region, m.TaskID),
			fmt.Sprintf("aliyun ecs CancelTask --RegionId %s --TaskId %s", e.options.Region, m.TaskID),
			"imageferry retry "+m.ImageID)
	}
	if long > 0 {
		return
	}
	seen := plural(len(markers), "export") + " running"
	if all, err := e.Compute.CountExporting(ctx); err == nil {
		seen += fmt.Sprintf(", ECS works on %s of this account", plural(all, "export task"))
	}
	e.ok("exporting", "", seen)
}

// unreadable tells whether a journal cannot be gone on from.
func unreadable(err error) bool {
	return errors.Is(err, manifest.ErrUnreadable) || errors.Is(err, manifest.ErrNewer)
}
