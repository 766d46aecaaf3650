package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/report"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// reporting is what a report is to be like.
type reporting struct {
	output        string
	json          bool
	require       string
	maxAge        age
	ignoreSkipped bool
	rehearsed     age
}

func outputs() []string { return []string{"table", "csv", "json", "markdown"} }

func newReport(a *app) *cobra.Command {
	var c connection
	var r reporting
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Tell which images of the account are exported, and gate on it",
		Long: `Tells for every custom image of the account in the region, in every status, whether it is exported: with age, size, state and
reason. Each image is in one class: exported, pending (queued or under way), missing (nobody has submitted it), failed (given up,
or cancelled), skipped (can never be exported), or excluded (FERRY_SELECT_... and FERRY_EXCLUDE_... do not want it).

Coverage is the share of exported images among the counted ones: all but the excluded ones, and, with --ignore-skipped, but the
skipped ones. --require sets the least coverage; --max-age asks that every counted image older than that is exported;
--require-rehearsal asks that a rehearsal has restored every exported image within that time. The exit status is 2 when that is not so.

-o json prints {"schema", "generatedAt", "accountId", "destination", "summary": {"images", "exported", "pending", "missing", "failed",
"skipped", "excluded", "counted", "ignoresSkipped", "coveragePercent", "exportedBytes", "deleted"}, "gate": {"met", "requirePercent",
"maxAgeSeconds", "rehearsedSeconds", "late", "unproven", "problems"}, "images": [{"imageId", "name", "status", "created", "ageSeconds", "sizeGiB", "class", "state",
"reason", "remedy", "verifiedAt", "objects", "bytes", "provenAt", "rehearsalFailed", "late", "unproven"}]}.`,
		Example: `  imageferry report
  imageferry report --require 100% --max-age 24h --ignore-skipped
  imageferry report -o csv > coverage.csv
  imageferry report -o markdown >> "$GITHUB_STEP_SUMMARY"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, err := r.rules()
			if err != nil {
				return err
			}
			s, err := c.openAs(cmd.Context(), a)
			if err != nil {
				return err
			}
			made, err := s.report(cmd.Context(), r.ignoreSkipped)
			if err != nil {
				return err
			}
			made.Judge(rules)
			if err := a.printCoverage(made, r.output); err != nil {
				return err
			}
			if made.Gate != nil && !made.Gate.Met {
				return a.unmetGate(made.Gate)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&r.output, "output", "o", "table", strings.Join(outputs(), ", ")+": the `form` of the report")
	flags.BoolVar(&r.json, "json", false, "the same as -o json")
	flags.StringVar(&r.require, "require", "", "the least `share` of the counted images that has to be exported, such as 100%")
	flags.Var(&r.maxAge, "max-age", "every counted image older than this has to be exported, such as 24h or 7d")
	flags.BoolVar(&r.ignoreSkipped, "ignore-skipped", false, "do not count images that can never be exported")
	flags.Var(&r.rehearsed, "require-rehearsal", "every exported image has to be proven restorable within this time, such as 90d")
	complete(cmd, "output", outputs()...)
	cmd.MarkFlagsMutuallyExclusive("json", "output")
	c.register(cmd)
	return cmd
}

func (r *reporting) rules() (report.Rules, error) {
	if r.json {
		r.output = "json"
	}
	if !slices.Contains(outputs(), r.output) {
		return report.Rules{}, usage(fmt.Errorf("--output %.40q is not one of %s", r.output, strings.Join(outputs(), ", ")))
	}
	rules := report.Rules{MaxAge: time.Duration(r.maxAge), Rehearsed: time.Duration(r.rehearsed)}
	if r.require != "" {
		share, err := report.ParsePercent(r.require)
		if err != nil {
			return report.Rules{}, usage(fmt.Errorf("--require %.40q is %w", r.require, err))
		}
		rules.Require = &share
	}
	return rules, nil
}

// report reads images and exports at once.
func (s *session) report(ctx context.Context, ignoreSkipped bool) (*report.Report, error) {
	in := report.Input{
		AccountID: s.caller.AccountID, Destination: s.settings.Destination, Wants: s.settings.Wants, IgnoreSkipped: ignoreSkipped,
		Exports: map[string]export.Export{}, Proven: map[string]time.Time{}, RehearsalFailed: map[string]string{},
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { in.Images, err = s.cloud.ECS.AccountImages(gctx); return })
	g.Go(func() error {
		for e, err := range s.ferry.Exports(gctx, "") {
			if err != nil {
				return err
			}
			in.Exports[e.ImageID] = e
		}
		return nil
	})
	g.Go(func() error {
		all, err := s.restores().AllRehearsals(gctx, s.settings.Destination)
		for id, shown := range all {
			if shown.Proven != nil {
				in.Proven[id] = shown.Proven.At
			}
			if !shown.Last.OK {
				in.RehearsalFailed[id] = shown.Last.Reason
			}
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	in.Now = s.now()
	return report.Make(in), nil
}

func (a *app) printCoverage(r *report.Report, form string) error {
	switch form {
	case "json":
		return a.printJSON(r)
	case "csv":
		return printed(r.WriteCSV(a.out))
	case "markdown":
		return printed(r.WriteMarkdown(a.out))
	}
	var rows [][]terminal.Cell
	for _, row := range r.Images {
		text := ""
		if row.Created != nil {
			text = words.Span(time.Duration(row.AgeSeconds) * time.Second)
		}
		class := stateCell(string(row.Class))
		what := row.Reason
		if row.State != "" && row.State != manifest.State(row.Class) {
			what = strings.TrimSpace(string(row.State) + " " + what)
		}
		if row.Late {
			class.Text += " (late)"
		}
		if row.Unproven {
			class.Text += " (unproven)"
		}
		if row.ProvenAt != nil {
			what += " proven restorable " + words.Since(*row.ProvenAt, r.GeneratedAt)
		}
		if row.RehearsalFailed != "" {
			what += " last rehearsal failed: " + row.RehearsalFailed
		}
		rows = append(rows, []terminal.Cell{
			{Text: row.ImageID}, class, {Text: text, Right: true}, {Text: fmt.Sprintf("%d GiB", row.SizeGiB), Right: true}, {Text: row.Name}, {Text: strings.TrimSpace(what)},
		})
	}
	if len(rows) > 0 {
		if err := a.table([]string{"IMAGE", "CLASS", "AGE", "SIZE", "NAME", "WHAT"}, rows); err != nil {
			return err
		}
		if err := a.printf("\n"); err != nil {
			return err
		}
	}
	return a.printSummary(r)
}

func (a *app) printSummary(r *report.Report) error {
	var parts []string
	for _, c := range report.Classes() {
		if n := r.Summary.Of(c); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, c))
		}
	}
	text := words.Plural(r.Summary.Images, "image")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if r.Summary.Deleted > 0 {
		text += fmt.Sprintf(" (and %s exported and then deleted)", words.Plural(r.Summary.Deleted, "image"))
	}
	text += "\n" + r.Headline() + "\n"
	if r.Summary.ExportedBytes > 0 {
		text += words.Bytes(r.Summary.ExportedBytes) + " in oss://" + r.Destination.Bucket + "/\n"
	}
	if r.Gate != nil && r.Gate.Met {
		text += terminal.Green.Paint("gate met", a.colour()) + "\n"
	}
	return a.printf("%s", text)
}

// unmetGate says what was not met where it does not disturb the document.
func (a *app) unmetGate(g *report.Gate) error {
	for _, problem := range g.Problems {
		a.note("gate not met: %s", problem)
	}
	return errUnmet
}
