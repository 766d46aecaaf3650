package page

import (
	"context"
	"errors"
	"strings"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Errors of a Source that the page answers in its own way; any other is "cannot be read for now".
var (
	// ErrUnknown: there is no export of the image.
	ErrUnknown = errors.New("no export of this image")
	// ErrCursor: the cursor is not one that the Source gave out.
	ErrCursor = errors.New("not a cursor")
)

// A Source is what the page shows. Implementations MUST be safe for concurrent use and MUST honour ctx; reads are retried
// inside, within ctx, and what is returned is only read by the page. Everything may be some seconds old.
type Source interface {
	// Recent returns up to limit (1 to 100) exports that match the filter, the one with the newest UpdatedAt first, from where
	// cursor says; an empty cursor is the beginning, one of another Source is ErrCursor. No match is no error.
	Recent(ctx context.Context, filter Filter, cursor string, limit int) (Recent, error)
	// Overview counts all exports. It should cost little more for many exports than for few: every look at the page asks for it.
	Overview(ctx context.Context) (Overview, error)
	// History returns every revision of an export, oldest first, with an error in place of one that cannot be read; ErrUnknown
	// when there is none.
	History(ctx context.Context, imageID string) ([]manifest.Entry, error)
	// Progress returns the percentage done of running tasks by task id. It is optional: a task may be absent, and with an error
	// the page shows none.
	Progress(ctx context.Context, taskIDs []string) (map[string]int, error)
}

// Actions are what the page's forms ask for. Each returns what became of the export: a Result without a State means that
// nothing was done, for its Reason. export.ErrUnknown and export.ErrState are shown as what they are, other errors only as "not
// possible for now". They are called once for each form sent, never again by themselves.
type Actions interface {
	// Submit exports an image unless it is exported already.
	Submit(ctx context.Context, imageID string) (export.Result, error)
	// Retry starts an export again from whatever state.
	Retry(ctx context.Context, imageID string) (export.Result, error)
	// Cancel stops an export that is not finished.
	Cancel(ctx context.Context, imageID string) (export.Result, error)
}

// A Filter selects exports; empty fields select all.
type Filter struct {
	State  manifest.State `json:"state,omitempty"`
	Reason string         `json:"reason,omitempty"`
	// Name is part of the image's name or id; case does not matter.
	Name string `json:"name,omitempty"`
}

// Match tells whether an export is selected.
func (f Filter) Match(m *manifest.Manifest) bool {
	name := strings.ToLower(f.Name)
	return (f.State == "" || f.State == m.State) && (f.Reason == "" || f.Reason == m.Reason) &&
		(strings.Contains(strings.ToLower(m.Image.Name), name) || strings.Contains(strings.ToLower(m.Image.ID), name))
}

// Recent is a page of exports.
type Recent struct {
	Exports []*manifest.Manifest
	// Cursor is where the next page begins, empty after the last one. A page may be short, or empty, and yet have one.
	Cursor string
}

// An Overview is all exports in numbers.
type Overview struct {
	States map[manifest.State]int `json:"states"`
	Total  int                    `json:"total"`
	// Reasons counts the exports that have a reason, by its code.
	Reasons map[string]int `json:"reasons,omitempty"`
	// Bytes are those of all verified objects.
	Bytes int64 `json:"bytes"`
	// OldestQueued is since when the export that has been queued the longest waits; nil when none does.
	OldestQueued *time.Time `json:"oldestQueued,omitempty"`
	// Coverage is nil while nobody has compared the exports with the account's images.
	Coverage *Coverage `json:"coverage,omitempty"`
	// Hold is why nothing is submitted; nil when nothing is held.
	Hold      *manifest.Hold `json:"hold,omitempty"`
	Schedules []Schedule     `json:"schedules,omitempty"`
	// Days are the newest ones, at least the last 30 that have anything to tell; their order does not matter.
	Days []Day `json:"days,omitempty"`
}

// Coverage is how many of the images that are wanted are exported.
type Coverage struct {
	Exported int       `json:"exported"`
	Wanted   int       `json:"wanted"`
	At       time.Time `json:"at"` // when it was found out
}

// A Schedule is one action of the timers and the trace of its newest round. At is zero when none has been seen.
type Schedule struct {
	manifest.Heartbeat
	// PeriodSeconds is how often it should run; 0 when that is not known.
	PeriodSeconds int64 `json:"periodSeconds"`
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
