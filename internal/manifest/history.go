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

// History reads the whole journal of an export, oldest first: ErrNotFound when there is none. What is damaged, foreign or
// missing is an entry with an error, so that the rest can still be seen.
func (j *Journal) History(ctx context.Context, d Destination, imageID string) ([]Entry, error) {
	places, err := j.series(d, imageID).History(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(places))
	for i, p := range places {
		entries[i] = Entry{Revision: p.Number, Manifest: p.Revision, Err: p.Err}
	}
	return entries, nil
}

// A Place is one place in a Series: a revision, or why it cannot be shown, as in an Entry.
type Place[R Revision] struct {
	Number   int
	Revision R
	Err      error
}

// historyReads is how many revisions are read at once.
const historyReads = 8

// History reads the whole series, oldest first: ErrNotFound when there is none.
func (s Series[R]) History(ctx context.Context) ([]Place[R], error) {
	numbers, err := s.numbers(ctx)
	if err != nil {
		return nil, err
	}
	newest := 0
	if n := len(numbers); n > 0 {
		newest = numbers[n-1]
	}
	// More than the protocol ever writes would be a foreign key whose number makes the gap before it endless.
	if newest > maxHistory {
		return nil, fmt.Errorf("read journal of %s: %w: there is a revision %d", s.Of, ErrUnreadable, newest)
	}
	places := make([]Place[R], newest)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(historyReads)
	for i := range places {
		g.Go(func() (err error) { places[i], err = s.place(gctx, i+1); return })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// A listing may be stale: what came after it is asked for by key.
	for len(places) < maxHistory {
		p, err := s.place(ctx, len(places)+1)
		if err != nil {
			return nil, err
		}
		if errors.Is(p.Err, ErrNotFound) {
			break
		}
		places = append(places, p)
	}
	if len(places) == 0 {
		return nil, fmt.Errorf("read journal of %s: %w", s.Of, ErrNotFound)
	}
	return places, nil
}

// maxHistory bounds a journal that is read whole: an export queued once an hour writes two revisions an hour.
const maxHistory = 100_000

func (s Series[R]) place(ctx context.Context, number int) (Place[R], error) {
	r, err := s.Revision(ctx, number)
	switch {
	case err == nil:
		return Place[R]{Number: number, Revision: r}, nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrUnreadable), errors.Is(err, ErrNewer):
		return Place[R]{Number: number, Err: err}, nil
	}
	return Place[R]{}, err
}
