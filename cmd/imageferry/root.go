package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"imageferry/internal/version"
)

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "imageferry",
		Short: "Exports ECS custom images to OSS, and knows which are safe",
		Long: `Imageferry exports ECS custom images to OSS, and knows which are safe.

The commands work with your own credentials, straight against ECS and OSS, whether the function is deployed or not: they read
and write the same journal. Configure them as the function, by the FERRY_... variables, or by flags.

Credentials come from --profile of the aliyun command line, or from where the SDK looks: ALIBABA_CLOUD_ACCESS_KEY_ID and
ALIBABA_CLOUD_ACCESS_KEY_SECRET, the current profile, the role of the instance. The region comes from --region,
ALIBABA_CLOUD_REGION_ID, or the profile.

To try everything without an account, run imageferry local in one terminal and give --local URL, or set IMAGEFERRY_LOCAL, in
another.

` + exitHelp,
		Example: `  imageferry submit m-bp67acfmxazb4ph4e0vo --wait --region cn-hangzhou --bucket my-exports
  imageferry list --state failed
  imageferry report --require 100% --max-age 24h`,
		Version:       version.Current,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetUsageFunc(printUsage)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(
		newSubmit(a), newList(a), newShow(a), newFollow(a), newSweep(a), newCancel(a), newRetry(a), newRestore(a), newReport(a),
		newDoctor(a), newUI(a), newLocal(), newVersion(a),
	)
	for _, cmd := range root.Commands() {
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true // cobra has found nothing wrong with flags and arguments
			return run(cmd, args)
		}
	}
	return root
}

// printUsage sets the flags that say where and as whom a command works apart from its own.
func printUsage(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage:\n  %s\n", cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", cmd.CommandPath())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				fmt.Fprintf(&b, "  %-*s %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	own, where := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Annotations[connectionFlag]; ok {
			where.AddFlag(f)
		} else {
			own.AddFlag(f)
		}
	})
	if own.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", own.FlagUsages())
	}
	if where.HasAvailableFlags() {
		fmt.Fprintf(&b, "\nWhere, and as whom:\n%s", where.FlagUsages())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s [command] --help tells more about a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStdout(), b.String())
	return err
}
