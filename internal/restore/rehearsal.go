package restore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// RehearsalV1 names the form of a Rehearsals document.
const RehearsalV1 = "imageferry.rehearsal/v1"

// Rehearsals is what rehearsals have shown of one export. It is a projection: the journal of the restores has it all.
type Rehearsals struct {
	Schema      string               `json:"schema"`
	ImageID     string               `json:"imageId"`
	Destination manifest.Destination `json:"destination"`
	// Last is the newest, Proven the newest that went well.
	Last   Rehearsal  `json:"last"`
	Proven *Rehearsal `json:"proven,omitempty"`
}

// A Rehearsal is the outcome of one.
type Rehearsal struct {
	At time.Time `json:"at"`
	OK bool      `json:"ok"`
	// ExportRevision is the revision of the export's journal that was restored.
	ExportRevision int    `json:"exportRevision"`
	Reason         string `json:"reason,omitempty"`
	Remedy         string `json:"remedy,omitempty"`
	Detail         string `json:"detail,omitempty"`
	// Restore and Revision name the record that tells the rest.
	Restore  string `json:"restore"`
	Revision int    `json:"revision"`
	// Took is from the beginning to the comparison.
	Took time.Duration `json:"tookNs"`
}

// recordRehearsal puts the outcome beside the export. Rehearsals of one export come one after the other: they have one name.
func (r *Restorer) recordRehearsal(ctx context.Context, head *Record) error {
	if head.Ends.State == Cancelled {
		return nil
	}
	at := head.UpdatedAt
	if head.Verification != nil {
		at = head.Verification.VerifiedAt
	}
	last := Rehearsal{
		At: at, OK: head.Ends.State == Rehearsed, ExportRevision: head.Source.Revision, Reason: head.Ends.Reason,
		Remedy: reasons[head.Ends.Reason].Remedy, Detail: head.Ends.Detail, Restore: head.Name, Revision: head.Revision + 1,
		Took: at.Sub(head.BegunAt),
	}
	before, err := r.Rehearsals(ctx, head.Source.Destination, head.Source.Image.ID)
	if err != nil {
		return err
	}
	if before != nil && before.Last.Restore == last.Restore && before.Last.Revision >= last.Revision {
		return nil // this process was frozen, and others have gone on
	}
	all := Rehearsals{Schema: RehearsalV1, ImageID: head.Source.Image.ID, Destination: head.Source.Destination, Last: last}
	if before != nil {
		all.Proven = before.Proven
	}
	if last.OK {
		all.Proven = &last
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode rehearsal: %w", err)
	}
	key := r.settings.Layout.Rehearsal(head.Source.Destination, head.Source.Image.ID)
	if err := r.Store.Put(ctx, key, append(data, '\n')); err != nil {
		return fmt.Errorf("write rehearsal of %s: %w", head.Source.Image.ID, err)
	}
	return nil
}

// Rehearsals reads what rehearsals have shown of an export; nil when there was none, or none that can be decoded.
func (r *Restorer) Rehearsals(ctx context.Context, d manifest.Destination, imageID string) (*Rehearsals, error) {
	data, err := r.Store.Get(ctx, r.settings.Layout.Rehearsal(d, imageID))
	if errors.Is(err, manifest.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read rehearsal of %s: %w", imageID, err)
	}
	var all Rehearsals
	if json.Unmarshal(data, &all) != nil || all.Schema != RehearsalV1 || all.ImageID != imageID || all.Destination != d {
		return nil, nil
	}
	return &all, nil
}

// AllRehearsals reads what rehearsals have shown of all exports to a destination, by image. It reads only where there was one.
func (r *Restorer) AllRehearsals(ctx context.Context, d manifest.Destination) (map[string]*Rehearsals, error) {
	all := map[string]*Rehearsals{}
	var mu sync.Mutex
	for after := ""; ; {
		ids, more, err := manifest.Rehearsed(ctx, r.Store, r.settings.Layout, d, after, maxPage)
		if err != nil {
			return nil, fmt.Errorf("list rehearsals: %w", err)
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(16)
		for _, id := range ids {
			g.Go(func() error {
				one, err := r.Rehearsals(gctx, d, id)
				if one != nil {
					mu.Lock()
					defer mu.Unlock()
					all[id] = one
				}
				return err
			})
		}
		if err := g.Wait(); err != nil || !more || len(ids) == 0 {
			return all, err
		}
		after = ids[len(ids)-1]
	}
}
