package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// restoring is what a restore may do.
type restoring struct {
	options                       restore.Options
	rehearse, dryRun, force, json bool
	cancel                        bool
	wait                          waiting
}

func newRestore(a *app) *cobra.Command {
	var c connection
	var o restoring
	cmd := &cobra.Command{
		Use:   "restore IMAGE|FILE|URL|-",
		Short: "Bring an exported image back, or rehearse that",
		Long: `Brings an exported image back to ECS: checks its objects against the manifest, unpacks what ECS cannot import as it is (from OSS to
OSS, nothing is stored here), imports the disks, and compares the image with the manifest. The manifest is that of IMAGE, or a FILE,
"-" for standard input, or an https:// or oss://bucket/key URL: the account that made it may be gone.

The restore is written down in the journal beside the exports. Whoever dies on the way, another restore of the same name goes on
where that was, and asks ECS for no second image. Without --wait it ends when ECS has accepted the import: run it again, or with
--wait, to see to the rest. Ctrl-C ends what runs here; what is done is kept for the next time.

--dry-run prints the plan: every value, and where it came from. --rehearse restores under a temporary name, compares the image
with the manifest, deletes it again, and writes down since when the export is proven to be restorable; the IMAGE may be "random".

The objects have to be in the region that the image is restored to, and so has the bucket of the journal, --bucket. When objects are
elsewhere, the plan says what has to be copied, with a command for each; --objects-bucket names the bucket that has the copies, by
default --bucket. They are compared with the manifest.

--json prints {"restore": record}, with --dry-run {"plan": plan}.`,
		Example: `  imageferry restore m-bp67acfmxazb4ph4e0vo --dry-run
  imageferry restore m-bp67acfmxazb4ph4e0vo --name web-01-restored --wait
  imageferry restore manifest.json --region cn-beijing --bucket my-copies --wait
  imageferry restore --rehearse random`,
		Args:              o.args,
		ValidArgsFunction: c.completeImages(a),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			if o.rehearse {
				o.wait.wait = true
			}
			if err := o.wait.check(s.local); err != nil {
				return err
			}
			if err := s.checkRegion(cmd.Context(), args, o.cancel); err != nil {
				return err
			}
			m, err := s.manifestOf(cmd.Context(), args)
			if err != nil {
				return err
			}
			return s.restore(cmd.Context(), m, o)
		},
	}
	o.register(cmd)
	c.register(cmd)
	return cmd
}

func (o *restoring) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.options.Name, "name", "", "`name` of the image to make, by default that of the exported one")
	flags.StringVar(&o.options.Role, "role", "", "RAM role that ECS reads the objects with (AliyunECSImageImportDefaultRole)")
	flags.StringVar(&o.options.ResourceGroupID, "resource-group", "", "`id` of the image's resource group, or default")
	flags.StringVar(&o.options.ObjectsBucket, "objects-bucket", "", "`bucket` that holds the objects now, under the same keys")
	flags.BoolVar(&o.options.KeepTemporary, "keep-temporary", false, "leave the unpacked objects in the bucket")
	flags.BoolVar(&o.rehearse, "rehearse", false, "restore under a temporary name, compare, and delete again")
	flags.BoolVar(&o.dryRun, "dry-run", false, "show the plan, and do nothing")
	flags.BoolVar(&o.force, "force", false, "restore again, although the restore of this name was successful")
	flags.BoolVar(&o.cancel, "cancel", false, "stop the restore of this name, and remove what it has made")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	o.wait.register(cmd)
	cmd.MarkFlagsMutuallyExclusive("dry-run", "cancel", "wait")
	cmd.MarkFlagsMutuallyExclusive("rehearse", "name")
	cmd.MarkFlagsMutuallyExclusive("rehearse", "keep-temporary")
}

// args wants one source; a rehearsal without one takes any.
func (o *restoring) args(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && o.rehearse {
		return nil
	}
	if len(args) != 1 {
		return usage(errors.New("restore needs one image, file or URL of a manifest"))
	}
	if args[0] == anyImage && !o.rehearse {
		return usage(errors.New("random goes with --rehearse"))
	}
	return nil
}

// restores is the domain of restores, with the session's credentials and configuration.
func (s *session) restores() *restore.Restorer {
	settings := s.config.Restores(s.settings.Destination.Region, s.caller.AccountID)
	settings.CopiesBucket = s.config.Bucket
	return restore.New(s.cloud.Restores(s.config.ManifestBucket), settings, s.now, s.log)
}

