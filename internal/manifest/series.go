package manifest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Stamp is what makes a document one revision of a series.
type Stamp struct {
	Revision  int       // counts from 1 without gaps
	Writer    string    // a nonce of who wrote it
	CreatedAt time.Time // of revision 1
}

// A Revision is a document of which a series has many; as a rule a pointer to a struct.
type Revision interface {
	comparable
	Stamp() Stamp
}

// A Series is one journal: revisions under a prefix that are created and never changed, and the newest of them once more
// under a stable key. Whoever creates the next revision decides what happens next; there is no other lock. It is safe for
// concurrent use, in any number of processes, on a store whose bucket has never been versioned: on a versioned one OSS
// ignores the condition that Create rests on.
type Series[R Revision] struct {
	Store Store
	// Of is what errors name the series by.
	Of string
	// Revisions is the prefix of the revisions' keys, with a slash at its end; Stable is the key of the newest.
	Revisions, Stable string
	// Decode reads what is stored: ErrUnreadable, also for what belongs to another series, and ErrNewer.
	Decode func(data []byte) (R, error)
}

// Nonce is 128 random bits, for a Stamp's Writer.
func Nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

func (s Series[R]) key(revision int) string { return revisionKey(s.Revisions, revision) }

// Append creates a revision that is encoded as data. ErrExists means that another writer has that revision; any other error
// leaves open whether it will turn up.
func (s Series[R]) Append(ctx context.Context, stamp Stamp, data []byte) error {
	err := s.Store.Create(ctx, s.key(stamp.Revision), data)
	if err == nil {
		return nil
	}
	// A create whose answer was lost is refused when it is repeated: only the content tells who won.
	stored, readErr := s.Store.Get(ctx, s.key(stamp.Revision))
	if readErr == nil {
		if other, decodeErr := s.Decode(stored); decodeErr == nil && other.Stamp().Writer == stamp.Writer {
			return nil
		}
		err = ErrExists
	}
	return fmt.Errorf("append revision %d of %s: %w", stamp.Revision, s.Of, err)
}

// Revision reads one revision: ErrNotFound, ErrUnreadable and ErrNewer as their names say.
func (s Series[R]) Revision(ctx context.Context, revision int) (R, error) {
	var none R
	data, err := s.Store.Get(ctx, s.key(revision))
	if err != nil {
		return none, fmt.Errorf("read revision %d of %s: %w", revision, s.Of, err)
	}
	r, err := s.Decode(data)
	if err == nil && r.Stamp().Revision != revision {
		err = errElsewhere
	}
	if err != nil {
		return none, fmt.Errorf("read revision %d of %s: %w", revision, s.Of, err)
	}
	return r, nil
}

// errElsewhere: what is stored has its place under another key.
var errElsewhere = fmt.Errorf("%w: it belongs elsewhere", ErrUnreadable)

// Publish writes an encoded revision under the stable key, over whatever is there.
func (s Series[R]) Publish(ctx context.Context, data []byte) error {
	if err := s.Store.Put(ctx, s.Stable, data); err != nil {
		return fmt.Errorf("write manifest of %s: %w", s.Of, err)
	}
	return nil
}

// Published reads what stands under the stable key, which may be stale.
func (s Series[R]) Published(ctx context.Context) (R, error) {
	var none R
	data, err := s.Store.Get(ctx, s.Stable)
	if err != nil {
		return none, fmt.Errorf("read manifest of %s: %w", s.Of, err)
	}
	r, err := s.Decode(data)
	if err != nil {
		return none, fmt.Errorf("read manifest of %s: %w", s.Of, err)
	}
	return r, nil
}

// Begin is Append for revision 1 that looks at once for a series that has begun before: then it returns the newest revision
// of that, as a rule two round trips after it was called, and else the zero value. A first revision that was free because somebody
// has deleted it, as a lifecycle rule would, does not pass for a new series. Errors are those of Append and Head.
func (s Series[R]) Begin(ctx context.Context, stamp Stamp, data []byte) (R, error) {
	var none, hint R
	var createErr error
	var g errgroup.Group
	g.Go(func() error { createErr = s.Store.Create(ctx, s.key(1), data); return nil })
	g.Go(func() error { hint, _ = s.hint(ctx); return nil }) // it tells where to begin; what is there decides
	_ = g.Wait()
	if createErr == nil && (hint == none || hint.Stamp().Revision == 1) {
		return none, nil
	}
	head, err := s.HeadAfter(ctx, hint)
	switch {
	case err == nil && createErr != nil && head.Stamp().Revision == 1 && head.Stamp().Writer == stamp.Writer:
		return none, nil // only the answer was lost
	case err == nil, errors.Is(err, ErrUnreadable), errors.Is(err, ErrNewer):
		return head, err
	}
	return none, fmt.Errorf("begin journal of %s: %w", s.Of, cmp.Or(createErr, err))
}

