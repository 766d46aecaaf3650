package restore

import (
	"context"
	"fmt"

	"imageferry/internal/manifest"
)

// A Journal keeps the revisions of restores beside those of the exports, one series for each region and name. It is safe for
// concurrent use, in any number of processes.
type Journal struct {
	store  manifest.Store
	layout manifest.Layout
}

// NewJournal returns the journal under a layout of a store, as manifest.NewJournal does.
func NewJournal(store manifest.Store, layout manifest.Layout) *Journal {
	return &Journal{store: store, layout: layout}
}

func (j *Journal) series(region, name string) manifest.Series[*Record] {
	return manifest.Series[*Record]{
		Store:     j.store,
		Of:        "restore " + name,
		Revisions: j.layout.RestoreJournal(region, name),
		Stable:    j.layout.Restores(region) + name + ".json",
		Decode: func(data []byte) (*Record, error) {
			r, err := decode(data)
			if err == nil && (r.Region != region || r.Name != name) {
				return nil, fmt.Errorf("%w: it belongs to another restore", manifest.ErrUnreadable)
			}
			return r, err
		},
	}
}

// Append creates the revision r.Revision, stamping it with the schema and a fresh writer nonce: manifest.ErrExists when
// another writer has it.
func (j *Journal) Append(ctx context.Context, r *Record) error {
	r.Schema = SchemaV1
	r.Writer = manifest.Nonce()
	data, err := encode(r)
	if err != nil {
		return err
	}
	return j.series(r.Region, r.Name).Append(ctx, r.Stamp(), data)
}

// Head reads the newest revision: manifest.ErrNotFound when there is none.
func (j *Journal) Head(ctx context.Context, region, name string) (*Record, error) {
	return j.series(region, name).Head(ctx)
}

// History reads every revision, oldest first.
func (j *Journal) History(ctx context.Context, region, name string) ([]manifest.Place[*Record], error) {
	return j.series(region, name).History(ctx)
}

// Publish writes a revision under its stable key.
func (j *Journal) Publish(ctx context.Context, r *Record) error {
	data, err := encode(r)
	if err != nil {
		return err
	}
	return j.series(r.Region, r.Name).Publish(ctx, data)
}

// Published reads what stands under the stable key, which may be stale.
func (j *Journal) Published(ctx context.Context, region, name string) (*Record, error) {
	return j.series(region, name).Published(ctx)
}

// Names lists the names of the restores into a region, as manifest.RestoreNames does.
func (j *Journal) Names(ctx context.Context, region, after string, limit int) (names []string, more bool, err error) {
	return manifest.RestoreNames(ctx, j.store, j.layout, region, after, limit)
}
