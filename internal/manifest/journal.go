package manifest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// A Journal keeps the revisions of exports in a Store. Whoever creates the next revision decides what happens next; there
// is no other lock. It is safe for concurrent use, in any number of processes.
type Journal struct {
	store  Store
	layout Layout
}

// NewJournal returns the journal under a layout of a store whose bucket has never been versioned: on a versioned one OSS
// ignores the condition that Create rests on.
func NewJournal(store Store, layout Layout) *Journal {
	return &Journal{store: store, layout: layout}
}

// Append creates the revision m.Revision, stamping it with the schema and a fresh writer nonce. ErrExists means that
// another writer has that revision; any other error leaves open whether m will turn up in the journal.
func (j *Journal) Append(ctx context.Context, m *Manifest) error {
	m.Schema = SchemaV1
	m.Writer = nonce()
	data, err := Encode(m)
	if err != nil {
		return err
	}
	key := j.layout.revision(m.Destination, m.Image.ID, m.Revision)
	err = j.store.Create(ctx, key, data)
	if err == nil {
		return nil
	}
	// A create whose answer was lost is refused when it is repeated: only the content tells who won.
	stored, readErr := j.store.Get(ctx, key)
	if readErr == nil {
		if other, decodeErr := Decode(stored); decodeErr == nil && other.Writer == m.Writer {
			return nil
		}
		err = ErrExists
	}
	return fmt.Errorf("append revision %d of %s: %w", m.Revision, m.Image.ID, err)
}

// Revision reads one revision: ErrNotFound, ErrUnreadable and ErrNewer as their names say.
func (j *Journal) Revision(ctx context.Context, d Destination, imageID string, revision int) (*Manifest, error) {
	data, err := j.store.Get(ctx, j.layout.revision(d, imageID, revision))
	if err != nil {
		return nil, fmt.Errorf("read revision %d of %s: %w", revision, imageID, err)
	}
	m, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read revision %d of %s: %w", revision, imageID, err)
	}
	if m.Revision != revision || m.Image.ID != imageID || m.Destination != d {
		return nil, fmt.Errorf("read revision %d of %s: %w: it belongs to another export", revision, imageID, ErrUnreadable)
	}
	return m, nil
}

// Head reads the newest revision; an export without one is ErrNotFound, and a journal with a gap ErrUnreadable. It finds
// its way by the manifest, which may be stale, or by a listing; that there is no newer revision it learns by asking for it.
func (j *Journal) Head(ctx context.Context, d Destination, imageID string) (*Manifest, error) {
	hint, err := j.hint(ctx, d, imageID)
	if err != nil {
		return nil, err
	}
	var head, next *Manifest
	if hint != nil {
		if head, next, err = j.pair(ctx, d, imageID, hint.Revision); err != nil {
			return nil, err
		}
	}
	if head == nil {
		if head, next, err = j.listed(ctx, d, imageID, hint); err != nil {
			return nil, err
		}
	}
	for next != nil {
		head = next
		if next, err = j.optional(ctx, d, imageID, head.Revision+1); err != nil {
			return nil, err
		}
	}
	if head == nil {
		return nil, fmt.Errorf("read journal of %s: %w", imageID, ErrNotFound)
	}
	return head, nil
}

// hint is the published revision, nil when there is none that can be read.
func (j *Journal) hint(ctx context.Context, d Destination, imageID string) (*Manifest, error) {
	m, err := j.Published(ctx, d, imageID)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreadable) || errors.Is(err, ErrNewer) {
		return nil, nil
	}
	return m, err
}

// pair reads a revision and the one after it at once.
func (j *Journal) pair(ctx context.Context, d Destination, imageID string, revision int) (head, next *Manifest, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { head, err = j.optional(gctx, d, imageID, revision); return })
	g.Go(func() (err error) { next, err = j.optional(gctx, d, imageID, revision+1); return })
	return head, next, g.Wait()
}

// optional is Revision with nil for one that is not there.
func (j *Journal) optional(ctx context.Context, d Destination, imageID string, revision int) (*Manifest, error) {
	m, err := j.Revision(ctx, d, imageID, revision)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return m, err
}

