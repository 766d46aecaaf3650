package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// Sweep submits every image of the account that has no manifest yet: what no event delivered. It writes the index anew if
// somebody has emptied it.
func (f *Ferry) Sweep(ctx context.Context, o SweepOrder) (Round, error) {
	round := Round{Action: "sweep", DryRun: o.DryRun}
	if !o.DryRun {
		quarantined, err := f.rebuild(ctx)
		if err != nil {
			return round, fmt.Errorf("sweep: %w", err)
		}
		round.Results = quarantined
	}
	known, err := f.known(ctx)
	if err != nil {
		return round, fmt.Errorf("sweep: %w", err)
	}
	since := f.since(o.MaxAge)
	submitted := 0
	for page := 1; ; page++ {
		if !f.hasTime(ctx) {
			round.Incomplete = true
			return round, nil
		}
		images, total, err := f.Images.Images(ctx, since, page)
		if err != nil {
			return round, fmt.Errorf("sweep: %w", err)
		}
		for _, image := range images {
			round.Seen++
			if known[image.ID] || f.settings.Wants != nil && !f.settings.Wants(image.Name, image.Family, image.Tags) {
				continue
			}
			if !f.hasTime(ctx) || o.Limit > 0 && submitted >= o.Limit {
				round.Incomplete = true
				return round, nil
			}
			submitted++
			r, err := f.sweepOne(ctx, o, image)
			if err != nil {
				return round, fmt.Errorf("sweep: %w", err)
			}
			round.Results = append(round.Results, r)
		}
		if len(images) == 0 || page*ImagePageSize >= total {
			break
		}
	}
	round.Held, _ = f.index.Hold(ctx) // a hint
	return round, nil
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
	return f.submit(ctx, Order{ImageID: image.ID, Trigger: o.Trigger, Available: true, Explicit: true}, &image)
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

// known is every image that has a manifest at the destination.
func (f *Ferry) known(ctx context.Context) (map[string]bool, error) {
	known := map[string]bool{}
	err := f.eachImage(ctx, func(ids []string) error {
		for _, id := range ids {
			known[id] = true
		}
		return nil
	})
	return known, err
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
	marker, ok := manifest.MarkerOf(head)
	if !ok {
		return Result{}, nil
	}
	return Result{}, f.index.Put(ctx, marker)
}
