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
		manifests, err := f.published(ctx, ids)
		if err != nil {
			return Page{}, fmt.Errorf("list exports: %w", err)
		}
		for i, m := range manifests {
			if m != nil && (o.State == "" || m.State == o.State) {
				page.Exports = append(page.Exports, m)
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

// published reads the manifests of images; one that cannot be read is nil and logged.
func (f *Ferry) published(ctx context.Context, ids []string) ([]*manifest.Manifest, error) {
	manifests := make([]*manifest.Manifest, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, id := range ids {
		g.Go(func() error {
			m, err := f.journal.Published(gctx, f.settings.Destination, id)
			switch {
			case err == nil:
				manifests[i] = m
			case errors.Is(err, manifest.ErrUnreadable), errors.Is(err, manifest.ErrNewer), errors.Is(err, manifest.ErrNotFound):
				f.log.WarnContext(ctx, "manifest is unreadable", "imageId", id, "error", err.Error())
			default:
				return err
			}
			return nil
		})
	}
	return manifests, g.Wait()
}
