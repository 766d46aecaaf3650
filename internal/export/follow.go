package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// Follow asks ECS about every task that runs, a hundred a call, and ends the exports whose task has ended.
func (f *Ferry) Follow(ctx context.Context) (Round, error) {
	round := Round{Action: "follow"}
	var after manifest.Marker
	for {
		markers, more, err := f.index.Exporting(ctx, after)
		if err != nil {
			return round, fmt.Errorf("follow exports: %w", err)
		}
		mine := inRegion(markers, f.settings.Destination.Region)
		for len(mine) > 0 {
			if round.Incomplete = round.Incomplete || !f.hasTime(ctx); round.Incomplete {
				return round, nil
			}
			n := min(len(mine), MaxTasksPerCall)
			if err := f.followSome(ctx, mine[:n], &round); err != nil {
				return round, fmt.Errorf("follow exports: %w", err)
			}
			mine = mine[n:]
		}
		if !more || round.Incomplete {
			return round, nil
		}
		after = markers[len(markers)-1]
	}
}

func inRegion(markers []manifest.Marker, region string) []manifest.Marker {
	var mine []manifest.Marker
	for _, m := range markers {
		if m.Destination.Region == region {
			mine = append(mine, m)
		}
	}
	return mine
}

// followSome follows the tasks of up to MaxTasksPerCall markers.
func (f *Ferry) followSome(ctx context.Context, markers []manifest.Marker, round *Round) error {
	ids := make([]string, len(markers))
	for i, m := range markers {
		ids[i] = m.TaskID
	}
	tasks, err := f.Tasks.Tasks(ctx, ids)
	if err != nil {
		return err
	}
	byID := map[string]Task{}
	for _, t := range tasks {
		byID[t.ID] = t
	}
	var over []followed
	for _, m := range markers {
		t, listed := byID[m.TaskID]
		if !listed || statusOf(t.Status) != taskRunning {
			over = append(over, followed{marker: m, task: t, listed: listed})
		}
	}
	round.Seen += len(markers) - len(over)
	f.followEach(ctx, over, round)
	return nil
}

// A followed export has a task that no longer runs, or that ECS did not list.
type followed struct {
	marker manifest.Marker
	task   Task
	listed bool
}

// followEach works exports side by side, until the time is over, or ECS refuses by rate: what it refuses in a minute stays
// refused in it.
func (f *Ferry) followEach(ctx context.Context, over []followed, round *Round) {
	outcomes := make([]*Result, len(over))
	var worked atomic.Int32
	var enough atomic.Bool
	var g errgroup.Group
	g.SetLimit(followersAtOnce)
	for i, o := range over {
		g.Go(func() error {
			if enough.Load() || !f.hasTime(ctx) {
				enough.Store(true)
				return nil
			}
			worked.Add(1)
			var err error
			if outcomes[i], err = f.outcome(ctx, o); refusedByRate(err) {
				enough.Store(true)
			}
			return nil
		})
	}
	_ = g.Wait()
	round.Seen += int(worked.Load())
	round.Incomplete = enough.Load()
	for _, r := range outcomes {
		if r != nil {
			round.Results = append(round.Results, *r)
		}
	}
}

// followersAtOnce is how many exports are ended at the same time: each takes about ten calls, one after the other.
const followersAtOnce = 8

// outcome is what followOne decided, nil for nothing. One export's trouble is not the others': it is logged, and the marker
// brings the next tick here.
func (f *Ferry) outcome(ctx context.Context, o followed) (*Result, error) {
	m := o.marker
	r, worked, err := f.followOne(ctx, m, o.task, o.listed)
	if quarantined, other := unreadable(m.ImageID, err); err != nil && other == nil {
		return &quarantined, nil
	}
	if err != nil {
		f.log.WarnContext(ctx, "follow", "imageId", m.ImageID, "task", m.TaskID, "error", err.Error())
	}
	if !worked {
		return nil, err
	}
	return &r, err
}

func refusedByRate(err error) bool {
	var call *CallError
	return errors.As(err, &call) && reasonOf(call, "") == throttled
}

// The kinds of task status.
type taskStatus int

const (
	taskRunning taskStatus = iota
	taskUnknownStatus
	taskFinishedStatus
	taskFailedStatus
	taskCancelledStatus
)

// statusOf sorts the words that ECS uses. The documents of today name Finished, Processing and Failed; older ones also
// Waiting, Pending, Paused and Deleted (cancelled).
func statusOf(status string) taskStatus {
	s := strings.ToLower(status)
	switch {
	case s == "finished":
		return taskFinishedStatus
	case s == "failed":
		return taskFailedStatus
	case s == "deleted", strings.HasPrefix(s, "cancel"):
		return taskCancelledStatus
	case s == "processing", s == "waiting", s == "pending", s == "paused":
		return taskRunning
	}
	return taskUnknownStatus
}

const (
	// vanishTime is how long a task that ECS does not list may simply not be visible yet.
	vanishTime = time.Hour
	// stuckTime is how long a task may stay in a status that nobody has documented.
	stuckTime = 72 * time.Hour
)

