package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// Submit carries an order as far as it can be carried now, and writes down how far that is. A nil error means that the
// journal holds the outcome, or that there is nothing to export; an error means that nothing durable could be said, and
// that the order should be given again.
func (f *Ferry) Submit(ctx context.Context, o Order) (Result, error) {
	return f.submit(ctx, o, nil)
}

// submit is Submit with what is already known of the image.
func (f *Ferry) submit(ctx context.Context, o Order, image *manifest.Image) (Result, error) {
	if f.settings.looksFirst() && !o.Explicit {
		seen, published, err := f.lookFirst(ctx, o.ImageID, image)
		if err != nil {
			return Result{}, fmt.Errorf("select image %s: %w", o.ImageID, err)
		}
		if seen == nil {
			return noted(o.ImageID, imageNotFound), nil
		}
		if code := f.unwanted(*seen); code != "" {
			return noted(o.ImageID, code), nil
		}
		image = seen
		if published != nil {
			head, err := f.journal.HeadAfter(ctx, published)
			if err == nil {
				return f.resume(ctx, o, image, head)
			}
			if !errors.Is(err, manifest.ErrNotFound) { // the manifest may be ahead of the first revision
				return unreadable(o.ImageID, err)
			}
		}
	}
	r, err := f.attempt(ctx, f.first(o), errand{image: image})
	var begun *begunError
	if errors.As(err, &begun) {
		return f.resume(ctx, o, image, begun.head)
	}
	if err != nil {
		return unreadable(o.ImageID, err)
	}
	return r, nil
}

// lookFirst reads the image, unless it is known, and the manifest of its export at the same time: nil when there is none.
func (f *Ferry) lookFirst(ctx context.Context, imageID string, known *manifest.Image) (image *manifest.Image, published *manifest.Manifest, err error) {
	if image = known; image != nil {
		return image, nil, nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		seen, ok, err := f.Images.Image(gctx, imageID)
		if ok {
			image = &seen
		}
		return err
	})
	g.Go(func() error {
		published, _ = f.journal.Published(gctx, f.settings.Destination, imageID) // a hint: without it the journal tells
		return nil
	})
	err = g.Wait()
	return image, published, err
}

// A begunError says that an export has begun before, and is a manifest.ErrExists.
type begunError struct{ head *manifest.Manifest }

func (e *begunError) Error() string {
	return fmt.Sprintf("the export has begun before, at revision %d", e.head.Revision)
}

func (e *begunError) Unwrap() error { return manifest.ErrExists }

func noted(imageID, code string) Result {
	return Result{ImageID: imageID, Reason: code, Remedy: reasons[code].Remedy}
}

// first is what revision 1 begins with.
func (f *Ferry) first(o Order) *manifest.Manifest {
	return &manifest.Manifest{
		CreatedAt:   f.now(),
		Destination: f.settings.Destination,
		Image:       manifest.Image{ID: o.ImageID},
		Trigger:     o.Trigger,
	}
}

// resume answers an order for an export that has a journal, or goes on with it if it is its turn.
func (f *Ferry) resume(ctx context.Context, o Order, image *manifest.Image, head *manifest.Manifest) (Result, error) {
	for {
		if !f.mayTake(head, o) {
			return resultOf(head, false), nil
		}
		base := head.Clone()
		if o.Force {
			base = again(base, o.Trigger)
		}
		e := errand{image: image, stale: markersOf(head), probe: o.Force}
		if ending, over := manifest.EndingOf(head); over {
			e.over = &ending
		}
		r, err := f.attempt(ctx, base, e)
		if !errors.Is(err, manifest.ErrExists) {
			return r, err
		}
		if head, err = f.journal.Head(ctx, f.settings.Destination, o.ImageID); err != nil {
			return unreadable(o.ImageID, err)
		}
	}
}

// mayTake tells whether an order may make the next revision.
func (f *Ferry) mayTake(head *manifest.Manifest, o Order) bool {
	switch head.State {
	case manifest.Submitting:
		return f.leaseOver(head)
	case manifest.Exporting:
		return false
	case manifest.Queued:
		switch reasons[head.Reason].Class {
		case Shared, Quota: // the ticks probe for all of them
			return o.Force
		}
		return o.Force || !head.DueAt.After(f.now()) || o.Available && head.Reason == imageNotAvailable
	}
	return o.Force
}

// leaseOver tells whether the writer of a submitting revision may no longer act.
func (f *Ferry) leaseOver(head *manifest.Manifest) bool {
	return !f.now().Before(head.Lease.Until)
}

// again strips what an explicit request leaves behind. An attempt that is still open stays: its task may exist.
func again(m *manifest.Manifest, t manifest.Trigger) *manifest.Manifest {
	m.Trigger = t
	m.Failures, m.Waits = 0, 0
	m.Objects, m.Verification = nil, nil
	m.Task = nil
	return m
}

// An errand is one attempt's circumstances.
type errand struct {
	// image is what is already known of it; nil asks ECS.
	image *manifest.Image
	// stale are the markers that lead here, to be removed once the export has moved on.
	stale []manifest.Marker
	// over is how the export had ended that begins again, to be removed, too.
	over *manifest.Ending
	// probe goes on in spite of a hold.
	probe bool
}

