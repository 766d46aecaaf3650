package page

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

const (
	defaultLimit = 50
	maxLimit     = 100
)

// An ask is what the address of the overview asks for.
type ask struct {
	filter export.Filter
	cursor string
	limit  int
	query  url.Values
}

// parseAsk takes the first value of each parameter; what makes no sense is a failure, because a list that ignores a filter
// would be read as the filtered one.
func parseAsk(query url.Values) (ask, *Failure) {
	a := ask{
		filter: export.Filter{State: manifest.State(query.Get("state")), Reason: query.Get("reason"), Name: query.Get("name")},
		cursor: query.Get("cursor"), limit: defaultLimit, query: query,
	}
	if a.filter.State != "" && !a.filter.State.Valid() {
		return a, &Failure{Status: http.StatusBadRequest, Reason: reasonInvalid, Title: "There is no such state",
			Text: "The states are queued, submitting, exporting, exported, skipped, failed and cancelled."}
	}
	if limit := query.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > maxLimit {
			return a, &Failure{Status: http.StatusBadRequest, Reason: reasonInvalid, Title: "The limit is out of range", Text: "It can be 1 to 100 exports."}
		}
		a.limit = n
	}
	return a, nil
}

// A look is what the overview shows.
type look struct {
	overview    export.Overview
	overviewErr error
	recent      export.Recent
	recentErr   error
	progress    map[string]int
	restores    []*restore.Record
}

// look asks the Source. The counts, the list and the restores are read at once; each may fail alone.
func (p *site) look(ctx context.Context, a ask) look {
	var l look
	var all sync.WaitGroup
	all.Go(func() { l.overview, l.overviewErr = p.counts(ctx) })
	all.Go(func() { l.recent, l.recentErr = p.list(ctx, a) })
	all.Go(func() { l.restores = p.atWork(ctx) })
	all.Wait()
	l.progress = p.progress(ctx, l.recent.Exports...)
	return l
}

// atWork asks for the restores that have not ended; a page without them is a page.
func (p *site) atWork(ctx context.Context) []*restore.Record {
	records, err := p.atWorks.get(ctx, "", p.opts.Remember, p.opts.Now, func() ([]*restore.Record, error) { return p.source.AtWork(ctx) })
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "status page", slog.String("read", "restores"), slog.String("error", err.Error()))
	}
	return records
}

// progress asks after the tasks of exports that are exporting; it is a nicety, so that its failure only leaves a gap.
func (p *site) progress(ctx context.Context, exports ...*manifest.Manifest) map[string]int {
	var tasks []string
	for _, m := range exports {
		if m.State == manifest.Exporting && m.Task != nil {
			tasks = append(tasks, m.Task.ID)
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	percents, err := p.progresses.get(ctx, strings.Join(tasks, " "), p.opts.Remember, p.opts.Now, func() (map[string]int, error) {
		return p.source.Progress(ctx, tasks)
	})
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "status page", slog.String("read", "progress"), slog.String("error", err.Error()))
	}
	return percents
}

func (p *site) counts(ctx context.Context) (export.Overview, error) {
	return p.overviews.get(ctx, "", p.opts.Remember, p.opts.Now, func() (export.Overview, error) { return p.source.Overview(ctx) })
}

func (p *site) list(ctx context.Context, a ask) (export.Recent, error) {
	key := fmt.Sprintf("%q %q %d", a.filter, a.cursor, a.limit)
	return p.recents.get(ctx, key, p.opts.Remember, p.opts.Now, func() (export.Recent, error) {
		return p.source.Recent(ctx, a.filter, a.cursor, a.limit)
	})
}

// forget has the next look show what a form has changed.
func (p *Page) forget() {
	p.overviews.forget()
	p.recents.forget()
	p.progresses.forget()
	p.atWorks.forget()
}

func (p *site) getOverview(w http.ResponseWriter, r *http.Request) {
	a, wrong := parseAsk(r.URL.Query())
	if wrong != nil {
		p.fail(w, r, *wrong)
		return
	}
	l := p.look(r.Context(), a)
	switch {
	case l.recentErr != nil && (l.overviewErr != nil || !WantsHTML(r) || errors.Is(l.recentErr, export.ErrCursor)):
		p.unreadable(w, r, "list of exports", l.recentErr)
	case l.overviewErr != nil && !WantsHTML(r):
		p.unreadable(w, r, "overview", l.overviewErr)
	case !WantsHTML(r):
		p.json(w, http.StatusOK, "application/json", overviewDocument{
			Overview: l.overview, Schedules: p.scheduleDocuments(l.overview), Filter: a.filter,
			Exports: append([]*manifest.Manifest{}, l.recent.Exports...), Unreadable: l.recent.Unreadable,
			Progress: l.progress, Cursor: l.recent.Cursor, Restores: l.restores,
		})
	default:
		p.logParts(r.Context(), l)
		p.html(w, r, http.StatusOK, "overview", title(a.filter), p.overviewView(w, r, a, l))
	}
}

func (p *site) logParts(ctx context.Context, l look) {
	for what, err := range map[string]error{"overview": l.overviewErr, "list of exports": l.recentErr} {
		if err != nil {
			p.log.LogAttrs(ctx, slog.LevelError, "status page", slog.String("read", what), slog.String("error", err.Error()))
		}
	}
}