// Head reads the newest revision; a series without one is ErrNotFound, and one with a gap ErrUnreadable. It finds its way by
// the published revision, which may be stale, or by a listing; that there is no newer revision it learns by asking for it.
func (s Series[R]) Head(ctx context.Context) (R, error) {
	hint, err := s.hint(ctx)
	if err != nil {
		var none R
		return none, err
	}
	return s.HeadAfter(ctx, hint)
}

// HeadAfter is Head for whoever has read what is published, the zero value when there is none that can be read.
func (s Series[R]) HeadAfter(ctx context.Context, hint R) (R, error) {
	var none, head, next R
	var err error
	if hint != none {
		if head, next, err = s.pair(ctx, hint.Stamp().Revision); err != nil {
			return none, err
		}
	}
	if head == none {
		if head, next, err = s.listed(ctx, hint); err != nil {
			return none, err
		}
	}
	for next != none {
		head = next
		if next, err = s.optional(ctx, head.Stamp().Revision+1); err != nil {
			return none, err
		}
	}
	if head == none {
		return none, fmt.Errorf("read journal of %s: %w", s.Of, ErrNotFound)
	}
	return head, nil
}

// hint is the published revision, the zero value when there is none that can be read.
func (s Series[R]) hint(ctx context.Context) (R, error) {
	r, err := s.Published(ctx)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrNewer) {
		var none R
		return none, nil
	}
	return r, err
}

// pair reads a revision and the one after it at once.
func (s Series[R]) pair(ctx context.Context, revision int) (head, next R, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { head, err = s.optional(gctx, revision); return })
	g.Go(func() (err error) { next, err = s.optional(gctx, revision+1); return })
	err = g.Wait()
	return head, next, err
}

// optional is Revision with the zero value for one that is not there.
func (s Series[R]) optional(ctx context.Context, revision int) (R, error) {
	r, err := s.Revision(ctx, revision)
	if errors.Is(err, ErrNotFound) {
		var none R
		return none, nil
	}
	return r, err
}

// listed begins where a listing ends, when what is published is missing or the journal does not bear it out. That may be one
// revision ahead of the journal, because both are written at once; more, or one of a series that began at another time, or a
// hole in the listing, is a gap: somebody has deleted revisions, and going on would write their history anew.
func (s Series[R]) listed(ctx context.Context, hint R) (head, next R, err error) {
	var none R
	numbers, err := s.numbers(ctx)
	if err != nil {
		return none, none, err
	}
	for i, n := range numbers {
		if n != i+1 {
			return none, none, s.gap(i + 1)
		}
	}
	head, next, err = s.pair(ctx, len(numbers)) // revision 0 is never there
	if err != nil {
		return none, none, err
	}
	newest := len(numbers)
	if newest > 0 && head == none {
		return none, none, s.gap(newest) // deleted since it was listed
	}
	if next != none {
		newest = next.Stamp().Revision
	}
	if hint == none || hint.Stamp().Revision <= newest {
		return head, next, nil
	}
	if hint.Stamp().Revision > newest+1 || head != none && !hint.Stamp().CreatedAt.Equal(head.Stamp().CreatedAt) {
		return none, none, s.gap(newest + 1)
	}
	return head, next, nil
}

func (s Series[R]) gap(missing int) error {
	return fmt.Errorf("read journal of %s: %w: revision %d is missing", s.Of, ErrUnreadable, missing)
}

// numbers are those of the revisions that a listing shows, in order.
func (s Series[R]) numbers(ctx context.Context) ([]int, error) {
	var numbers []int
	for after := ""; ; {
		keys, more, err := s.Store.List(ctx, s.Revisions, after, maxList)
		if err != nil {
			return nil, fmt.Errorf("list journal of %s: %w", s.Of, err)
		}
		for _, key := range keys {
			if n, ok := revisionOf(key, s.Revisions); ok {
				numbers = append(numbers, n)
			}
		}
		if !more {
			return numbers, nil
		}
		after = keys[len(keys)-1]
	}
}

// maxList is the longest page that OSS lists.
const maxList = 1000
