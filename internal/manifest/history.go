package manifest

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// An Entry is one place in a journal: a revision, or why it cannot be shown.
type Entry struct {
	Revision int
	// Manifest is nil when Err is set.
	Manifest *Manifest
	// Err is ErrUnreadable or ErrNewer, or ErrNotFound for a gap: somebody has deleted the revision.
	Err error
}

// historyReads is how many revisions are read at once.
const historyReads = 8

// History reads the whole journal of an export, oldest first: ErrNotFound when there is none. What is damaged, foreign or
// missing is an entry with an error, so that the rest can still be seen.
func (j *Journal) History(ctx context.Context, d Destination, imageID string) ([]Entry, error) {
	numbers, err := j.revisions(ctx, d, imageID)
	if err != nil {
		return nil, err
	}
	newest := 0
	if n := len(numbers); n > 0 {
		newest = numbers[n-1]
	}
	// More than the protocol ever writes would be a foreign key whose number makes the gap before it endless.
	if newest > maxHistory {
		return nil, fmt.Errorf("read journal of %s: %w: there is a revision %d", imageID, ErrUnreadable, newest)
	}
	entries := make([]Entry, newest)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(historyReads)
	for i := range entries {
		g.Go(func() (err error) { entries[i], err = j.entry(gctx, d, imageID, i+1); return })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// A listing may be stale: what came after it is asked for by key.
	for len(entries) < maxHistory {
		e, err := j.entry(ctx, d, imageID, len(entries)+1)
		if err != nil {
			return nil, err
		}
		if errors.Is(e.Err, ErrNotFound) {
			break
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("read journal of %s: %w", imageID, ErrNotFound)
	}
	return entries, nil
}

// maxHistory bounds a journal that is read whole: an export queued once an hour writes two revisions an hour.
const maxHistory = 100_000

func (j *Journal) entry(ctx context.Context, d Destination, imageID string, revision int) (Entry, error) {
	m, err := j.Revision(ctx, d, imageID, revision)
	switch {
	case err == nil:
		return Entry{Revision: revision, Manifest: m}, nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrUnreadable), errors.Is(err, ErrNewer):
		return Entry{Revision: revision, Err: err}, nil
	}
	return Entry{}, err
}
