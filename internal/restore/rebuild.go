package restore

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// entries are those of the index, which is whole after that. One that is costs one list call.
func (r *Restorer) entries(ctx context.Context) ([]manifest.Open, error) {
	entries, whole, err := manifest.OpenRestores(ctx, r.Store, r.settings.Layout, r.settings.Region)
	if err != nil || whole {
		return entries, err
	}
	if err := r.rebuild(ctx); err != nil {
		return nil, fmt.Errorf("rebuild index: %w", err)
	}
	entries, _, err = manifest.OpenRestores(ctx, r.Store, r.settings.Layout, r.settings.Region)
	return entries, err
}

// rebuild enters every restore that has not ended, and says last that the index is whole: whoever dies before that leaves the
// rest to the next round. One that ends meanwhile has a stale entry then, like any other.
func (r *Restorer) rebuild(ctx context.Context) error {
	all, err := r.journal.AtWork(ctx, r.settings.Region)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Err != nil {
			continue // nobody can go on with it
		}
		if err := r.enter(ctx, l.Record); err != nil {
			return err
		}
	}
	return r.Store.Put(ctx, r.settings.Layout.OpenComplete(r.settings.Region), nil)
}

// headReads is how many heads are read at once.
const headReads = 8

// AtWork reads which restores into a region have not ended, from the journal alone, and which cannot be read: that costs calls
// for each that there ever was.
func (j *Journal) AtWork(ctx context.Context, region string) ([]Listed, error) {
	var all []Listed
	for after := ""; ; {
		names, more, err := j.Names(ctx, region, after, maxPage)
		if err != nil {
			return nil, err
		}
		heads, err := j.heads(ctx, region, names)
		if err != nil {
			return nil, err
		}
		for _, l := range heads {
			if l.Err != nil || l.Record != nil && !l.Record.State.Terminal() {
				all = append(all, l)
			}
		}
		if !more || len(names) == 0 {
			return all, nil
		}
		after = names[len(names)-1]
	}
}

// heads are the newest revisions of some names; a name that has none has neither record nor error.
func (j *Journal) heads(ctx context.Context, region string, names []string) ([]Listed, error) {
	heads := make([]Listed, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(headReads)
	for i, name := range names {
		if !ValidName(name) {
			continue // somebody else's object
		}
		g.Go(func() error {
			head, err := j.Head(ctx, region, name)
			switch {
			case err == nil, errors.Is(err, manifest.ErrUnreadable), errors.Is(err, manifest.ErrNewer):
				heads[i] = Listed{Name: name, Record: head, Err: err}
			case !errors.Is(err, manifest.ErrNotFound):
				return err
			}
			return nil
		})
	}
	return heads, g.Wait()
}
