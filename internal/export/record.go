package export

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// recordTask writes down that ECS has a task for the export.
func (f *Ferry) recordTask(ctx context.Context, m *manifest.Manifest, v verdict, stale []manifest.Marker) (Result, error) {
	next := f.withTask(m, v)
	err := f.commit(ctx, next, stale)
	if err == nil {
		return resultOf(next, true), nil
	}
	if !errors.Is(err, manifest.ErrExists) {
		return Result{}, err
	}
	// Somebody took this export over although the lease still ran: the task has to reach the journal all the same.
	return f.handOver(ctx, m, v)
}

// withTask is the revision after m that knows the task.
func (f *Ferry) withTask(m *manifest.Manifest, v verdict) *manifest.Manifest {
	next := f.following(m, manifest.Exporting)
	next.Task = &manifest.Task{ID: v.taskID, Status: "Processing", RecordedAt: next.UpdatedAt}
	next.Waits = 0
	if openAttempt(next) == nil {
		openNew(next, next.UpdatedAt)
	}
	a := openAttempt(next)
	a.Outcome, a.TaskID, a.RequestID = manifest.Accepted, v.taskID, v.requestID
	if v.adopted {
		a.Outcome = manifest.Adopted
	}
	return next
}

// handOver sees to it that the journal learns of a task although another writer has gone on.
func (f *Ferry) handOver(ctx context.Context, m *manifest.Manifest, v verdict) (Result, error) {
	for {
		head, err := f.journal.Head(ctx, m.Destination, m.Image.ID)
		if err != nil {
			// Nobody can write the task down: that it exists is told by the log, and by the answer.
			f.log.ErrorContext(ctx, "task is not recorded", "imageId", m.Image.ID, "task", v.taskID, "error", err.Error())
			r, err := unreadable(m.Image.ID, err)
			r.TaskID = v.taskID
			return r, err
		}
		if knows(head, v.taskID) || head.State != manifest.Queued {
			// A writer that is submitting now asks ECS, which names our task, and adopts it.
			f.log.WarnContext(ctx, "export was taken over", "imageId", m.Image.ID, "task", v.taskID, "known", knows(head, v.taskID),
				"state", head.State, "revision", head.Revision)
			return resultOf(head, false), nil
		}
		v.adopted = true
		next := f.withTask(head, v)
		if err = f.commit(ctx, next, markersOf(head)); err == nil {
			return resultOf(next, true), nil
		}
		if !errors.Is(err, manifest.ErrExists) {
			return Result{}, err
		}
	}
}

// settle writes down a finding that ends the attempt: the export waits, or is over.
func (f *Ferry) settle(ctx context.Context, m *manifest.Manifest, bad *finding, stale []manifest.Marker) (Result, error) {
	next := f.after(m, bad)
	if (bad.Class == Shared || bad.Class == Quota) && !bad.held {
		f.hold(ctx, bad)
	}
	err := f.commit(ctx, next, stale)
	if errors.Is(err, manifest.ErrExists) {
		head, headErr := f.journal.Head(ctx, m.Destination, m.Image.ID)
		if headErr != nil {
			return unreadable(m.Image.ID, headErr)
		}
		return resultOf(head, false), nil
	}
	if err != nil {
		return Result{}, err
	}
	return resultOf(next, true), nil
}

// after is the revision after m for a finding.
func (f *Ferry) after(m *manifest.Manifest, bad *finding) *manifest.Manifest {
	next := f.following(m, manifest.Queued)
	next.Reason, next.Remedy, next.Detail = bad.Code, bad.Remedy, bad.detail
	f.endAttempt(next, m.State, bad)
	due := next.UpdatedAt
	switch bad.Class {
	case Retry:
		next.Failures++
		due = due.Add(f.wait(next.Failures))
		if next.Failures >= f.settings.MaxAttempts {
			next.State = manifest.Failed
			if bad.Code == imageNotFound {
				next.State = manifest.Skipped
			}
		}
	case Quota:
		due = next.CreatedAt // the oldest goes first
	default:
		if bad.held {
			due = next.CreatedAt
			break
		}
		next.Waits++
		due = due.Add(f.wait(next.Waits))
	}
	if state, terminal := bad.Class.state(); terminal {
		next.State = state
	}
	if next.State == manifest.Queued {
		next.DueAt = &due
	}
	return next
}

