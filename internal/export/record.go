package export

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	if f.holdsAll(m.Destination, bad.Class) && !bad.held {
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
		due = inLine(next)
	default:
		if bad.held {
			due = inLine(next)
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

// inLine is the due time of an export that waits for what all of them wait for: in the past, the oldest first. It differs by
// a nanosecond a revision, so that no marker comes twice: removing one may take its time, and must not meet a later one.
func inLine(m *manifest.Manifest) time.Time {
	return m.CreatedAt.Add(-time.Duration(m.Revision))
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

// commit stores a revision, then its manifest and its marker, and then removes the markers that led here. ErrExists: another
// writer has the revision, and nothing else was touched. Marker and manifest come after the revision, because whoever met a
// marker before it would read the revision before it, and remove the marker as stale. What is missing when this writer dies,
// the markers that stay behind lead the next tick to write.
func (f *Ferry) commit(ctx context.Context, next *manifest.Manifest, stale []manifest.Marker) error {
	if err := f.journal.Append(ctx, next); err != nil {
		return fmt.Errorf("record %s of %s: %w", next.State, next.Image.ID, err)
	}
	var publishErr, markErr error
	var g errgroup.Group
	g.Go(func() error { publishErr = f.publish(ctx, next, stale); return nil })
	g.Go(func() error { markErr = f.enter(ctx, next); return nil })
	_ = g.Wait()
	if err := errors.Join(publishErr, markErr); err != nil {
		f.log.WarnContext(ctx, "record is incomplete", "imageId", next.Image.ID, "error", err.Error())
		return nil
	}
	f.removeMarkers(ctx, next, stale)
	return nil
}

// enter puts what the newest revision calls for into the index: its marker, or its ending and whom to tell.
func (f *Ferry) enter(ctx context.Context, m *manifest.Manifest) error {
	if marker, ok := manifest.MarkerOf(m); ok {
		return f.index.Put(ctx, marker)
	}
	ending, _ := manifest.EndingOf(m)
	var endErr, noticeErr error
	var g errgroup.Group
	g.Go(func() error { endErr = f.index.PutEnding(ctx, ending); return nil })
	if f.Notifier != nil && f.Notifier.Wants(m) {
		g.Go(func() error { noticeErr = f.index.PutNotice(ctx, noticeOf(m)); return nil })
	}
	_ = g.Wait()
	return errors.Join(endErr, noticeErr)
}

// publish writes the manifest of a revision, and makes sure afterwards that it did not replace that of a newer one: an
// instance can be frozen at any point while others go on. If that cannot be made sure, the markers that led here are put
// back, should others have removed them, to lead the next tick here.
func (f *Ferry) publish(ctx context.Context, m *manifest.Manifest, stale []manifest.Marker) error {
	err := f.publishNewest(ctx, m)
	if err != nil && len(stale) > 0 {
		err = errors.Join(err, f.index.Put(ctx, stale[0]))
	}
	return err
}

func (f *Ferry) publishNewest(ctx context.Context, m *manifest.Manifest) error {
	for {
		if err := f.journal.Publish(ctx, m); err != nil {
			return err
		}
		_, err := f.journal.Revision(ctx, m.Destination, m.Image.ID, m.Revision+1)
		if errors.Is(err, manifest.ErrNotFound) {
			return nil
		}
		if err == nil {
			m, err = f.journal.Head(ctx, m.Destination, m.Image.ID)
		}
		if err != nil {
			return err
		}
	}
}

// repair writes the manifest and the marker that the newest revision calls for, and only then removes the markers that do
// not fit it.
func (f *Ferry) repair(ctx context.Context, head *manifest.Manifest, stale []manifest.Marker) error {
	published, err := f.journal.Published(ctx, head.Destination, head.Image.ID)
	switch {
	case err == nil && published.Revision > head.Revision:
		return nil // others have gone on since; the next tick looks again
	case err != nil || published.Revision < head.Revision:
		if err := f.publish(ctx, head, stale); err != nil {
			return err
		}
	}
	if err := f.enter(ctx, head); err != nil {
		return err
	}
	f.removeMarkers(ctx, head, stale)
	return nil
}

// removeMarkers removes markers, but never the one that the newest revision calls for. One that stays is met again.
func (f *Ferry) removeMarkers(ctx context.Context, newest *manifest.Manifest, stale []manifest.Marker) {
	done := map[manifest.Marker]bool{} // one may have come by two ways
	if wanted, ok := manifest.MarkerOf(newest); ok {
		done[wanted] = true
	}
	var g errgroup.Group
	g.SetLimit(8)
	for _, marker := range stale {
		if done[marker] {
			continue
		}
		done[marker] = true
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

// holdsAll tells whether a refusal is one that all exports share. What is wrong with another destination, which the function
// had before, is that one's alone.
func (f *Ferry) holdsAll(d manifest.Destination, c Class) bool {
	return c == Quota || c == Shared && d == f.settings.Destination
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
	h.ProbedAt, h.Until = now, now.Add(holdTime)
	if err := f.index.PutHold(ctx, h); err != nil {
		f.log.WarnContext(ctx, "hold is not written", "reason", bad.Code, "error", err.Error())
	}
}
