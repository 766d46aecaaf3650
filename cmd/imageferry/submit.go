package main

import (
	"github.com/spf13/cobra"
)

func newSubmit(a *app) *cobra.Command {
	var c connection
	var w waiting
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "submit IMAGE...",
		Short: "Export images",
		Long: `Exports images: checks bucket and image, asks ECS, and writes down what came of it. An image that has an export already is left
as it is. What cannot be done now is queued, and goes on by itself where the function is deployed, or with imageferry follow.

With --wait it follows the exports until each has ended, and the exit status is 2 when one ended other than exported. Ctrl-C
ends the waiting, never an export.

--json prints {"results": [{"imageId", "name", "state", "reason", "remedy", "detail", "taskId", "dueAt", "revision", "new", "error"}]}.`,
		Example: `  imageferry submit m-bp67acfmxazb4ph4e0vo
  imageferry submit m-bp67acfmxazb4ph4e0vo m-bp67acfmxazb4ph4e0vp --wait --timeout 6h
  imageferry submit m-bp67acfmxazb4ph4e0vo --force --json`,
		Args: someImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := images(args)
			if err != nil {
				return err
			}
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			return s.orderAndWait(cmd.Context(), ids, s.submitted("submit", force), w, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&force, "force", false, "export again, whatever came of it before")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	w.register(cmd)
	c.register(cmd)
	return cmd
}

func newRetry(a *app) *cobra.Command {
	var c connection
	var w waiting
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "retry IMAGE...",
		Short: "Export images again that have an export",
		Long: `Exports images again, whatever came of it before: exported, skipped, failed, cancelled or queued. The journal records who asked.

--json prints what imageferry submit --json prints.`,
		Example: `  imageferry retry m-bp67acfmxazb4ph4e0vo --wait
  imageferry list --state failed --json | jq -r '.exports[].image.id' | xargs imageferry retry`,
		Args:              someImages,
		ValidArgsFunction: c.completeImages(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := images(args)
			if err != nil {
				return err
			}
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			return s.orderAndWait(cmd.Context(), ids, s.retried("retry"), w, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	w.register(cmd)
	c.register(cmd)
	return cmd
}

func newCancel(a *app) *cobra.Command {
	var c connection
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cancel IMAGE...",
		Short: "Stop exports",
		Long: `Stops exports: the task in ECS if there is one, and what is queued. What has ended stays as it is, and is an error.

--json prints what imageferry submit --json prints.`,
		Example:           `  imageferry cancel m-bp67acfmxazb4ph4e0vo`,
		Args:              someImages,
		ValidArgsFunction: c.completeImages(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := images(args)
			if err != nil {
				return err
			}
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			all, err := carryOut(cmd.Context(), ids, s.cancelled)
			if verdict := all.report(a, asJSON); verdict != nil && verdict != errUnmet {
				return verdict // that they are cancelled is what was asked for
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.register(cmd)
	return cmd
}