func (s *session) restore(ctx context.Context, m *manifest.Manifest, o restoring) error {
	r := s.restores()
	o.options.Rehearsal = o.rehearse
	if o.cancel {
		record, err := r.Cancel(ctx, r.Plan(m, o.options).Name, s.trigger("restore"))
		if err != nil {
			return err
		}
		return s.printRestored(record, o.json)
	}
	plan, err := s.plan(ctx, r, m, o)
	if err != nil {
		return err
	}
	if o.dryRun || len(plan.Problems) > 0 {
		if err := s.printPlan(plan, o.json); err != nil {
			return err
		}
		if len(plan.Problems) > 0 {
			return errUnmet
		}
		return nil
	}
	record, err := s.carry(ctx, r, restore.Order{Plan: plan, Trigger: s.trigger("restore"), Again: true, Force: o.force}, o.wait)
	if record != nil {
		if printErr := s.printRestored(record, o.json); printErr != nil {
			return printErr
		}
	}
	if err != nil {
		return err
	}
	return verdictOn(record)
}

// checkRegion refuses what has to be looked up in a journal of another region.
func (s *session) checkRegion(ctx context.Context, args []string, cancel bool) error {
	if !cancel && len(args) == 1 && args[0] != anyImage && !manifest.ValidImageID(args[0]) {
		return nil // a manifest from elsewhere: the plan tells the rest
	}
	elsewhere := s.restores().JournalElsewhere(ctx, s.config.ManifestBucket)
	if elsewhere == nil {
		return nil
	}
	return usage(advised{fmt.Errorf("%s: %s", elsewhere.Reason, elsewhere.Detail), elsewhere.Remedy +
		"\n  The manifest is in the journal of its own region: imageferry show IMAGE --json | jq .export > manifest.json, then restore that file."})
}

// plan plans what was asked for, and checks it: all of it for a dry run, and else what the domain asks for before it begins.
func (s *session) plan(ctx context.Context, r *restore.Restorer, m *manifest.Manifest, o restoring) (*restore.Plan, error) {
	elsewhere := r.JournalElsewhere(ctx, s.config.ManifestBucket)
	if elsewhere == nil && !o.dryRun {
		return r.Consider(ctx, m, o.options, o.force)
	}
	plan := r.Plan(m, o.options)
	if elsewhere != nil {
		plan.Problems = append(plan.Problems, *elsewhere)
	}
	r.Check(ctx, plan)
	return plan, nil
}

// carry runs an order, and, if that was asked for, goes on until the restore has ended.
func (s *session) carry(ctx context.Context, r *restore.Restorer, order restore.Order, w waiting) (*restore.Record, error) {
	view := s.newRestoreView(order.Plan.Name)
	defer view.stop()
	order.Watch = view.unpacking
	record, err := r.Run(ctx, order)
	if record == nil {
		return nil, err
	}
	view.show(record, 0)
	switch {
	case ctx.Err() != nil:
		return record, errInterrupted
	case !w.wait, err == nil && record.State.Terminal(), errors.Is(err, restore.ErrState):
		return record, err
	}
	err = s.repeat(ctx, w, func(ctx context.Context) (bool, error) {
		within, cancel := undated(ctx)
		defer cancel()
		next, err := r.Resume(within, record.Name, view.unpacking)
		if next != nil {
			record = next
		}
		if err == nil {
			view.show(record, s.importPercent(ctx, record))
		}
		return err == nil && record.State.Terminal(), err
	})
	if errors.Is(err, errTimeout) {
		view.stop()
		s.note("it has not ended within %s: run it again to go on", w.timeout)
		return record, errUnmet
	}
	return record, err
}

// undated ends with ctx, and has no deadline: a person who waits no longer ends what runs, and plans nothing by it.
func undated(ctx context.Context) (context.Context, context.CancelFunc) {
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	return within, func() { stop(); cancel() }
}

// importPercent is for people: that it cannot be had is no trouble.
func (s *session) importPercent(ctx context.Context, record *restore.Record) int {
	if record.State != restore.Importing || record.Image.TaskID == "" {
		return 0
	}
	detail, found, err := s.ferry.Tasks.Detail(ctx, record.Image.TaskID)
	if err != nil || !found {
		return 0
	}
	return percentOf(detail.Progress)
}

// verdictOn is nil when the image is there, or on its way without anybody here.
func verdictOn(record *restore.Record) error {
	switch record.State {
	case restore.Failed, restore.Cancelled, restore.Queued:
		return errUnmet
	}
	return nil
}