// An overviewDocument is the overview as JSON.
type overviewDocument struct {
	Overview   export.Overview      `json:"overview"`
	Schedules  []scheduleDocument   `json:"schedules"`
	Filter     export.Filter        `json:"filter"`
	Exports    []*manifest.Manifest `json:"exports"`
	Unreadable []export.Result      `json:"unreadable,omitempty"`
	Progress   map[string]int       `json:"progress,omitempty"` // percent by task id
	Cursor     string               `json:"cursor,omitempty"`
	Restores   []*restore.Record    `json:"restores,omitempty"` // those that have not ended
}

func title(f export.Filter) string {
	if f == (export.Filter{}) {
		return "Exports"
	}
	return "Exports: " + joined(", ", string(f.State), say(f.Reason), say(f.Name))
}

// states are in the order of an export's life.
func states() []manifest.State {
	return []manifest.State{
		manifest.Queued, manifest.Submitting, manifest.Exporting, manifest.Exported, manifest.Skipped, manifest.Failed, manifest.Cancelled,
	}
}

// An overviewView is the overview as a page.
type overviewView struct {
	Summary  string // for screen readers, when it changes
	Tiles    []tile
	Counts   bool  // they could be read
	AsOf     *when // of the counts of what is over; nil: now
	Alerts   []alert
	Coverage coverageView
	Rounds   []round
	Charts   []chart
	Days     []dayRow
	Filter   filterView
	Unread   []unread
	Rows     []row
	Restores []restoreRow
	Listed   bool   // the list could be read
	Newest   string // address of the first page, when this is another
	Older    string
	Submit   *form
}

// An unread is an export whose journal cannot be read.
type unread struct{ Href, ID, Reason, Remedy, Detail string }

// A tile is one count.
type tile struct {
	State   string // empty: all
	Href    string
	Count   string
	Zero    bool
	Current bool
}

func (p *site) overviewView(w http.ResponseWriter, r *http.Request, a ask, l look) overviewView {
	o := l.overview
	v := overviewView{
		Counts: l.overviewErr == nil, Listed: l.recentErr == nil, Tiles: tiles(a, o), Alerts: p.alerts(l),
		Filter: filterOf(a, o.Reasons), Restores: p.restores(l.restores),
	}
	if v.Counts {
		v.Summary, v.AsOf = summary(o), p.maybe(o.EndedAsOf)
		v.Coverage, v.Rounds = p.coverage(o), p.rounds(o)
		v.Charts, v.Days = charts(o, p.opts.Now()), dayRows(o.Days)
	}
	for _, r := range l.recent.Unreadable {
		v.Unread = append(v.Unread, unread{imagePath(r.ImageID), say(r.ImageID), say(r.Reason), say(r.Remedy), say(r.Detail)})
	}
	for _, m := range l.recent.Exports {
		v.Rows = append(v.Rows, p.row(m, l.progress, o.Hold != nil, a.query))
	}
	if a.cursor != "" {
		v.Newest = address("/", withParam(a.query, "cursor", ""))
	}
	if l.recent.Cursor != "" {
		v.Older = address("/", withParam(a.query, "cursor", l.recent.Cursor))
	}
	if p.opts.AllowActions {
		v.Submit = &form{Action: "/images", Token: p.guard.token(w, r, p.opts.Now())}
	}
	return v
}

// tiles keep the other filters, and begin the list anew.
func tiles(a ask, o export.Overview) []tile {
	base := withParam(withParam(a.query, "cursor", ""), "format", "")
	all := []tile{{
		Href: address("/", withParam(base, "state", "")), Count: count(o.Total), Zero: o.Total == 0, Current: a.filter.State == "",
	}}
	for _, s := range states() {
		all = append(all, tile{
			State: string(s), Href: address("/", withParam(base, "state", string(s))), Count: count(o.States[s]),
			Zero: o.States[s] == 0, Current: a.filter.State == s,
		})
	}
	return all
}

func summary(o export.Overview) string {
	var parts []string
	for _, s := range states() {
		if n := o.States[s]; n > 0 {
			parts = append(parts, count(n)+" "+string(s))
		}
	}
	if len(parts) == 0 {
		return "No exports"
	}
	return joined(", ", parts...)
}

// A filterView is the form of the filters.
type filterView struct {
	State   string
	Name    string
	Reason  string
	States  []string
	Reasons []option
	Clear   string // empty when nothing is filtered
	Limit   string
}

type option struct {
	Value, Text string
	Selected    bool
}

func filterOf(a ask, reasons map[string]int) filterView {
	f := filterView{State: string(a.filter.State), Name: a.filter.Name, Reason: a.filter.Reason, Limit: a.query.Get("limit")}
	for _, s := range states() {
		f.States = append(f.States, string(s))
	}
	for _, code := range slices.Sorted(maps.Keys(reasons)) {
		if code == say(code) { // no code of ours has anything to hide
			f.Reasons = append(f.Reasons, option{code, code + " (" + count(reasons[code]) + ")", code == f.Reason})
		}
	}
	if _, known := reasons[f.Reason]; f.Reason != "" && !known {
		f.Reasons = append(f.Reasons, option{f.Reason, say(f.Reason), true})
	}
	if a.filter != (export.Filter{}) {
		f.Clear = address("/", nil)
	}
	return f
}