// followOne ends the export of a task that is no longer running, if its journal still waits for that.
func (f *Ferry) followOne(ctx context.Context, m manifest.Marker, t Task, listed bool) (r Result, worked bool, err error) {
	head, err := f.journal.Head(ctx, m.Destination, m.ImageID)
	if err != nil {
		return Result{}, false, err
	}
	if head.State != manifest.Exporting || head.Task.ID != m.TaskID {
		return Result{}, false, f.repair(ctx, head, []manifest.Marker{m})
	}
	detail, known, err := f.Tasks.Detail(ctx, m.TaskID)
	if err != nil {
		return Result{}, false, err
	}
	if !known && f.now().Sub(head.Task.RecordedAt) < vanishTime {
		return Result{}, false, nil
	}
	if !listed {
		t = detail.Task
	}
	if known {
		head.Task.Status = t.Status
	}
	next, err := f.ended(ctx, head, t, detail, known)
	if next == nil || err != nil {
		return Result{}, false, err
	}
	if err := f.commit(ctx, next, []manifest.Marker{m}); err != nil {
		return Result{}, false, err
	}
	return resultOf(next, true), true, nil
}

// ended is the revision that the end of a task calls for; nil while it has not ended.
func (f *Ferry) ended(ctx context.Context, head *manifest.Manifest, t Task, detail TaskDetail, known bool) (*manifest.Manifest, error) {
	var bad *finding
	switch status := statusOf(t.Status); {
	case !known:
		bad = found(taskVanished, "ECS no longer knows task "+head.Task.ID)
	case status == taskRunning:
		return nil, nil
	case status == taskUnknownStatus && f.now().Sub(head.Task.RecordedAt) < stuckTime:
		return nil, nil
	case status == taskUnknownStatus:
		bad = found(taskStuck, fmt.Sprintf("task %s has had the status %q since %s", t.ID, t.Status, head.Task.RecordedAt.Format(time.RFC3339)))
	case status == taskCancelledStatus:
		bad = found(taskCancelled, "task "+t.ID+" was cancelled in ECS")
	case status == taskFailedStatus || detail.Failed > 0 || failedSubtask(detail) != nil:
		bad = taskFailure(detail)
	case wasAdopted(head) && foreign(detail, head) != "":
		bad = found(taskForeign, foreign(detail, head))
	default:
		return f.exported(ctx, head, t, detail)
	}
	return f.afterTask(ctx, head, t, detail, bad), nil
}

// afterTask is the revision for a task that did not bring the objects. One that was found counts against the export only if
// it has shown that it was this export's.
func (f *Ferry) afterTask(ctx context.Context, head *manifest.Manifest, t Task, detail TaskDetail, bad *finding) *manifest.Manifest {
	if wasAdopted(head) && evidenceOf(detail, head) < sameObject {
		bad = found(taskForeign, cmp.Or(foreign(detail, head), bad.detail+"; it had not told where it writes"))
	}
	if f.holdsAll(head.Destination, bad.Class) {
		f.hold(ctx, bad)
	}
	next := f.after(head, bad)
	finish(next.Task, t)
	if next.State == manifest.Queued {
		next.Task = nil // its attempt keeps the id
	}
	if bad.Code == taskForeign {
		// The task of our own attempt is still to be found: the look begins where that began.
		began := next.Attempts[len(next.Attempts)-1].StartedAt
		openNew(next, began)
	}
	return next
}

func finish(task *manifest.Task, t Task) {
	task.Status = t.Status
	if !t.FinishedAt.IsZero() {
		at := t.FinishedAt.UTC()
		task.FinishedAt = &at
	}
}

// wasAdopted tells whether the task was found rather than answered.
func wasAdopted(m *manifest.Manifest) bool {
	n := len(m.Attempts)
	return n > 0 && m.Attempts[n-1].Outcome == manifest.Adopted
}

func failedSubtask(d TaskDetail) *Subtask {
	for i, s := range d.Subtasks {
		if s.ErrorCode != "" || strings.EqualFold(s.Status, "Failed") {
			return &d.Subtasks[i]
		}
	}
	return nil
}

// taskFailure keeps ECS's own reason. A code that ExportImage has, too, means the same here.
func taskFailure(d TaskDetail) *finding {
	s := failedSubtask(d)
	if s == nil || s.ErrorCode == "" && s.Message == "" {
		return found(taskFailed, fmt.Sprintf("task %s failed and ECS gave no reason", d.ID))
	}
	call := &CallError{Op: "task " + d.ID, Code: s.ErrorCode, Message: s.Message}
	bad := found(reasonOf(call, taskFailed), strings.Trim(s.ErrorCode+": "+s.Message, ": "))
	if bad.Class == Wait {
		// The task is over: waiting for nothing in particular would never be counted.
		bad = found(taskFailed, bad.detail)
	}
	bad.call = call
	return bad
}

// exported verifies the objects and is the revision that says so.
func (f *Ferry) exported(ctx context.Context, head *manifest.Manifest, t Task, detail TaskDetail) (*manifest.Manifest, error) {
	objects, bad, err := f.verify(ctx, head, detail)
	if err != nil {
		return nil, err
	}
	if bad != nil {
		return f.afterTask(ctx, head, t, detail, bad), nil
	}
	next := f.following(head, manifest.Exported)
	finish(next.Task, t)
	closeAttempt(next, next.UpdatedAt, manifest.Finished, nil)
	next.Objects = objects
	next.Failures, next.Waits = 0, 0
	next.Verification = &manifest.Verification{VerifiedAt: next.UpdatedAt, Objects: len(objects)}
	for _, o := range objects {
		next.Verification.Bytes += o.Size
	}
	return next, nil
}
