package export

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// Get reads the newest revision of an export: ErrUnknown when there is none.
func (f *Ferry) Get(ctx context.Context, imageID string) (*manifest.Manifest, error) {
	head, err := f.journal.Head(ctx, f.settings.Destination, imageID)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil, fmt.Errorf("get export of %s: %w", imageID, ErrUnknown)
	}
	return head, err
}

const (
	defaultListLimit = 50
	maxListLimit     = 100
	// maxListReads bounds how many manifests one filtered page may cost.
	maxListReads = 500
)

// List reads a page of manifests in the order of the image ids.
func (f *Ferry) List(ctx context.Context, o ListOrder) (Page, error) {
	limit := o.Limit
	if limit <= 0 {
		limit = defaultListLimit
	}
	limit = min(limit, maxListLimit)
	page := Page{Exports: []*manifest.Manifest{}}
	cursor := o.Cursor
	for reads := 0; reads < maxListReads; {
		ids, more, err := f.journal.Images(ctx, f.settings.Destination, cursor, limit)
		if err != nil {
			return Page{}, fmt.Errorf("list exports: %w", err)
		}
		reads += len(ids)
		lines, err := f.published(ctx, ids)
		if err != nil {
			return Page{}, fmt.Errorf("list exports: %w", err)
		}
		for i, line := range lines {
			switch m := line.manifest; {
			case m != nil && (o.State == "" || m.State == o.State):
				page.Exports = append(page.Exports, m)
			case m == nil && line.quarantined.Reason != "" && o.State == "":
				page.Unreadable = append(page.Unreadable, line.quarantined)
			}
			cursor = ids[i]
			if len(page.Exports) == limit {
				if more || i < len(ids)-1 {
					page.Cursor = cursor
				}
				return page, nil
			}
		}
		if !more {
			return page, nil
		}
	}
	page.Cursor = cursor
	return page, nil
}

// A listed export is its manifest, or the reason why there is none to show, or neither when there is no such export.
type listed struct {
	manifest    *manifest.Manifest
	quarantined Result
}

// published reads the manifests of images.
func (f *Ferry) published(ctx context.Context, ids []string) ([]listed, error) {
	lines := make([]listed, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, id := range ids {
		g.Go(func() (err error) { lines[i], err = f.line(gctx, id); return })
	}
	return lines, g.Wait()
}

// line reads one manifest. Where that is damaged the journal decides: it is the truth, and the manifest a copy.
func (f *Ferry) line(ctx context.Context, imageID string) (listed, error) {
	m, err := f.journal.Published(ctx, f.settings.Destination, imageID)
	if errors.Is(err, manifest.ErrUnreadable) || errors.Is(err, manifest.ErrNewer) {
		f.log.WarnContext(ctx, "manifest is unreadable", "imageId", imageID, "error", err.Error())
		m, err = f.journal.Head(ctx, f.settings.Destination, imageID)
	}
	switch {
	case err == nil:
		return listed{manifest: m}, nil
	case errors.Is(err, manifest.ErrNotFound):
		return listed{}, nil // somebody else's object, or gone since the listing
	}
	r, err := unreadable(imageID, err)
	return listed{quarantined: r}, err
}
