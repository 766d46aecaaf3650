package export

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// An Overview is all exports in numbers.
type Overview struct {
	States map[manifest.State]int `json:"states"`
	Total  int                    `json:"total"`
	// Reasons counts the exports that have a reason, by its code. Of those that wait, the first ones are looked at.
	Reasons map[string]int `json:"reasons,omitempty"`
	// Bytes are those of all verified objects.
	Bytes int64 `json:"bytes"`
	// OldestQueued is since when the export that has been queued the longest waits; nil when none does.
	OldestQueued *time.Time `json:"oldestQueued,omitempty"`
	// Coverage is nil while no sweep has compared the exports with the account's images.
	Coverage *Coverage `json:"coverage,omitempty"`
	// Hold is why nothing is submitted; nil when nothing is held.
	Hold *manifest.Hold `json:"hold,omitempty"`
	// Heartbeats are the newest rounds of the timers, by action.
	Heartbeats []manifest.Heartbeat `json:"heartbeats,omitempty"`
	// Days are the newest ones that have anything to tell, newest first.
	Days []Day `json:"days,omitempty"`
	// EndedAsOf: there are so many exports that those that are over were counted by the sweep of this time; nil: just now.
	EndedAsOf *time.Time `json:"endedAsOf,omitempty"`
}

// Coverage is how many of the images that are wanted are exported.
type Coverage struct {
	Exported int       `json:"exported"`
	Wanted   int       `json:"wanted"`
	At       time.Time `json:"at"` // when it was found out
	// Since is the creation time of the oldest images that were looked at; zero when all were.
	Since time.Time `json:"since,omitzero"`
}

// A Day is what ended on one day, UTC.
type Day struct {
	Date string `json:"date"` // such as 2026-11-23
	// Outcomes counts exports by the terminal state that they came to.
	Outcomes map[manifest.State]int `json:"outcomes,omitempty"`
	// Bytes are those of the objects verified.
	Bytes int64 `json:"bytes"`
	// MedianSeconds and P90Seconds are how long the exported ones took from their last submission; 0 when there were none.
	MedianSeconds int64 `json:"medianSeconds"`
	P90Seconds    int64 `json:"p90Seconds"`
}

const (
	// maxEndedPages bounds what an overview lists, at a thousand entries a page; beyond it counts what the newest sweep did.
	maxEndedPages = 10
	// maxWaitingRead bounds how many waiting exports are read for their reasons.
	maxWaitingRead = 50
	// maxDays is how many days are told.
	maxDays = 60
)

// Overview counts all exports. It lists the index and reads no manifest of an export that is over.
func (f *Ferry) Overview(ctx context.Context) (Overview, error) {
	var (
		o       Overview
		work    atWork
		ended   []manifest.Ending
		more    bool
		census  *manifest.Census
		g, gctx = errgroup.WithContext(ctx)
	)
	g.Go(func() (err error) { work, err = f.lookAtWork(gctx); return })
	g.Go(func() (err error) {
		more, err = f.eachEnding(gctx, maxEndedPages, func(e manifest.Ending) { ended = append(ended, e) })
		return
	})
	g.Go(func() (err error) { census, err = f.index.Census(gctx); return })
	g.Go(func() (err error) { o.Hold, err = f.index.Hold(gctx); return })
	g.Go(func() (err error) { o.Heartbeats, err = f.index.Heartbeats(gctx); return })
	if err := g.Wait(); err != nil {
		return Overview{}, fmt.Errorf("count exports: %w", err)
	}
	t := work.tally
	for _, e := range ended {
		t.add(e)
	}
	if err := f.resolve(ctx, t); err != nil {
		return Overview{}, fmt.Errorf("count exports: %w", err)
	}
	o.States, o.Reasons, o.Bytes = t.states, t.reasons, t.bytes
	if more && census != nil {
		maps.Copy(o.States, census.States)
		maps.Copy(o.Reasons, census.Reasons)
		o.Bytes, o.EndedAsOf = census.Bytes, &census.At
	}
	o.States[manifest.Exporting], o.States[manifest.Queued] = 0, 0
	for _, task := range t.atWork {
		if task {
			o.States[manifest.Exporting]++
		} else {
			o.States[manifest.Queued]++
		}
	}
	for reason, n := range work.reasons {
		o.Reasons[reason] += n
	}
	for _, n := range o.States {
		o.Total += n
	}
	o.OldestQueued = work.oldest
	if census != nil {
		o.Coverage = &Coverage{Exported: census.Exported, Wanted: census.Wanted, At: census.At, Since: census.Since}
	}
	o.Days = daysOf(ended)
	return o, nil
}

// atWork is what the index says of the exports that are not over.
type atWork struct {
	reasons map[string]int // of the first queued ones
	oldest  *time.Time
	tally   *tally // with the images at work entered
}

// lookAtWork counts the markers, one for each export, and reads the first of the queue.
func (f *Ferry) lookAtWork(ctx context.Context) (atWork, error) {
	w := atWork{reasons: map[string]int{}, tally: newTally(map[string]bool{})}
	err := f.eachMarker(ctx, f.index.Exporting, w.tally.enter)
	var first []string
	if err == nil {
		err = f.eachMarker(ctx, f.index.Queued, func(m manifest.Marker) {
			if _, known := w.tally.atWork[m.ImageID]; known {
				return
			}
			w.tally.enter(m)
			if len(first) < maxWaitingRead {
				first = append(first, m.ImageID)
			}
		})
	}
	if err != nil {
		return w, err
	}
	lines, err := f.published(ctx, first)
	for _, line := range lines {
		m := line.manifest
		if m == nil || m.State != manifest.Queued && m.State != manifest.Submitting {
			continue
		}
		if m.Reason != "" {
			w.reasons[m.Reason]++
		}
		if w.oldest == nil || m.CreatedAt.Before(*w.oldest) {
			w.oldest = &m.CreatedAt
		}
	}
	return w, err
}

// daysOf sorts endings, newest first, into the days on which they fell.
func daysOf(endings []manifest.Ending) []Day {
	var days []Day
	var took []int64
	finish := func() {
		if n := len(took); n > 0 {
			slices.Sort(took)
			day := &days[len(days)-1]
			day.MedianSeconds, day.P90Seconds = took[(n-1)/2], took[(9*n+9)/10-1]
		}
		took = nil
	}
	for _, e := range endings {
		date := e.At.Format(time.DateOnly)
		if n := len(days); n == 0 || days[n-1].Date != date {
			finish()
			if n == maxDays {
				return days
			}
			days = append(days, Day{Date: date, Outcomes: map[manifest.State]int{}})
		}
		day := &days[len(days)-1]
		day.Outcomes[e.State]++
		day.Bytes += e.Bytes
		if e.State == manifest.Exported {
			took = append(took, int64(e.Took/time.Second))
		}
	}
	finish()
	return days
}
