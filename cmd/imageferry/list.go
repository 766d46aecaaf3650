package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// A filter chooses exports.
type filter struct {
	states, reasons []string
	name            string
	newer, older    age
	limit           int
	cursor          string
}

func states() []string {
	return []string{"queued", "submitting", "exporting", "exported", "skipped", "failed", "cancelled"}
}

func reasonCodes() []string {
	var codes []string
	for _, r := range export.Reasons() {
		codes = append(codes, r.Code)
	}
	return codes
}

func (f *filter) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.states, "state", nil, "only exports in one of these `states`: "+strings.Join(states(), ", "))
	flags.StringSliceVar(&f.reasons, "reason", nil, "only exports with one of these `reasons`")
	flags.StringVar(&f.name, "name", "", "only images whose name matches this `pattern`, with *, ? and [a-z]")
	flags.Var(&f.newer, "newer", "only exports that changed within this age, such as 36h, 7d or 2w")
	flags.Var(&f.older, "older", "only exports that did not change within this age")
	flags.IntVar(&f.limit, "limit", 100, "at most so many; 0 is all")
	flags.StringVar(&f.cursor, "cursor", "", "go on after this image `id`, from the page before")
	complete(cmd, "state", states()...)
	complete(cmd, "reason", reasonCodes()...)
}

func (f *filter) check() error {
	for _, s := range f.states {
		if !slices.Contains(states(), s) {
			return usage(fmt.Errorf("--state %.40q is not one of %s", s, strings.Join(states(), ", ")))
		}
	}
	for _, r := range f.reasons {
		if !slices.Contains(reasonCodes(), r) {
			return usage(advised{fmt.Errorf("--reason %.40q is not a reason", r), "The README lists all reasons; shell completion knows them."})
		}
	}
	if _, err := path.Match(f.name, ""); err != nil {
		return usage(fmt.Errorf("--name %.40q is not a pattern", f.name))
	}
	if f.limit < 0 {
		return usage(errors.New("--limit cannot be negative"))
	}
	if f.cursor != "" && !manifest.ValidImageID(f.cursor) {
		return usage(fmt.Errorf("--cursor %.80q is not the id of an image", f.cursor))
	}
	return nil
}

// fits tells whether an export is chosen. One that cannot be read has a reason, and nothing else.
func (f *filter) fits(e export.Export, now time.Time) bool {
	m := e.Manifest
	if m == nil {
		return len(f.states) == 0 && f.name == "" && f.newer == 0 && f.older == 0 &&
			(len(f.reasons) == 0 || slices.Contains(f.reasons, e.Reason))
	}
	switch ok, _ := path.Match(f.name, m.Image.Name); {
	case len(f.states) > 0 && !slices.Contains(f.states, string(m.State)),
		len(f.reasons) > 0 && !slices.Contains(f.reasons, m.Reason),
		f.name != "" && !ok,
		f.newer > 0 && now.Sub(m.UpdatedAt) > time.Duration(f.newer),
		f.older > 0 && now.Sub(m.UpdatedAt) <= time.Duration(f.older):
		return false
	}
	return true
}

// A listing is a page of exports.
type listing struct {
	Exports []*manifest.Manifest `json:"exports"`
	// Unreadable are the exports whose manifest cannot be read.
	Unreadable []unreadable `json:"unreadable,omitempty"`
	// Cursor asks for the next page; empty on the last one.
	Cursor string `json:"cursor,omitempty"`
}

type unreadable struct {
	ImageID string `json:"imageId"`
	Reason  string `json:"reason"`
	Remedy  string `json:"remedy"`
	Detail  string `json:"detail"`
}

func newList(a *app) *cobra.Command {
	var c connection
	var f filter
	var asJSON, restores bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List exports",
		Long: `Lists exports in the order of their image ids. Images that nobody has submitted yet are not among them: see imageferry report.

Restores that have not ended are shown below the exports.

--json prints {"exports": [manifest], "unreadable": [{"imageId", "reason", "remedy", "detail"}], "cursor"}; a manifest is what
internal/manifest/manifest.schema.json describes. --restores lists the restores of the region instead, all of them; with --json
{"restores": [record], "unreadable": [{"name", "error"}]}.`,
		Example: `  imageferry list
  imageferry list --state failed,skipped --newer 7d
  imageferry list --reason quota-concurrent --name 'web-*' --limit 20
  imageferry list --json | jq -r '.exports[] | select(.state == "exported") | .objects[].key'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			s, err := c.open(cmd.Context(), a)
			if err != nil {
				return err
			}
			if restores {
				return s.listRestores(cmd.Context(), asJSON)
			}
			l, err := s.list(cmd.Context(), f)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(l)
			}
			if err := a.printListing(l); err != nil {
				return err
			}
			return s.printAtWork(cmd.Context())
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&restores, "restores", false, "list restores instead of exports")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.register(cmd)
	return cmd
}

func (s *session) list(ctx context.Context, f filter) (listing, error) {
	l := listing{Exports: []*manifest.Manifest{}}
	now, n, last := s.now(), 0, ""
	for e, err := range s.ferry.Exports(ctx, f.cursor) {
		if err != nil {
			return listing{}, err
		}
		if !f.fits(e, now) {
			continue
		}
		if f.limit > 0 && n == f.limit {
			l.Cursor = last // there is one more
			break
		}
		n, last = n+1, e.ImageID
		if e.Manifest != nil {
			l.Exports = append(l.Exports, e.Manifest)
		} else {
			l.Unreadable = append(l.Unreadable, unreadable{e.ImageID, e.Reason, e.Remedy, words.Safe(e.Detail)})
		}
	}
	return l, nil
}

func (a *app) printListing(l listing) error {
	if len(l.Exports)+len(l.Unreadable) == 0 {
		return a.printf("No exports.\n")
	}
	now := a.now()
	var rows [][]terminal.Cell
	for _, m := range l.Exports {
		size := ""
		if m.State == manifest.Exported && m.Verification != nil {
			size = words.Bytes(m.Verification.Bytes)
		}
		rows = append(rows, []terminal.Cell{
			{Text: m.Image.ID}, stateCell(string(m.State)), {Text: size, Right: true}, {Text: words.Since(m.UpdatedAt, now)},
			{Text: m.Image.Name}, {Text: m.Reason},
		})
	}
	for _, u := range l.Unreadable {
		rows = append(rows, []terminal.Cell{
			{Text: u.ImageID}, stateCell("unreadable"), {Right: true}, {}, {}, {Text: u.Reason + ": " + u.Detail},
		})
	}
	if err := a.table([]string{"IMAGE", "STATE", "SIZE", "CHANGED", "NAME", "REASON"}, rows); err != nil {
		return err
	}
	if l.Cursor != "" {
		return a.printf("\nThere are more: --cursor %s\n", l.Cursor)
	}
	return nil
}
