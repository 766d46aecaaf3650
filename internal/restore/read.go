package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Get reads the newest revision of a restore: ErrUnknown when there is none.
func (r *Restorer) Get(ctx context.Context, name string) (*Record, error) {
	head, err := r.journal.Head(ctx, r.settings.Region, name)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil, fmt.Errorf("get restore of %s: %w", name, ErrUnknown)
	}
	return head, err
}

// History reads the whole journal of a name, oldest revision first: ErrUnknown when there is none.
func (r *Restorer) History(ctx context.Context, name string) ([]manifest.Place[*Record], error) {
	places, err := r.journal.History(ctx, r.settings.Region, name)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil, fmt.Errorf("read history of %s: %w", name, ErrUnknown)
	}
	return places, err
}

// A Listed restore is what is published of it, or why that cannot be read.
type Listed struct {
	Name   string
	Record *Record // nil when Err is set
	Err    error
}

// maxPage is how many restores are listed at once.
const maxPage = 1000

// List reads the newest revisions of all restores into the region, in the order of their names.
func (r *Restorer) List(ctx context.Context) ([]Listed, error) {
	var all []Listed
	for after := ""; ; {
		page, next, err := r.Page(ctx, after, maxPage)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			return all, nil
		}
		after = next
	}
}

// Page reads the newest revisions of up to limit restores into the region whose names are greater than after, in the order of
// their names. next is the after of the page that follows, empty when none does.
func (r *Restorer) Page(ctx context.Context, after string, limit int) (page []Listed, next string, err error) {
	names, more, err := r.journal.Names(ctx, r.settings.Region, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list restores: %w", err)
	}
	for _, name := range names {
		if !ValidName(name) {
			continue // somebody else's object
		}
		record, err := r.journal.Head(ctx, r.settings.Region, name)
		switch {
		case errors.Is(err, manifest.ErrNotFound):
			continue
		case errors.Is(err, manifest.ErrUnreadable), errors.Is(err, manifest.ErrNewer):
		case err != nil:
			return nil, "", fmt.Errorf("list restores: %w", err)
		}
		page = append(page, Listed{Name: name, Record: record, Err: err})
	}
	if more && len(names) > 0 {
		next = names[len(names)-1]
	}
	return page, next, nil
}

// AtWork reads the restores that have not ended, in the order in which they began, as far as the index names them. It writes
// nothing: see Open.
func (r *Restorer) AtWork(ctx context.Context) ([]*Record, error) {
	entries, _, err := manifest.OpenRestores(ctx, r.Store, r.settings.Layout, r.settings.Region)
	if err != nil {
		return nil, fmt.Errorf("list open restores: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	heads, err := r.journal.heads(ctx, r.settings.Region, names)
	if err != nil {
		return nil, fmt.Errorf("list open restores: %w", err)
	}
	var all []*Record
	for i, l := range heads {
		if l.Record != nil && l.Record.ID == entries[i].ID && !l.Record.State.Terminal() {
			all = append(all, l.Record)
		}
	}
	return all, nil
}

// Of reads the newest revisions of the restores of an exported image, the newest first. It looks at what is published of every
// restore into the region, but for the rehearsals of other images; what cannot be read of that is left out.
func (r *Restorer) Of(ctx context.Context, imageID string) ([]*Record, error) {
	var all []*Record
	for after := ""; ; {
		names, more, err := r.journal.Names(ctx, r.settings.Region, after, maxPage)
		if err != nil {
			return nil, fmt.Errorf("list restores of %s: %w", imageID, err)
		}
		some, err := r.journal.of(ctx, r.settings.Region, names, imageID)
		if err != nil {
			return nil, fmt.Errorf("list restores of %s: %w", imageID, err)
		}
		all = append(all, some...)
		if !more || len(names) == 0 {
			break
		}
		after = names[len(names)-1]
	}
	slices.SortStableFunc(all, func(a, b *Record) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	return all, nil
}

// of are those of the restores of these names that are of an image.
func (j *Journal) of(ctx context.Context, region string, names []string, imageID string) ([]*Record, error) {
	its := make([]string, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(headReads)
	for i, name := range names {
		if !ValidName(name) || export.IsRehearsal(name) && name != RehearsalName(imageID) {
			continue
		}
		g.Go(func() error {
			published, err := j.Published(gctx, region, name)
			switch {
			case err == nil && published.Source.Image.ID == imageID:
				its[i] = name
			case err != nil && !unreadable(err):
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	heads, err := j.heads(ctx, region, its) // no name is valid that is empty
	if err != nil {
		return nil, err
	}
	var all []*Record
	for _, l := range heads {
		if l.Record != nil && l.Record.Source.Image.ID == imageID {
			all = append(all, l.Record)
		}
	}
	return all, nil
}

// unreadable tells whether an error says that there is nothing, or nothing that can be read.
func unreadable(err error) bool {
	return errors.Is(err, manifest.ErrNotFound) || errors.Is(err, manifest.ErrUnreadable) || errors.Is(err, manifest.ErrNewer)
}

// Resume goes on with a restore if it is its turn, as Run does: one that is queued waits for its due time. ErrUnknown when
// there is none.
func (r *Restorer) Resume(ctx context.Context, name string, watch func(Progress)) (*Record, error) {
	head, err := r.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return r.goOn(ctx, head, false, watch)
}

// ResumeAll goes on with every restore that has not ended, as far as ctx's deadline allows, and tells of those that it has
// brought further. One restore's trouble is not the others': the errors are joined. With none it costs one list call, unless
// the index has to be written anew.
func (r *Restorer) ResumeAll(ctx context.Context) ([]*Record, error) {
	all, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	var worked []*Record
	var troubles []error
	for _, l := range all {
		if l.Record == nil || !r.hasTime(ctx) {
			continue
		}
		next, err := r.goOn(ctx, l.Record, false, nil)
		if err != nil {
			troubles = append(troubles, err)
			continue
		}
		if next.Revision > l.Record.Revision {
			worked = append(worked, next)
		}
	}
	return worked, errors.Join(troubles...)
}
