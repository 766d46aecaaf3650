package page

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// A Ferry is the domain as a Source.
type Ferry struct {
	*export.Ferry
	// To is the destination that it was made for.
	To manifest.Destination
	// Restores reads the restores, and what rehearsals have shown; nil reads nothing.
	Restores *restore.Restorer
}

// maxAsked bounds how many tasks are asked for their progress at a look: ECS tells it of one task a call.
const maxAsked = 20

// Progress asks ECS how far the first of the tasks are; of the others nothing is known. With an error comes what was learnt
// before it: a call that was throttled ends the asking.
func (f Ferry) Progress(ctx context.Context, taskIDs []string) (map[string]int, error) {
	var mutex sync.Mutex
	percents := map[string]int{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(5)
	for _, id := range taskIDs[:min(len(taskIDs), maxAsked)] {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			detail, found, err := f.Tasks.Detail(gctx, id)
			if err != nil || !found {
				return err
			}
			if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(detail.Progress), "%")); err == nil {
				mutex.Lock()
				defer mutex.Unlock()
				percents[id] = min(max(n, 0), 100)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return percents, fmt.Errorf("ask for the progress of tasks: %w", err)
	}
	return percents, nil
}

// Rehearsals reads what rehearsals have shown of an export, with one call.
func (f Ferry) Rehearsals(ctx context.Context, imageID string) (*restore.Rehearsals, error) {
	if f.Restores == nil {
		return nil, nil
	}
	return f.Restores.Rehearsals(ctx, f.To, imageID)
}

// AtWork reads the restores that have not ended: one list call, and some for each.
func (f Ferry) AtWork(ctx context.Context) ([]*restore.Record, error) {
	if f.Restores == nil {
		return nil, nil
	}
	return f.Restores.AtWork(ctx)
}

// RestoresOf reads the restores of an export.
func (f Ferry) RestoresOf(ctx context.Context, imageID string) ([]*restore.Record, error) {
	if f.Restores == nil {
		return nil, nil
	}
	return f.Restores.Of(ctx, imageID)
}

// Destination is To.
func (f Ferry) Destination() manifest.Destination { return f.To }
