package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// Sweep submits every image of the account that has no export yet: what no event delivered. It writes the index anew if
// somebody has emptied it, and leaves a census when it has seen all.
func (f *Ferry) Sweep(ctx context.Context, o SweepOrder) (Round, error) {
	s := sweep{Ferry: f, order: o, round: Round{Action: "sweep", DryRun: o.DryRun}, since: f.since(o.MaxAge)}
	if !o.DryRun {
		quarantined, err := f.rebuild(ctx)
		if err != nil {
			return s.round, fmt.Errorf("sweep: %w", err)
		}
		s.round.Results = quarantined
	}
	if err := s.run(ctx); err != nil {
		return s.round, fmt.Errorf("sweep: %w", err)
	}
	s.round.Held, _ = f.index.Hold(ctx) // a hint
	return s.round, nil
}

// A sweep is one walk through the account's images.
type sweep struct {
	*Ferry
	order     SweepOrder
	round     Round
	since     time.Time
	submitted int
	idle      bool // the page before had nothing to submit
	held      bool // the image before was queued for what holds all of them
	census    manifest.Census
}

func (s *sweep) run(ctx context.Context) error {
	known, t, err := s.inventory(ctx, s.order.DryRun)
	if err != nil {
		return err
	}
	s.census.States, s.census.Reasons, s.census.Bytes = t.states, t.reasons, t.bytes
	for images, err := range s.imagePages(ctx, s.since, s.ahead) {
		if errors.Is(err, errOutOfTime) {
			s.round.Incomplete = true
			return nil
		}
		if err != nil {
			return err
		}
		before := s.submitted
		if err := s.page(ctx, images, known); err != nil || s.round.Incomplete {
			return err
		}
		s.idle = s.order.DryRun || s.submitted == before
	}
	s.leaveCensus(ctx)
	return nil
}

// ahead is how many pages to read ahead: none while there is something to submit on them, which takes far longer than reading
// them and lets them grow old, and none where a limit ends the sweep soon.
func (s *sweep) ahead() int {
	if s.idle && s.order.Limit == 0 {
		return maxPagesAhead
	}
	return 0
}

// page submits the images that are wanted and have no export: one after the other, so that ECS refuses one of them at most,
// and side by side while a hold lasts, when they are only queued.
func (s *sweep) page(ctx context.Context, images []manifest.Image, known inventory) error {
	var missing []manifest.Image
	for _, image := range images {
		s.round.Seen++
		if s.unwanted(image) != "" {
			continue
		}
		s.census.Wanted++
		exported, ok := known[image.ID]
		if exported {
			s.census.Exported++
		}
		if !ok {
			missing = append(missing, image)
		}
	}
	for len(missing) > 0 {
		n := 1
		if s.held {
			n = min(len(missing), queuedAtOnce)
		}
		if s.order.Limit > 0 {
			n = min(n, s.order.Limit-s.submitted)
		}
		if n == 0 || !s.hasTime(ctx) {
			s.round.Incomplete = true
			return nil
		}
		if err := s.some(ctx, missing[:n]); err != nil {
			return err
		}
		missing = missing[n:]
	}
	return nil
}

// maxDryResults is how many images a dry run tells of.
const maxDryResults = 1000

// queuedAtOnce is how many images are queued at the same time while a hold lasts.
const queuedAtOnce = 8

// some submits images at once.
func (s *sweep) some(ctx context.Context, images []manifest.Image) error {
	results := make([]Result, len(images))
	errs := make([]error, len(images))
	var g errgroup.Group
	for i, image := range images {
		g.Go(func() error { results[i], errs[i] = s.sweepOne(ctx, s.order, image); return nil })
	}
	_ = g.Wait()
	s.submitted += len(images)
	for i, r := range results {
		switch {
		case errs[i] != nil:
		case s.order.DryRun && len(s.round.Results) == maxDryResults:
			s.round.Omitted++
		default:
			s.round.Results = append(s.round.Results, r)
			s.held = r.State == manifest.Queued && s.holdsAll(s.settings.Destination, reasons[r.Reason].Class)
		}
	}
	return errors.Join(errs...)
}

// leaveCensus is for the overview; that it cannot be written is logged.
func (s *sweep) leaveCensus(ctx context.Context) {
	if s.order.DryRun {
		return
	}
	s.census.At, s.census.Since = s.now(), s.since
	if err := s.index.PutCensus(ctx, s.census); err != nil {
		s.log.WarnContext(ctx, "census is not written", "error", err.Error())
	}
}

// sweepOne submits an image, or says what a submit would begin with.
func (f *Ferry) sweepOne(ctx context.Context, o SweepOrder, image manifest.Image) (Result, error) {
	if o.DryRun {
		r := Result{ImageID: image.ID, Name: image.Name}
		if bad := checkImage(image, f.settings.AccountID); bad != nil {
			r.Reason, r.Remedy, r.Detail = bad.Code, bad.Remedy, bad.detail
		}
		return r, nil
	}
	r, err := f.submit(ctx, Order{ImageID: image.ID, Trigger: o.Trigger, Available: true, Explicit: true}, &image)
	if err == nil && !r.New && r.State.Terminal() {
		_, err = f.rebuildOne(ctx, image.ID) // the index did not have it
	}
	return r, err
}

// since is the creation time before which a sweep does not look.
func (f *Ferry) since(maxAge time.Duration) time.Time {
	switch {
	case maxAge < 0:
		return time.Time{}
	case maxAge == 0:
		maxAge = f.settings.SweepMaxAge
	}
	return f.now().Add(-maxAge)
}

// eachImage calls do with pages of the ids of images that have a manifest at the destination.
func (f *Ferry) eachImage(ctx context.Context, do func(ids []string) error) error {
	after := ""
	for {
		ids, more, err := f.journal.Images(ctx, f.settings.Destination, after, 1000)
		if err != nil {
			return err
		}
		if err := do(ids); err != nil {
			return err
		}
		if !more || len(ids) == 0 {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

// rebuild puts the marker of every export at work into an index that was emptied, and tells of those that it cannot read.
func (f *Ferry) rebuild(ctx context.Context) (quarantined []Result, err error) {
	complete, err := f.index.Complete(ctx)
	if err != nil || complete {
		return nil, err
	}
	err = f.eachImage(ctx, func(ids []string) error {
		results := make([]Result, len(ids))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(8)
		for i, id := range ids {
			g.Go(func() (err error) { results[i], err = f.rebuildOne(ctx, id); return })
		}
		err := g.Wait()
		for _, r := range results {
			if r.Reason != "" {
				quarantined = append(quarantined, r)
			}
		}
		return err
	})
	if err != nil {
		return quarantined, fmt.Errorf("rebuild index: %w", err)
	}
	return quarantined, f.index.SetComplete(ctx)
}

// rebuildOne has a result only for a journal that cannot be read.
func (f *Ferry) rebuildOne(ctx context.Context, imageID string) (Result, error) {
	head, err := f.journal.Head(ctx, f.settings.Destination, imageID)
	if errors.Is(err, manifest.ErrNotFound) {
		return Result{}, nil // somebody else's object among the manifests
	}
	if err != nil {
		return unreadable(imageID, err)
	}
	if ending, over := manifest.EndingOf(head); over {
		return Result{}, f.index.PutEnding(ctx, ending) // who was to be told of it was, or has to look
	}
	marker, _ := manifest.MarkerOf(head)
	return Result{}, f.index.Put(ctx, marker)
}