// listed begins where a listing ends, when the manifest is missing or the journal does not bear it out. That may be one
// revision ahead of the journal, because both are written at once; more, or the manifest of an export that began at another
// time, or a hole in the listing, is a gap: somebody has deleted revisions, and going on would write their history anew.
func (j *Journal) listed(ctx context.Context, d Destination, imageID string, hint *Manifest) (head, next *Manifest, err error) {
	numbers, err := j.revisions(ctx, d, imageID)
	if err != nil {
		return nil, nil, err
	}
	for i, n := range numbers {
		if n != i+1 {
			return nil, nil, gap(imageID, i+1)
		}
	}
	head, next, err = j.pair(ctx, d, imageID, len(numbers)) // revision 0 is never there
	if err != nil {
		return nil, nil, err
	}
	newest := len(numbers)
	if newest > 0 && head == nil {
		return nil, nil, gap(imageID, newest) // deleted since it was listed
	}
	if next != nil {
		newest = next.Revision
	}
	if hint == nil || hint.Revision <= newest {
		return head, next, nil
	}
	if hint.Revision > newest+1 || head != nil && !hint.CreatedAt.Equal(head.CreatedAt) {
		return nil, nil, gap(imageID, newest+1)
	}
	return head, next, nil
}

func gap(imageID string, missing int) error {
	return fmt.Errorf("read journal of %s: %w: revision %d is missing", imageID, ErrUnreadable, missing)
}

// revisions lists the numbers of the revisions that a listing shows, in order.
func (j *Journal) revisions(ctx context.Context, d Destination, imageID string) ([]int, error) {
	prefix := j.layout.revisions(d, imageID)
	var numbers []int
	for after := ""; ; {
		keys, err := j.store.List(ctx, prefix, after, maxList)
		if err != nil {
			return nil, fmt.Errorf("list journal of %s: %w", imageID, err)
		}
		for _, key := range keys {
			if n, ok := revisionOf(key, prefix); ok {
				numbers = append(numbers, n)
			}
		}
		if len(keys) < maxList {
			return numbers, nil
		}
		after = keys[len(keys)-1]
	}
}

// maxList is the longest page that OSS lists.
const maxList = 1000

// Publish writes a revision under its stable key, for people and other tools.
func (j *Journal) Publish(ctx context.Context, m *Manifest) error {
	data, err := Encode(m)
	if err != nil {
		return err
	}
	if err := j.store.Put(ctx, j.layout.Manifest(m.Destination, m.Image.ID), data); err != nil {
		return fmt.Errorf("write manifest of %s: %w", m.Image.ID, err)
	}
	return nil
}

// Published reads what stands under the stable key, which may be stale; what belongs to another export is ErrUnreadable.
func (j *Journal) Published(ctx context.Context, d Destination, imageID string) (*Manifest, error) {
	data, err := j.store.Get(ctx, j.layout.Manifest(d, imageID))
	if err != nil {
		return nil, fmt.Errorf("read manifest of %s: %w", imageID, err)
	}
	m, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read manifest of %s: %w", imageID, err)
	}
	if m.Image.ID != imageID || m.Destination != d {
		return nil, fmt.Errorf("read manifest of %s: %w: it belongs to another export", imageID, ErrUnreadable)
	}
	return m, nil
}

// Images lists up to limit ids of the images that have a manifest at the destination and are greater than after, in byte
// order; more tells whether there may be others.
func (j *Journal) Images(ctx context.Context, d Destination, after string, limit int) (ids []string, more bool, err error) {
	prefix := j.layout.Manifests(d)
	from := ""
	if after != "" {
		from = prefix + after + ".json"
	}
	for {
		keys, err := j.store.List(ctx, prefix, from, limit)
		if err != nil {
			return nil, false, fmt.Errorf("list manifests: %w", err)
		}
		for _, key := range keys {
			if id, ok := imageOf(key, prefix); ok {
				ids = append(ids, id)
			}
		}
		// A page of nothing but foreign keys would leave the caller without a place to go on from.
		if more = len(keys) == limit; !more || len(ids) > 0 {
			return ids, more, nil
		}
		from = keys[len(keys)-1]
	}
}

// nonce is 128 random bits.
func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}
