package export

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"imageferry/internal/manifest"
)

// ErrCursor: the cursor is not one that a page before has given out.
var ErrCursor = errors.New("not a cursor of this list")

// A Filter selects exports; empty fields select all.
type Filter struct {
	State  manifest.State `json:"state,omitempty"`
	Reason string         `json:"reason,omitempty"`
	// Name is part of the image's name or id; case does not matter.
	Name string `json:"name,omitempty"`
}

// Match tells whether an export is selected.
func (f Filter) Match(m *manifest.Manifest) bool {
	name := strings.ToLower(f.Name)
	return (f.State == "" || f.State == m.State) && (f.Reason == "" || f.Reason == m.Reason) &&
		(strings.Contains(strings.ToLower(m.Image.Name), name) || strings.Contains(strings.ToLower(m.Image.ID), name))
}

// may tells whether an export that is over can be selected, as far as its entry in the index tells.
func (f Filter) may(e manifest.Ending) bool {
	return (f.State == "" || f.State == e.State) && (f.Reason == "" || f.Reason == e.Reason)
}

// Recent is a page of exports, the newest first.
type Recent struct {
	Exports []*manifest.Manifest
	// Unreadable are exports whose journal cannot be read, with the reason; only without a filter.
	Unreadable []Result
	// Cursor is where the next page begins, empty after the last one. A page may be short, or empty, and yet have one.
	Cursor string
}

// Recent returns up to limit (1 to 100) exports that match the filter from where cursor says; empty is the beginning, a
// strange one ErrCursor. First come the exports whose tasks run, then those that wait, the first due first, then those that
// are over, the newest first. A page costs the same however many exports there are.
func (f *Ferry) Recent(ctx context.Context, filter Filter, cursor string, limit int) (Recent, error) {
	at, err := parsePlace(cursor, f.settings.Layout)
	if err != nil {
		return Recent{}, fmt.Errorf("list recent exports: %w", err)
	}
	w := recent{Ferry: f, filter: filter, limit: max(1, min(limit, maxListLimit)), seen: map[string]bool{}}
	if err := w.run(ctx, at); err != nil {
		return Recent{}, fmt.Errorf("list recent exports: %w", err)
	}
	return w.page, nil
}

// A place is where a list goes on: after a key of a section of the index.
type place struct {
	section manifest.Section
	after   string // empty: from the section's first
}

func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(p.section) + " " + p.after))
}

// sections are in the order in which they are shown.
func sections() []manifest.Section {
	return []manifest.Section{manifest.AtTask, manifest.InQueue, manifest.Over}
}

func parsePlace(cursor string, layout manifest.Layout) (place, error) {
	if cursor == "" {
		return place{section: sections()[0]}, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return place{}, ErrCursor
	}
	section, after, _ := strings.Cut(string(text), " ")
	p := place{section: manifest.Section(section), after: after}
	// OSS takes keys of up to 1,023 bytes.
	if !slices.Contains(sections(), p.section) || len(after) > 1023 || !strings.HasPrefix(after, layout.Active()+section+"/") {
		return place{}, ErrCursor
	}
	return p, nil
}

// recent is one walk over the index.
type recent struct {
	*Ferry
	filter Filter
	limit  int
	reads  int
	seen   map[string]bool
	page   Recent
}

// run walks from a place on until the page is full, or has cost enough, or there is no more.
func (w *recent) run(ctx context.Context, at place) error {
	for _, section := range sections()[slices.Index(sections(), at.section):] {
		if section != at.section {
			at = place{section: section}
		}
		if !w.possible(section) {
			continue
		}
		for more := true; more; {
			var entries []manifest.Line
			var err error
			if entries, more, err = w.index.Lines(ctx, section, at.after); err != nil {
				return err
			}
			for batch := range slices.Chunk(entries, 25) {
				last, err := w.add(ctx, batch)
				if last != "" {
					at.after = last
				}
				if err != nil {
					return err
				}
				if len(w.page.Exports) == w.limit || w.reads >= maxListReads {
					w.page.Cursor = at.String()
					return nil
				}
			}
		}
	}
	return nil
}

// possible tells whether a section can have an export that the filter selects.
func (w *recent) possible(section manifest.Section) bool {
	switch {
	case w.filter.State == "":
		return true
	case section == manifest.Over:
		return w.filter.State.Terminal()
	}
	return !w.filter.State.Terminal()
}

// add puts those exports of a batch on the page that belong there, until it is full, and tells the key that it came to.
func (w *recent) add(ctx context.Context, batch []manifest.Line) (last string, err error) {
	var ids []string
	for _, e := range batch {
		if w.wants(e) {
			ids = append(ids, e.ImageID)
		}
	}
	lines, err := w.published(ctx, ids)
	if err != nil {
		return "", err
	}
	w.reads += len(ids)
	next := 0
	for _, e := range batch {
		last = e.Key
		if !w.wants(e) {
			continue
		}
		line := lines[next]
		next++
		switch m := line.manifest; {
		case m == nil && line.quarantined.Reason != "" && w.filter == (Filter{}):
			w.seen[e.ImageID] = true
			w.page.Unreadable = append(w.page.Unreadable, line.quarantined)
		case m != nil && !w.seen[e.ImageID] && belongs(e, m) && w.filter.Match(m):
			w.seen[e.ImageID] = true
			w.page.Exports = append(w.page.Exports, m)
		}
		if len(w.page.Exports) == w.limit {
			break
		}
	}
	return last, nil
}

// wants tells whether an entry is worth reading its manifest.
func (w *recent) wants(e manifest.Line) bool {
	if e.Ending.ImageID != "" {
		return e.Ending.Destination == w.settings.Destination && w.filter.may(e.Ending)
	}
	return e.Marker.Destination == w.settings.Destination
}

// belongs tells whether an entry is not one that was left behind. A manifest may be older than a marker for a moment, so any
// marker fits an export that is not over.
func belongs(e manifest.Line, m *manifest.Manifest) bool {
	ending, over := manifest.EndingOf(m)
	return over == (e.Ending.ImageID != "") && ending == e.Ending
}