// attempt claims the revision after base and does what there is to do within the lease. ErrExists: another writer has
// that revision.
func (f *Ferry) attempt(ctx context.Context, base *manifest.Manifest, e errand) (Result, error) {
	end, lease, err := f.budget(ctx)
	if err != nil {
		return Result{}, err
	}
	budget, cancel := context.WithTimeout(ctx, end.Sub(f.now()))
	defer cancel()

	m := f.intent(base, lease)
	look := openAttempt(base) != nil
	s, err := f.begin(budget, m, e)
	if err != nil {
		return Result{}, err
	}
	if s.image != nil {
		m.Image = *s.image
	}
	if e.over != nil {
		if err := f.index.RemoveEnding(budget, *e.over); err != nil {
			f.log.WarnContext(ctx, "ending stays", "imageId", m.Image.ID, "error", err.Error()) // readers pass over it
		}
	}
	e.stale = append(e.stale, markersOf(m)...)
	v := f.decide(budget, m, s, look, e.probe)
	switch {
	case v.taskID != "":
		return f.recordTask(ctx, m, v, e.stale)
	case v.finding != nil:
		return f.settle(ctx, m, v.finding, e.stale)
	}
	// Whether ECS has a task of ours is not known: the revision stays as it is, and its marker brings the drain here when
	// the lease is over.
	r := resultOf(m, true)
	r.Reason, r.Remedy = answerLost, reasons[answerLost].Remedy
	return r, nil
}

// intent is the revision after base: submitting, with a lease and an open attempt.
func (f *Ferry) intent(base *manifest.Manifest, lease time.Time) *manifest.Manifest {
	m := base.Clone()
	m.Revision++
	m.State = manifest.Submitting
	m.Reason, m.Remedy, m.Detail = "", "", ""
	m.UpdatedAt = f.now()
	m.Lease = &manifest.Lease{Until: lease}
	m.DueAt = &lease
	m.Program = f.settings.Program
	if openAttempt(m) == nil {
		openNew(m, m.UpdatedAt)
	}
	return m
}

// A sight is what the first round trip brought.
type sight struct {
	image                  *manifest.Image // nil: not there, or not seen
	imageErr               error
	bucket, manifestBucket Bucket
	bucketFound            bool
	bucketErr              error
	hold                   *manifest.Hold
}

// begin stores the intent and its marker, and looks at everything that the decision needs, at once. Nothing may go on
// unless both are stored: that is what brings somebody here when this invocation dies. An export that was over is the one
// case in which nothing else would bring somebody here, neither an older marker nor a sweep: so its marker goes ahead.
func (f *Ferry) begin(ctx context.Context, m *manifest.Manifest, e errand) (sight, error) {
	marker, _ := manifest.MarkerOf(m)
	s := sight{image: e.image}
	if e.over != nil {
		if err := f.index.Put(ctx, marker); err != nil {
			return s, fmt.Errorf("submit export of %s: %w", m.Image.ID, err)
		}
	}
	var claimErr, markErr error
	var g errgroup.Group
	g.Go(func() error { claimErr = f.claim(ctx, m); return nil })
	if e.over == nil {
		g.Go(func() error { markErr = f.index.Put(ctx, marker); return nil })
	}
	if e.image == nil {
		g.Go(func() error {
			image, ok, err := f.Images.Image(ctx, m.Image.ID)
			if s.imageErr = err; ok && err == nil {
				s.image = &image
			}
			return nil
		})
	}
	g.Go(func() error {
		s.bucket, s.bucketFound, s.bucketErr = f.bucket(ctx, m.Destination.Bucket)
		return nil
	})
	if f.settings.ManifestBucket != m.Destination.Bucket {
		// That it cannot be seen says nothing: it is being written to.
		g.Go(func() error { s.manifestBucket, _, _ = f.bucket(ctx, f.settings.ManifestBucket); return nil })
	}
	g.Go(func() error { s.hold, _ = f.index.Hold(ctx); return nil }) // a hint
	_ = g.Wait()
	if f.settings.ManifestBucket == m.Destination.Bucket {
		s.manifestBucket = s.bucket
	}
	if bad := checkManifestBucket(s.manifestBucket); bad != nil {
		f.forgetBucket(f.settings.ManifestBucket)
		return s, fmt.Errorf("submit export of %s: %s: %s: %s", m.Image.ID, bad.Code, bad.detail, bad.Remedy)
	}
	if markErr != nil {
		return s, fmt.Errorf("submit export of %s: %w", m.Image.ID, markErr)
	}
	if claimErr != nil {
		return s, fmt.Errorf("submit export of %s: %w", m.Image.ID, claimErr)
	}
	return s, nil
}

// claim appends the intent. ErrExists: another writer has that revision; of the first one it is a begunError.
func (f *Ferry) claim(ctx context.Context, m *manifest.Manifest) error {
	if m.Revision > 1 {
		return f.journal.Append(ctx, m)
	}
	head, err := f.journal.Begin(ctx, m)
	if err == nil && head != nil {
		return &begunError{head: head}
	}
	return err
}
