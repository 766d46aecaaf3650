package export

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// History reads the whole journal of an export, oldest revision first: ErrUnknown when there is none.
func (f *Ferry) History(ctx context.Context, imageID string) ([]manifest.Entry, error) {
	entries, err := f.journal.History(ctx, f.settings.Destination, imageID)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil, fmt.Errorf("read history of %s: %w", imageID, ErrUnknown)
	}
	return entries, err
}

// An Export is what is published of one export: its manifest, or the reason why that cannot be read.
type Export struct {
	ImageID  string
	Manifest *manifest.Manifest // nil when Reason is set
	Reason   string             // journal-unreadable or journal-newer
	Remedy   string
	Detail   string
}

// Exports walks over the published manifests of the destination in the order of their image ids, from the one after the
// id given (empty: from the first). It ends with the first error. A manifest may be a moment older than its journal.
func (f *Ferry) Exports(ctx context.Context, after string) iter.Seq2[Export, error] {
	return func(yield func(Export, error) bool) {
		for {
			ids, more, err := f.journal.Images(ctx, f.settings.Destination, after, maxListLimit)
			if err != nil {
				yield(Export{}, fmt.Errorf("walk over exports: %w", err))
				return
			}
			exports, err := f.readExports(ctx, ids)
			if err != nil {
				yield(Export{}, fmt.Errorf("walk over exports: %w", err))
				return
			}
			for _, e := range exports {
				if e.ImageID != "" && !yield(e, nil) {
					return
				}
			}
			if !more || len(ids) == 0 {
				return
			}
			after = ids[len(ids)-1]
		}
	}
}

// readExports reads the manifests of images; one that is gone since the listing stays the zero Export.
func (f *Ferry) readExports(ctx context.Context, ids []string) ([]Export, error) {
	lines, err := f.published(ctx, ids)
	if err != nil {
		return nil, err
	}
	exports := make([]Export, len(ids))
	for i, line := range lines {
		if r := line.quarantined; line.manifest != nil || r.Reason != "" {
			exports[i] = Export{ImageID: ids[i], Manifest: line.manifest, Reason: r.Reason, Remedy: r.Remedy, Detail: r.Detail}
		}
	}
	return exports, nil
}

// An Activity is what is at work, as the index has it.
type Activity struct {
	// Exporting counts the tasks that run, Queued the exports that wait or are being submitted.
	Exporting int `json:"exporting"`
	Queued    int `json:"queued"`
	// NextDue is when the first of the queued is worked on again.
	NextDue *time.Time `json:"nextDue,omitempty"`
}

// Activity counts the exports at work in this region. Markers that do not fit what is published are left out: the next
// drain removes them.
func (f *Ferry) Activity(ctx context.Context) (Activity, error) {
	var a Activity
	var queued []manifest.Marker
	err := f.eachMarker(ctx, f.index.Exporting, func(manifest.Marker) { a.Exporting++ })
	if err == nil {
		err = f.eachMarker(ctx, f.index.Queued, func(m manifest.Marker) { queued = append(queued, m) })
	}
	if err == nil {
		queued, err = f.fitting(ctx, queued)
	}
	if err != nil {
		return Activity{}, fmt.Errorf("count exports at work: %w", err)
	}
	if a.Queued = len(queued); a.Queued > 0 {
		a.NextDue = &queued[0].Due
	}
	return a, nil
}

// fitting leaves the markers that the published manifests call for. An export that is being submitted for the first time
// has none yet, and counts.
func (f *Ferry) fitting(ctx context.Context, markers []manifest.Marker) ([]manifest.Marker, error) {
	fits := make([]bool, len(markers))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, marker := range markers {
		g.Go(func() error {
			m, err := f.journal.Published(gctx, marker.Destination, marker.ImageID)
			if errors.Is(err, manifest.ErrNotFound) {
				fits[i] = true
				return nil
			}
			if err != nil {
				_, err = unreadable(marker.ImageID, err)
				return err
			}
			wanted, ok := manifest.MarkerOf(m)
			fits[i] = ok && wanted == marker
			return nil
		})
	}
	err := g.Wait()
	var left []manifest.Marker
	for i, marker := range markers {
		if fits[i] {
			left = append(left, marker)
		}
	}
	return left, err
}

type markerPage func(context.Context, manifest.Marker) (markers []manifest.Marker, more bool, err error)

// eachMarker calls do with the markers of this region, page by page.
func (f *Ferry) eachMarker(ctx context.Context, page markerPage, do func(manifest.Marker)) error {
	var after manifest.Marker
	for {
		markers, more, err := page(ctx, after)
		if err != nil {
			return err
		}
		for _, m := range inRegion(markers, f.settings.Destination.Region) {
			do(m)
		}
		if !more {
			return nil
		}
		after = markers[len(markers)-1]
	}
}

// Hold is why nothing is submitted for now; nil when nothing is held.
func (f *Ferry) Hold(ctx context.Context) (*manifest.Hold, error) { return f.index.Hold(ctx) }
