package pagetest

import (
	"context"
	"fmt"

	"imageferry/internal/manifest"
)

// Fill writes the exports, the hold and the heartbeats into a store as imageferry leaves them there: journals, manifests and
// the index.
func (s *Memory) Fill(ctx context.Context, store manifest.Store, layout manifest.Layout) error {
	journal, index := manifest.NewJournal(store, layout), manifest.NewIndex(store, layout)
	for _, head := range s.heads() {
		entries, err := s.History(ctx, head.Image.ID)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := journal.Append(ctx, e.Manifest); err != nil {
				return fmt.Errorf("fill store: %w", err)
			}
		}
		if err := journal.Publish(ctx, head); err != nil {
			return fmt.Errorf("fill store: %w", err)
		}
		if err := enter(ctx, index, head); err != nil {
			return fmt.Errorf("fill store: %w", err)
		}
	}
	if s.Hold != nil {
		if err := index.PutHold(ctx, *s.Hold); err != nil {
			return fmt.Errorf("fill store: %w", err)
		}
	}
	for _, h := range s.Heartbeats {
		if err := index.PutHeartbeat(ctx, h); err != nil {
			return fmt.Errorf("fill store: %w", err)
		}
	}
	return index.SetComplete(ctx)
}

func enter(ctx context.Context, index *manifest.Index, head *manifest.Manifest) error {
	if ending, over := manifest.EndingOf(head); over {
		return index.PutEnding(ctx, ending)
	}
	marker, ok := manifest.MarkerOf(head)
	if !ok {
		return fmt.Errorf("revision %d of %s has no place in the index", head.Revision, head.Image.ID)
	}
	return index.Put(ctx, marker)
}
