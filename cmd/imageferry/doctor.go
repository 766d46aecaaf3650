package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imageferry/internal/alicloud"
	"imageferry/internal/config"
	"imageferry/internal/doctor"
	"imageferry/internal/words"
)

func newDoctor(a *app) *cobra.Command {
	var c connection
	var o doctor.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that has to be true, before and after a deployment",
		Long: `Checks the configuration, your credentials, the region, both buckets, both roles, your own permissions, the timers, the queue,
and whether the journal, the manifests and the objects agree. For each it prints ok, problem or unknown, what was seen, and the
commands or console steps that repair it. It changes nothing; --write-probe writes and removes one object.

The exit status is 0 when nothing is a problem, 2 when something is, and 1 when nothing could be checked.

--json prints {"at", "region", "accountId", "findings": [{"check", "about", "status", "seen", "repair": []}], "ok", "problems",
"unknown"}.`,
		Example: `  imageferry doctor --region cn-hangzhou --bucket my-exports
  imageferry doctor --deep --json | jq -r '.findings[] | select(.status == "problem") | .repair[]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := c.examine(cmd.Context(), a, o)
			if err != nil {
				return err
			}
			return a.printReport(report, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	flags.BoolVar(&o.Deep, "deep", false, "compare every export and every object, not only the newest")
	flags.BoolVar(&o.WriteProbe, "write-probe", false, "write, and remove, one object under active/ to see that writes are create-only")
	flags.StringVar(&o.FunctionRole, "function-role", "imageferry", "`name` of the function's role")
	flags.StringVar(&o.FailureQueue, "failure-queue", "imageferry-failed", "`name` of the MNS queue in the function's policy")
	flags.DurationVar(&o.FollowEvery, "follow-every", 5*time.Minute, "period of the timer follow")
	flags.DurationVar(&o.SweepEvery, "sweep-every", time.Hour, "period of the timer sweep")
	flags.DurationVar(&o.MaxExporting, "max-exporting", 24*time.Hour, "how long ECS may work on an export")
	c.register(cmd)
	return cmd
}

// examine makes the report. A configuration that cannot be read is one of its problems.
func (c *connection) examine(ctx context.Context, a *app, o doctor.Options) (doctor.Report, error) {
	s, err := c.open(ctx, a)
	if _, wrong := errors.AsType[config.Problems](err); wrong {
		return doctor.Misconfigured(c.region, err, a.now()), nil
	}
	if err != nil {
		return doctor.Report{}, err
	}
	ram := ""
	if s.local {
		ready, err := fetchReady(ctx, firstOf(c.local, a.getenv("IMAGEFERRY_LOCAL")))
		if err != nil {
			return doctor.Report{}, err
		}
		ram = "http://" + ready.RAMEndpoint
	}
	account, err := alicloud.OpenAccount(s.options, s.sts, ram)
	if err != nil {
		return doctor.Report{}, usage(err)
	}
	o.Region, o.Config, o.Now = s.options.Region, s.config, a.now
	if o.Targets, err = s.doctorTargets(ram); err != nil {
		return doctor.Report{}, usage(err)
	}
	return doctor.New(doctor.Cloud{
		Identities: account, Roles: account, Compute: s.cloud.ECS, Storage: s.cloud.OSS,
		Store: s.cloud.OSS.Store(s.config.ManifestBucket), Exports: s.cloud.OSS.Unpacking(s.config.Bucket),
	}, o).Run(ctx)
}

// doctorTargets are the targets of FERRY_TARGETS, with the roles that the person's credentials may assume.
func (s *session) doctorTargets(ram string) ([]doctor.Target, error) {
	roles, home := alicloud.NewRoles(), s.config
	home.OSSEndpoint = s.options.OSSEndpoint
	var targets []doctor.Target
	for _, t := range s.config.Targets {
		c, options := home.For(t, s.options.Region), s.options
		options.Region, options.ECSEndpoint, options.OSSEndpoint = firstOf(t.Region, options.Region), c.ECSEndpoint, c.OSSEndpoint
		var err error
		if t.Role != "" {
			role := alicloud.Role{ARN: t.Role, ExternalID: string(t.ExternalID), Session: "imageferry-doctor"}
			if options.Credentials, err = roles.Provider(s.options, s.sts, role); err != nil {
				return nil, err
			}
		}
		session, err := alicloud.Open(options)
		if err != nil {
			return nil, err
		}
		account, err := alicloud.OpenAccount(options, s.sts, ram)
		if err != nil {
			return nil, err
		}
		targets = append(targets, doctor.Target{Name: t.Name, Region: options.Region, Config: c, Cloud: doctor.Cloud{
			Identities: account, Roles: account, Compute: session.ECS, Storage: session.OSS, Store: session.OSS.Store(c.ManifestBucket),
		}})
	}
	return targets, nil
}

// printReport prints what the doctor found; problems are errUnmet.
func (a *app) printReport(report doctor.Report, asJSON bool) error {
	if asJSON {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		var text strings.Builder
		_ = report.WriteText(&text) // a Builder does not fail
		for line := range strings.Lines(text.String()) {
			if err := a.printf("%s\n", words.Safe(strings.TrimSuffix(line, "\n"))); err != nil {
				return err
			}
		}
	}
	if report.Problems > 0 {
		return errUnmet
	}
	return nil
}
