// Package pagetest has a page.Source and page.Actions in memory, and a believable account to fill them with: for the tests of
// the status page, and to look at it without a cloud.
package pagetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// Memory keeps exports. Its fields are set before it is used; its methods are safe for concurrent use.
type Memory struct {
	Hold       *manifest.Hold
	Heartbeats []manifest.Heartbeat
	Coverage   *export.Coverage
	EndedAsOf  *time.Time
	Unreadable []export.Result
	Percents   map[string]int
	Proofs     map[string]*restore.Rehearsals // by image
	Restores   []*restore.Record
	// To is the destination, by default Destination.
	To manifest.Destination
	// Fail, if set, is asked before each call by its name, such as Overview; its error is the call's.
	Fail func(call string) error
	// Now is the clock of actions.
	Now func() time.Time

	mu       sync.Mutex
	journals map[string][]manifest.Entry
	calls    []string
}

// Add appends a revision to its export's journal.
func (s *Memory) Add(m *manifest.Manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(manifest.Entry{Revision: m.Revision, Manifest: m}, m.Image.ID)
}

// Damage appends a revision that cannot be read.
func (s *Memory) Damage(imageID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(manifest.Entry{Revision: len(s.journals[imageID]) + 1, Err: err}, imageID)
}

func (s *Memory) add(e manifest.Entry, imageID string) {
	if s.journals == nil {
		s.journals = map[string][]manifest.Entry{}
	}
	s.journals[imageID] = append(s.journals[imageID], e)
}

// Calls are the actions so far, such as "retry m-1".
func (s *Memory) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *Memory) fail(call string) error {
	if s.Fail == nil {
		return nil
	}
	return s.Fail(call)
}

// heads are the newest revisions, the last changed first.
func (s *Memory) heads() []*manifest.Manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*manifest.Manifest
	for entries := range maps.Values(s.journals) {
		if m := entries[len(entries)-1].Manifest; m != nil {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *manifest.Manifest) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.Image.ID, b.Image.ID))
	})
	return all
}

// Recent implements page.Source.
func (s *Memory) Recent(_ context.Context, f export.Filter, cursor string, limit int) (export.Recent, error) {
	if err := s.fail("Recent"); err != nil {
		return export.Recent{}, err
	}
	after, id, found := strings.Cut(cursor, ".")
	nanos, err := strconv.ParseInt(after, 10, 64)
	if cursor != "" && (!found || err != nil) {
		return export.Recent{}, export.ErrCursor
	}
	var r export.Recent
	if f == (export.Filter{}) && cursor == "" {
		r.Unreadable = s.Unreadable
	}
	for _, m := range s.heads() {
		before := cursor != "" && (m.UpdatedAt.UnixNano() > nanos || m.UpdatedAt.UnixNano() == nanos && m.Image.ID <= id)
		if before || !f.Match(m) {
			continue
		}
		if len(r.Exports) == limit {
			last := r.Exports[limit-1]
			r.Cursor = fmt.Sprintf("%d.%s", last.UpdatedAt.UnixNano(), last.Image.ID)
			break
		}
		r.Exports = append(r.Exports, m)
	}
	return r, nil
}

// Overview implements page.Source.
func (s *Memory) Overview(context.Context) (export.Overview, error) {
	if err := s.fail("Overview"); err != nil {
		return export.Overview{}, err
	}
	o := export.Overview{
		States: map[manifest.State]int{}, Reasons: map[string]int{}, Hold: s.Hold, Heartbeats: s.Heartbeats,
		Coverage: s.Coverage, EndedAsOf: s.EndedAsOf,
	}
	days := map[string]*day{}
	for _, m := range s.heads() {
		o.Total++
		o.States[m.State]++
		if m.Reason != "" {
			o.Reasons[m.Reason]++
		}
		if m.State == manifest.Queued && (o.OldestQueued == nil || m.CreatedAt.Before(*o.OldestQueued)) {
			o.OldestQueued = &m.CreatedAt
		}
		if m.State.Terminal() {
			date := m.UpdatedAt.UTC().Format(time.DateOnly)
			if days[date] == nil {
				days[date] = &day{Day: export.Day{Date: date, Outcomes: map[manifest.State]int{}}}
			}
			days[date].add(m)
			if m.State == manifest.Exported && m.Verification != nil {
				o.Bytes += m.Verification.Bytes
			}
		}
	}
	for _, date := range slices.Sorted(maps.Keys(days)) {
		o.Days = append(o.Days, days[date].done())
	}
	return o, nil
}

