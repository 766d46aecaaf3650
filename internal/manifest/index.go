package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// An Index lists the exports that are at work, in the order in which they are worked, those that are over, the newest first,
// and whom to tell. It is a hint beside the journal: a missing marker is rebuilt, a stale one removed. It is safe for
// concurrent use.
type Index struct {
	store  Store
	layout Layout
}

// NewIndex returns the index under a layout of a store.
func NewIndex(store Store, layout Layout) *Index {
	return &Index{store: store, layout: layout}
}

// Put enters a marker; entering it again does no harm.
func (x *Index) Put(ctx context.Context, m Marker) error {
	if err := x.store.Put(ctx, x.layout.marker(m), nil); err != nil {
		return fmt.Errorf("put marker of %s: %w", m.ImageID, err)
	}
	return nil
}

// Remove takes a marker out; one that is not there is no error. The caller has put the marker that the newest revision
// calls for before.
func (x *Index) Remove(ctx context.Context, m Marker) error {
	if err := x.store.Delete(ctx, x.layout.marker(m)); err != nil {
		return fmt.Errorf("remove marker of %s: %w", m.ImageID, err)
	}
	return nil
}

// Queued lists a page of queued and submitting exports by due time, after the marker given (zero: from the first); more
// tells whether there may be others.
func (x *Index) Queued(ctx context.Context, after Marker) (markers []Marker, more bool, err error) {
	return x.page(ctx, x.layout.queued(), after)
}

// Exporting lists a page of exporting exports by task id, as Queued does.
func (x *Index) Exporting(ctx context.Context, after Marker) (markers []Marker, more bool, err error) {
	return x.page(ctx, x.layout.exporting(), after)
}

func (x *Index) page(ctx context.Context, prefix string, after Marker) (markers []Marker, more bool, err error) {
	from := ""
	if after.ImageID != "" {
		from = x.layout.marker(after)
	}
	return listPage(ctx, x.store, prefix, from, x.layout.parseMarker)
}

// A Section is a part of the index.
type Section string

// The sections of the index that list exports.
const (
	AtTask  Section = "exporting" // by task
	InQueue Section = "queued"    // by due time
	Over    Section = "ended"     // the newest first
)

// A Line is a marker, or an ending, and its key.
type Line struct {
	Key     string
	ImageID string
	Marker  Marker // zero for an ending
	Ending  Ending // zero for a marker
}

// Lines lists a page of a section after a key, which need not be there (empty: from the first).
func (x *Index) Lines(ctx context.Context, section Section, after string) (lines []Line, more bool, err error) {
	return listPage(ctx, x.store, x.layout.Active()+string(section)+"/", after, func(key string) (Line, bool) {
		if section == Over {
			ending, ok := x.layout.parseEnding(key)
			return Line{Key: key, ImageID: ending.ImageID, Ending: ending}, ok
		}
		marker, ok := x.layout.parseMarker(key)
		return Line{Key: key, ImageID: marker.ImageID, Marker: marker}, ok
	})
}

// listPage lists the entries under a prefix of the index after a key, until it has some or there are no more.
func listPage[T any](ctx context.Context, store Store, prefix, from string, parse func(key string) (T, bool)) (entries []T, more bool, err error) {
	for {
		keys, more, err := store.List(ctx, prefix, from, maxList)
		if err != nil {
			return nil, false, fmt.Errorf("list %s: %w", prefix, err)
		}
		for _, key := range keys {
			// A key that is no entry is not ours: it is left alone.
			if e, ok := parse(key); ok {
				entries = append(entries, e)
			}
		}
		if !more || len(entries) > 0 {
			return entries, more, nil
		}
		from = keys[len(keys)-1]
	}
}

// Hold reads why nothing is submitted; nil when nothing is held. A hold that cannot be decoded counts as none: losing one
// costs a refused call.
func (x *Index) Hold(ctx context.Context) (*Hold, error) {
	data, err := x.store.Get(ctx, x.layout.hold())
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read hold: %w", err)
	}
	var h Hold
	if err := json.Unmarshal(data, &h); err != nil || h.Reason == "" {
		return nil, nil
	}
	return &h, nil
}

// PutHold remembers a refusal that all exports share.
func (x *Index) PutHold(ctx context.Context, h Hold) error {
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return fmt.Errorf("encode hold: %w", err)
	}
	if err := x.store.Put(ctx, x.layout.hold(), append(data, '\n')); err != nil {
		return fmt.Errorf("write hold: %w", err)
	}
	return nil
}

// RemoveHold forgets it.
func (x *Index) RemoveHold(ctx context.Context) error {
	if err := x.store.Delete(ctx, x.layout.hold()); err != nil {
		return fmt.Errorf("remove hold: %w", err)
	}
	return nil
}

// Complete tells whether the index has been whole since it was last built: whoever empties it takes this key along.
func (x *Index) Complete(ctx context.Context) (bool, error) {
	_, err := x.store.Get(ctx, x.layout.complete())
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the index's completeness: %w", err)
	}
	return true, nil
}

// SetComplete says so, after a rebuild.
func (x *Index) SetComplete(ctx context.Context) error {
	if err := x.store.Put(ctx, x.layout.complete(), nil); err != nil {
		return fmt.Errorf("write the index's completeness: %w", err)
	}
	return nil
}
