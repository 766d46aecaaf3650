package export

import (
	"context"
	"maps"
	"slices"
	"strings"

	"imageferry/internal/manifest"
)

// An inventory is every image that has an export at the destination, and whether it is exported.
type inventory map[string]bool

// inventory is taken from the index, which says more than the manifests' keys at the same cost; from those, if the index is
// not whole and only to be read.
func (f *Ferry) inventory(ctx context.Context, readOnly bool) (inventory, *tally, error) {
	known := inventory{}
	t := newTally(known)
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
			t.enter(m)
		}
	}
	err := f.eachMarker(ctx, f.index.Exporting, enter)
	if err == nil {
		err = f.eachMarker(ctx, f.index.Queued, enter)
	}
	if err == nil {
		_, err = f.eachEnding(ctx, maxPages, t.add)
	}
	if err == nil {
		err = f.resolve(ctx, t)
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
	// seen is whether the end of an image's export that was counted is a good one; images at work are in it, too.
	seen map[string]bool
	// atWork are the images with a marker; the value tells whether that is one of a task.
	atWork map[string]bool
	// doubtful are the newest ends of images that are at work by their markers: they have begun again, or a marker was left
	// behind, as every duplicate event leaves one for a minute.
	doubtful map[string]manifest.Ending
}

// newTally returns a tally that puts the images which it counts into seen.
func newTally(seen map[string]bool) *tally {
	return &tally{states: map[manifest.State]int{}, reasons: map[string]int{}, seen: seen, atWork: map[string]bool{},
		doubtful: map[string]manifest.Ending{}}
}

// enter takes an export for one at work.
func (t *tally) enter(m manifest.Marker) {
	// The id alone: as it comes, it holds the whole key, with up to a hundred thousand others, in memory.
	id := strings.Clone(m.ImageID)
	t.seen[id], t.atWork[id] = false, m.TaskID != ""
}

// add counts an export as it ended last, which is told first: the entry of an earlier end may have been left behind.
func (t *tally) add(e manifest.Ending) {
	if _, counted := t.seen[e.ImageID]; counted {
		_, working := t.atWork[e.ImageID]
		if _, known := t.doubtful[e.ImageID]; working && !known {
			t.doubtful[e.ImageID] = e
		}
		return
	}
	t.seen[strings.Clone(e.ImageID)] = e.State == manifest.Exported
	t.states[e.State]++
	t.bytes += e.Bytes
	if e.Reason != "" {
		t.reasons[e.Reason]++
	}
}

// maxDoubtful bounds how many manifests are read to resolve doubts.
const maxDoubtful = 200

// resolve counts the doubtful ends that their manifests confirm, whose images are no longer at work then.
func (f *Ferry) resolve(ctx context.Context, t *tally) error {
	ids := slices.Sorted(maps.Keys(t.doubtful))
	ids = ids[:min(len(ids), maxDoubtful)]
	lines, err := f.published(ctx, ids)
	for i, id := range ids {
		if m := lines[i].manifest; m == nil || !m.State.Terminal() {
			continue
		}
		delete(t.seen, id)
		delete(t.atWork, id)
		t.add(t.doubtful[id])
	}
	return err
}