// endAttempt closes the attempt with what ended it, or forgets it if it never reached ECS.
func (f *Ferry) endAttempt(next *manifest.Manifest, from manifest.State, bad *finding) {
	switch {
	case bad.open:
	case from == manifest.Exporting && bad.Class == Stop:
		closeAttempt(next, next.UpdatedAt, manifest.Stopped, bad)
	case from == manifest.Exporting:
		closeAttempt(next, next.UpdatedAt, manifest.Broken, bad)
	case bad.call != nil && bad.call.Op == "ExportImage":
		closeAttempt(next, next.UpdatedAt, manifest.Refused, bad)
	default:
		dropOpen(next)
	}
}

// following is the revision after m in a new state, with nothing of the old one that does not outlast it.
func (f *Ferry) following(m *manifest.Manifest, state manifest.State) *manifest.Manifest {
	next := m.Clone()
	next.Revision++
	next.State = state
	next.UpdatedAt = f.now()
	next.Lease, next.DueAt = nil, nil
	next.Reason, next.Remedy, next.Detail = "", "", ""
	next.Program = f.settings.Program
	return next
}

// commit stores a revision, its manifest and its marker at once, and then removes the markers that led here. ErrExists:
// another writer has the revision, and nothing was removed.
func (f *Ferry) commit(ctx context.Context, next *manifest.Manifest, stale []manifest.Marker) error {
	var appendErr, publishErr, markErr error
	var g errgroup.Group
	g.Go(func() error { appendErr, publishErr = f.journal.Record(ctx, next); return nil })
	if marker, ok := manifest.MarkerOf(next); ok {
		g.Go(func() error { markErr = f.index.Put(ctx, marker); return nil })
	}
	_ = g.Wait()
	if appendErr != nil {
		if errors.Is(appendErr, manifest.ErrExists) {
			f.republish(ctx, next)
		}
		return fmt.Errorf("record %s of %s: %w", next.State, next.Image.ID, appendErr)
	}
	if publishErr != nil || markErr != nil {
		// The journal has it; the markers that stay behind lead the next tick here to write the rest.
		f.log.WarnContext(ctx, "record is incomplete", "imageId", next.Image.ID, "error", errors.Join(publishErr, markErr).Error())
		return nil
	}
	f.removeMarkers(ctx, next, stale)
	return nil
}

// republish replaces the manifest of a revision that lost its place by that of the newest one.
func (f *Ferry) republish(ctx context.Context, lost *manifest.Manifest) {
	head, err := f.journal.Head(ctx, lost.Destination, lost.Image.ID)
	if err == nil {
		err = f.journal.Publish(ctx, head)
	}
	if err != nil {
		f.log.WarnContext(ctx, "manifest may be stale", "imageId", lost.Image.ID, "error", err.Error())
	}
}

// repair writes the manifest and the marker that the newest revision calls for, and only then removes the markers that do
// not fit it.
func (f *Ferry) repair(ctx context.Context, head *manifest.Manifest, stale []manifest.Marker) error {
	if err := f.journal.Publish(ctx, head); err != nil {
		return err
	}
	if marker, ok := manifest.MarkerOf(head); ok {
		if err := f.index.Put(ctx, marker); err != nil {
			return err
		}
	}
	f.removeMarkers(ctx, head, stale)
	return nil
}

// removeMarkers removes markers, but never the one that the newest revision calls for. One that stays is met again.
func (f *Ferry) removeMarkers(ctx context.Context, newest *manifest.Manifest, stale []manifest.Marker) {
	wanted, _ := manifest.MarkerOf(newest)
	var g errgroup.Group
	g.SetLimit(8)
	for _, marker := range stale {
		if marker == wanted {
			continue
		}
		g.Go(func() error {
			if err := f.index.Remove(ctx, marker); err != nil {
				f.log.WarnContext(ctx, "stale marker stays", "imageId", marker.ImageID, "error", err.Error())
			}
			return nil
		})
	}
	_ = g.Wait()
}

func markersOf(m *manifest.Manifest) []manifest.Marker {
	if marker, ok := manifest.MarkerOf(m); ok {
		return []manifest.Marker{marker}
	}
	return nil
}

// holdTime is when new events submit again by themselves, should no tick have ended the hold before.
const holdTime = maxWait

// hold remembers a refusal that all exports share. It is a hint: failing to write it costs one refused call.
func (f *Ferry) hold(ctx context.Context, bad *finding) {
	now := f.now()
	h := manifest.Hold{Reason: bad.Code, Remedy: bad.Remedy, Detail: bad.detail, Since: now}
	if old, err := f.index.Hold(ctx); err == nil && old != nil && old.Reason == bad.Code {
		h.Since, h.Probes = old.Since, old.Probes
	}
	h.Probes++
	h.Until = now.Add(holdTime)
	if err := f.index.PutHold(ctx, h); err != nil {
		f.log.WarnContext(ctx, "hold is not written", "reason", bad.Code, "error", err.Error())
	}
}
