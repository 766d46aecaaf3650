package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imageferry/internal/manifest"
)

// completeImages offers the ids of images that have an export: one listing, and nothing when it takes long or fails.
func (c *connection) completeImages(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 2*time.Second)
		defer cancel()
		s, err := c.open(ctx, a)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ids, _, err := s.journal.Images(ctx, s.settings.Destination, "", 1000)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var fitting []cobra.Completion
		for _, id := range ids {
			if manifest.ValidImageID(id) && strings.HasPrefix(id, begun) {
				fitting = append(fitting, id)
			}
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	}
}
