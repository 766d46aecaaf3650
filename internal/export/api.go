package export

import (
	"errors"
	"time"

	"imageferry/internal/manifest"
)

// Errors that a caller tells apart with errors.Is.
var (
	// ErrUnknown: there is no export of the image to this destination.
	ErrUnknown = errors.New("no export of this image")
	// ErrState: the export's state does not allow what was asked.
	ErrState = errors.New("not possible in this state")
)

// An Order asks for the export of one image.
type Order struct {
	ImageID string
	Trigger manifest.Trigger
	// Available: the order comes with news that the image is Available, so an export that waits for that is due now.
	Available bool
	// Explicit: somebody asked for this image by its id, so the selection is not consulted.
	Explicit bool
	// Force starts again even from a terminal state.
	Force bool
}

// A Result is the outcome of an order, or of the work on one export, as people and logs see it.
type Result struct {
	ImageID string         `json:"imageId"`
	Name    string         `json:"name,omitempty"`
	State   manifest.State `json:"state,omitempty"` // empty when there is no export: Reason tells why
	Reason  string         `json:"reason,omitempty"`
	Remedy  string         `json:"remedy,omitempty"`
	Detail  string         `json:"detail,omitempty"`
	TaskID  string         `json:"taskId,omitempty"`
	DueAt   *time.Time     `json:"dueAt,omitempty"`
	// Revision is the newest one in the journal, 0 when there is none.
	Revision int `json:"revision,omitempty"`
	// New: this call wrote that revision.
	New bool `json:"new,omitempty"`
}

// A Round is what one Follow, Drain or Sweep did.
type Round struct {
	Action string `json:"action"` // follow, drain or sweep
	// Seen counts the exports (follow, drain) or images (sweep) that were looked at.
	Seen int `json:"seen"`
	// Results are the exports on which something was decided.
	Results []Result `json:"results,omitempty"`
	// Omitted counts the results of a dry run after the first thousand: an answer has to stay of a size that can be sent.
	Omitted int `json:"omitted,omitempty"`
	// Held is why nothing more was submitted: the refusal that all exports share.
	Held *manifest.Hold `json:"held,omitempty"`
	// Incomplete: the invocation's time was over, or the limit was reached; the next round goes on.
	Incomplete bool `json:"incomplete,omitempty"`
	// DryRun: nothing was written or submitted.
	DryRun bool `json:"dryRun,omitempty"`
}

// A SweepOrder bounds one sweep.
type SweepOrder struct {
	Trigger manifest.Trigger
	// MaxAge: only images created within it; 0 takes the configured age, a negative one takes every image.
	MaxAge time.Duration
	// DryRun reports what would be submitted.
	DryRun bool
	// Limit ends the sweep after so many submissions; 0 is no limit.
	Limit int
}

// A ListOrder asks for a page of exports in the order of their image ids.
type ListOrder struct {
	State  manifest.State // empty: all
	Limit  int            // 1 to 100, 0 is 50
	Cursor string         // from the page before
}

// A Page is one page of exports.
type Page struct {
	Exports []*manifest.Manifest `json:"exports"`
	// Unreadable are exports whose journal cannot be read, with the reason, beside those of the page; only without a filter.
	Unreadable []Result `json:"unreadable,omitempty"`
	// Cursor asks for the next page; empty on the last one. A filtered page may be short, or empty, and yet have a cursor.
	Cursor string `json:"cursor,omitempty"`
}
