package restore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

// The index names the restores that have not ended, so that a round costs no more for those that have. It is a hint: an entry
// is there before the first revision is, and is removed after the last one; one that is stale is removed by whoever meets it, and
// an index that somebody has emptied is written anew from the journal by the next round.

// enter puts a restore that begins into the index.
func (r *Restorer) enter(ctx context.Context, next *Record) error {
	if err := r.Store.Put(ctx, r.openKey(next), nil); err != nil {
		return fmt.Errorf("enter restore of %s: %w", next.Name, err)
	}
	return nil
}

// leave takes a restore that has ended out of the index. If that fails, the next round does it.
func (r *Restorer) leave(ctx context.Context, ended *Record) {
	if err := r.Store.Delete(ctx, r.openKey(ended)); err != nil {
		r.log.WarnContext(ctx, "restore stays in the index", "restore", ended.Name, "error", err.Error())
	}
}

func (r *Restorer) openKey(record *Record) string {
	return r.settings.Layout.Open(r.settings.Region, manifest.Open{BegunAt: record.BegunAt, Name: record.Name, ID: record.ID})
}

// entering is how long a restore may be in the index before its first revision is in the journal.
const entering = time.Hour

// Open reads the restores that have not ended, in the order in which they began, and takes those out of the index that have.
// What cannot be read is listed with the error, and stays. An index that somebody has emptied is written anew.
func (r *Restorer) Open(ctx context.Context) ([]Listed, error) {
	entries, err := r.entries(ctx)
	if err != nil {
		return nil, fmt.Errorf("list open restores: %w", err)
	}
	var open []Listed
	for _, e := range entries {
		if !ValidName(e.Name) || !isID(e.ID) {
			continue // somebody else's object
		}
		head, err := r.journal.Head(ctx, r.settings.Region, e.Name)
		mine := err == nil && head.ID == e.ID
		switch {
		case mine && !head.State.Terminal(), errors.Is(err, manifest.ErrUnreadable), errors.Is(err, manifest.ErrNewer):
			open = append(open, Listed{Name: e.Name, Record: head, Err: err})
		case err != nil && !errors.Is(err, manifest.ErrNotFound):
			return nil, fmt.Errorf("list open restores: %w", err)
		case mine, r.now().Sub(e.BegunAt) > entering: // it has ended, or it has never begun
			if err := r.Store.Delete(ctx, r.settings.Layout.Open(r.settings.Region, e)); err != nil {
				r.log.WarnContext(ctx, "restore stays in the index", "restore", e.Name, "error", err.Error())
			}
		}
	}
	return open, nil
}
