package export

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"imageferry/internal/manifest"
)

// choices is how many exports are read until one is found that is still as the index says.
const choices = 10

// AnyExported chooses one of the exported images, each as likely as any other: ErrUnknown when there is none. It reads the index
// instead of the manifests.
func (f *Ferry) AnyExported(ctx context.Context) (*manifest.Manifest, error) {
	for range choices {
		id, err := f.anyEnding(ctx)
		if err != nil {
			return nil, fmt.Errorf("choose an export: %w", err)
		}
		if id == "" {
			break
		}
		m, err := f.Get(ctx, id)
		if err == nil && m.State == manifest.Exported {
			return m, nil
		}
		if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, manifest.ErrUnreadable) && !errors.Is(err, manifest.ErrNewer) {
			return nil, fmt.Errorf("choose an export: %w", err)
		}
	}
	return nil, fmt.Errorf("choose an export: %w", ErrUnknown)
}

// anyEnding is the image of one of the exports that the index says are exported; empty when there is none.
func (f *Ferry) anyEnding(ctx context.Context) (imageID string, err error) {
	seen := 0
	for after := (manifest.Ending{}); ; {
		page, more, err := f.index.Ended(ctx, after)
		if err != nil {
			return "", err
		}
		for _, e := range page {
			if e.State != manifest.Exported || e.Destination != f.settings.Destination {
				continue
			}
			if seen++; rand.IntN(seen) == 0 { // #nosec G404 -- a choice, no secret
				imageID = e.ImageID
			}
		}
		if !more || len(page) == 0 {
			return imageID, nil
		}
		after = page[len(page)-1]
	}
}
