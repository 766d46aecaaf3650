package export

import (
	"context"

	"imageferry/internal/manifest"
)

// An inventory is every image that has an export at the destination, and whether it is exported.
type inventory map[string]bool

// inventory is taken from the index, which says more than the manifests' keys at the same cost; from those, if the index is
// not whole and only to be read.
func (f *Ferry) inventory(ctx context.Context, readOnly bool) (inventory, *tally, error) {
	known := inventory{}
	atWork := map[string]bool{}
	t := newTally(atWork)
	if readOnly {
		complete, err := f.index.Complete(ctx)
		if err != nil {
			return nil, nil, err
		}
		if !complete {
			return known, t, f.eachImage(ctx, func(ids []string) error {
				for _, id := range ids {
					known[id] = false
				}
				return nil
			})
		}
	}
	enter := func(m manifest.Marker) {
		if m.Destination == f.settings.Destination {
			atWork[m.ImageID], known[m.ImageID] = true, false
		}
	}
	err := f.eachMarker(ctx, f.index.Exporting, enter)
	if err == nil {
		err = f.eachMarker(ctx, f.index.Queued, enter)
	}
	if err == nil {
		_, err = f.eachEnding(ctx, maxPages, func(e manifest.Ending) {
			if t.add(e) {
				known[e.ImageID] = e.State == manifest.Exported
			}
		})
	}
	return known, t, err
}

// maxPages is so many that it is no bound.
const maxPages = 1 << 30

// eachEnding calls do with the exports of the destination that are over, the newest first, and tells whether there are more
// than that many pages.
func (f *Ferry) eachEnding(ctx context.Context, pages int, do func(manifest.Ending)) (more bool, err error) {
	var after manifest.Ending
	for range pages {
		page, more, err := f.index.Ended(ctx, after)
		if err != nil {
			return false, err
		}
		for _, e := range page {
			if e.Destination == f.settings.Destination {
				do(e)
			}
		}
		if !more {
			return false, nil
		}
		after = page[len(page)-1]
	}
	return true, nil
}

// A tally counts exports that are over.
type tally struct {
	states  map[manifest.State]int
	reasons map[string]int
	bytes   int64
	seen    map[string]bool
}

// newTally begins with the images of which no end is counted: those at work.
func newTally(atWork map[string]bool) *tally {
	return &tally{states: map[manifest.State]int{}, reasons: map[string]int{}, seen: atWork}
}

// add counts an export as it ended last, which is told first: the entry of an earlier end may have been left behind.
func (t *tally) add(e manifest.Ending) bool {
	if t.seen[e.ImageID] {
		return false
	}
	t.seen[e.ImageID] = true
	t.states[e.State]++
	t.bytes += e.Bytes
	if e.Reason != "" {
		t.reasons[e.Reason]++
	}
	return true
}
