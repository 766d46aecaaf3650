package main

import (
	"context"

	"github.com/spf13/cobra"

	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/words"
)

// A story is all that is known of an export.
type story struct {
	ImageID string `json:"imageId"`
	// Export is the newest revision that can be read; nil when none can.
	Export    *manifest.Manifest `json:"export"`
	Revisions []revision         `json:"revisions"`
	// Hold is why nothing is submitted for now, if the export waits for that.
	Hold *manifest.Hold `json:"hold,omitempty"`
	// Restores are those of this export, Rehearsals what was shown by the ones that were deleted again.
	Restores   []*restore.Record   `json:"restores,omitempty"`
	Rehearsals *restore.Rehearsals `json:"rehearsals,omitempty"`
}

type revision struct {
	Revision int                `json:"revision"`
	Manifest *manifest.Manifest `json:"manifest,omitempty"`
	Error    string             `json:"error,omitempty"`
}

func newShow(a *app) *cobra.Command {
	var c connection
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show IMAGE",
		Short: "Tell the whole story of an export",
		Long: `Tells the whole story of an export: every revision of its journal, every attempt with ECS's own words, the objects, and what to do
next.

--json prints {"imageId", "export": manifest, "revisions": [{"revision", "manifest", "error"}], "hold", "restores": [record], "rehearsals"}.`,
		Example: `  imageferry show m-bp67acfmxazb4ph4e0vo
  imageferry show m-bp67acfmxazb4ph4e0vo --json | jq '.export.objects'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return someImages(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		ValidArgsFunction: c.completeImages(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := images(args)
			if err != nil {
				return err
			}
			s, err := c.open(cmd.Context(), a)
			if err != nil {
				return err
			}
			t, err := s.story(cmd.Context(), ids[0])
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(t)
			}
			return a.printStory(t)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.register(cmd)
	return cmd
}

func (s *session) story(ctx context.Context, imageID string) (story, error) {
	entries, err := s.ferry.History(ctx, imageID)
	if err != nil {
		return story{}, err
	}
	t := story{ImageID: imageID, Revisions: []revision{}}
	for _, e := range entries {
		r := revision{Revision: e.Revision, Manifest: e.Manifest}
		if e.Err != nil {
			r.Error = words.Safe(e.Err.Error())
		} else {
			t.Export = e.Manifest
		}
		t.Revisions = append(t.Revisions, r)
	}
	if t.Export != nil && t.Export.State == manifest.Queued {
		if t.Hold, err = s.ferry.Hold(ctx); err != nil {
			return t, err
		}
	}
	if t.Restores, err = s.restores().Of(ctx, imageID); err != nil {
		return t, err
	}
	t.Rehearsals, err = s.restores().Rehearsals(ctx, s.settings.Destination, imageID)
	return t, err
}
