package manifest

import (
	"context"
	"fmt"
)

// A Journal keeps the revisions of exports in a Store, each export's in a Series. It is safe for concurrent use, in any
// number of processes.
type Journal struct {
	store  Store
	layout Layout
}

// NewJournal returns the journal under a layout of a store whose bucket has never been versioned: on a versioned one OSS
// ignores the condition that Create rests on.
func NewJournal(store Store, layout Layout) *Journal {
	return &Journal{store: store, layout: layout}
}

// series is the journal of one export.
func (j *Journal) series(d Destination, imageID string) Series[*Manifest] {
	return Series[*Manifest]{
		Store:     j.store,
		Of:        imageID,
		Revisions: j.layout.revisions(d, imageID),
		Stable:    j.layout.Manifest(d, imageID),
		Decode: func(data []byte) (*Manifest, error) {
			m, err := Decode(data)
			if err == nil && (m.Image.ID != imageID || m.Destination != d) {
				return nil, fmt.Errorf("%w: it belongs to another export", ErrUnreadable)
			}
			return m, err
		},
	}
}

// Append creates the revision m.Revision, stamping it with the schema and a fresh writer nonce. ErrExists means that
// another writer has that revision; any other error leaves open whether m will turn up in the journal.
func (j *Journal) Append(ctx context.Context, m *Manifest) error {
	data, err := stamped(m)
	if err != nil {
		return err
	}
	return j.series(m.Destination, m.Image.ID).Append(ctx, m.Stamp(), data)
}

// Begin is Append for the first revision of an export; of one that has begun before it returns the newest revision, and else
// nil. See Series.Begin.
func (j *Journal) Begin(ctx context.Context, m *Manifest) (*Manifest, error) {
	data, err := stamped(m)
	if err != nil {
		return nil, err
	}
	return j.series(m.Destination, m.Image.ID).Begin(ctx, m.Stamp(), data)
}

func stamped(m *Manifest) ([]byte, error) {
	m.Schema = SchemaV1
	m.Writer = Nonce()
	return Encode(m)
}

// Revision reads one revision: ErrNotFound, ErrUnreadable and ErrNewer as their names say.
func (j *Journal) Revision(ctx context.Context, d Destination, imageID string, revision int) (*Manifest, error) {
	return j.series(d, imageID).Revision(ctx, revision)
}

// Head reads the newest revision; an export without one is ErrNotFound, and a journal with a gap ErrUnreadable.
func (j *Journal) Head(ctx context.Context, d Destination, imageID string) (*Manifest, error) {
	return j.series(d, imageID).Head(ctx)
}

// HeadAfter is Head for whoever has read what is published, at no more than one round trip as a rule.
func (j *Journal) HeadAfter(ctx context.Context, published *Manifest) (*Manifest, error) {
	return j.series(published.Destination, published.Image.ID).HeadAfter(ctx, published)
}

// Publish writes a revision under its stable key, for people and other tools.
func (j *Journal) Publish(ctx context.Context, m *Manifest) error {
	data, err := Encode(m)
	if err != nil {
		return err
	}
	return j.series(m.Destination, m.Image.ID).Publish(ctx, data)
}

// Published reads what stands under the stable key, which may be stale; what belongs to another export is ErrUnreadable.
func (j *Journal) Published(ctx context.Context, d Destination, imageID string) (*Manifest, error) {
	return j.series(d, imageID).Published(ctx)
}

// Images lists up to limit ids of the images that have a manifest at the destination and are greater than after, in byte
// order; more tells whether there may be others.
func (j *Journal) Images(ctx context.Context, d Destination, after string, limit int) (ids []string, more bool, err error) {
	return stableNames(ctx, j.store, j.layout.Manifests(d), after, limit)
}

// stableNames lists the names of the documents directly under a prefix of stable keys, as Images does.
func stableNames(ctx context.Context, store Store, prefix, after string, limit int) (names []string, more bool, err error) {
	from := ""
	if after != "" {
		from = prefix + after + ".json"
	}
	for {
		keys, more, err := store.List(ctx, prefix, from, limit)
		if err != nil {
			return nil, false, fmt.Errorf("list manifests: %w", err)
		}
		for _, key := range keys {
			if name, ok := imageOf(key, prefix); ok {
				names = append(names, name)
			}
		}
		// A page of nothing but foreign keys would leave the caller without a place to go on from.
		if !more || len(names) > 0 {
			return names, more, nil
		}
		from = keys[len(keys)-1]
	}
}