type day struct {
	export.Day
	took []int64
}

func (d *day) add(m *manifest.Manifest) {
	d.Outcomes[m.State]++
	if m.State != manifest.Exported || m.Verification == nil {
		return
	}
	d.Bytes += m.Verification.Bytes
	if n := len(m.Attempts); n > 0 && m.Task != nil && m.Task.FinishedAt != nil {
		d.took = append(d.took, int64(m.Task.FinishedAt.Sub(m.Attempts[n-1].StartedAt).Seconds()))
	}
}

func (d *day) done() export.Day {
	if n := len(d.took); n > 0 {
		slices.Sort(d.took)
		d.MedianSeconds, d.P90Seconds = d.took[n/2], d.took[n*9/10]
	}
	return d.Day
}

// History implements page.Source.
func (s *Memory) History(_ context.Context, imageID string) ([]manifest.Entry, error) {
	if err := s.fail("History"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, ok := s.journals[imageID]
	if !ok {
		return nil, fmt.Errorf("read history of %s: %w", imageID, export.ErrUnknown)
	}
	return slices.Clone(entries), nil
}

// Rehearsals implements page.Source.
func (s *Memory) Rehearsals(_ context.Context, imageID string) (*restore.Rehearsals, error) {
	if err := s.fail("Rehearsals"); err != nil {
		return nil, err
	}
	return s.Proofs[imageID], nil
}

// AtWork implements page.Source.
func (s *Memory) AtWork(context.Context) ([]*restore.Record, error) {
	if err := s.fail("AtWork"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(s.Restores), func(r *restore.Record) bool { return r.State.Terminal() }), nil
}

// RestoresOf implements page.Source.
func (s *Memory) RestoresOf(_ context.Context, imageID string) ([]*restore.Record, error) {
	if err := s.fail("RestoresOf"); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(s.Restores), func(r *restore.Record) bool { return r.Source.Image.ID != imageID }), nil
}

// Progress implements page.Source.
func (s *Memory) Progress(context.Context, []string) (map[string]int, error) {
	if err := s.fail("Progress"); err != nil {
		return nil, err
	}
	return s.Percents, nil
}

// Destination implements page.Source.
func (s *Memory) Destination() manifest.Destination {
	if s.To == (manifest.Destination{}) {
		return Destination
	}
	return s.To
}

// Submit implements page.Actions.
func (s *Memory) Submit(_ context.Context, imageID string) (export.Result, error) {
	return s.act("submit", imageID, manifest.Queued)
}

// Retry implements page.Actions.
func (s *Memory) Retry(_ context.Context, imageID string) (export.Result, error) {
	return s.act("retry", imageID, manifest.Queued)
}

// Cancel implements page.Actions.
func (s *Memory) Cancel(_ context.Context, imageID string) (export.Result, error) {
	return s.act("cancel", imageID, manifest.Cancelled)
}

func (s *Memory) act(name, imageID string, state manifest.State) (export.Result, error) {
	if err := s.fail(name); err != nil {
		return export.Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name+" "+imageID)
	m := manifest.Manifest{Schema: manifest.SchemaV1, Image: manifest.Image{ID: imageID}, CreatedAt: s.Now(), Destination: Destination}
	if entries := s.journals[imageID]; len(entries) > 0 && entries[len(entries)-1].Manifest != nil {
		m = *entries[len(entries)-1].Manifest
	} else if name != "submit" {
		return export.Result{}, fmt.Errorf("%s %s: %w", name, imageID, export.ErrUnknown)
	}
	m.Revision, m.State, m.UpdatedAt, m.Trigger = m.Revision+1, state, s.Now(), manifest.Trigger{Kind: "http", Source: "status page"}
	m.Reason, m.Remedy, m.Detail = "", "", ""
	s.add(manifest.Entry{Revision: m.Revision, Manifest: &m}, imageID)
	return export.Result{ImageID: imageID, State: state, Revision: m.Revision, New: true}, nil
}
