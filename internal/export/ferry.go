package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"imageferry/internal/manifest"
)

// Settings are the choices of the person who deployed the function.
type Settings struct {
	Destination manifest.Destination
	// AccountID must own the images and the buckets.
	AccountID string
	// Role is the RAM role that ECS writes the objects with.
	Role           string
	ManifestBucket string
	Layout         manifest.Layout
	// Wants is the selection; nil wants every image.
	Wants func(name, family string, tags map[string]string) bool
	// Rehearses: rehearsals of restores are to be expected here, whose images are not to be written down as skipped each time.
	Rehearses bool
	// SweepMaxAge is how old an image may be for a sweep to submit it.
	SweepMaxAge time.Duration
	// MaxAttempts is how many failures of its own an export may have.
	MaxAttempts int
	// RetryDelay is the first wait of a queued export; it doubles with every further one.
	RetryDelay time.Duration
	// ProbePause is how long after a refused probe a drain leaves a hold alone, except one that is over within the minute,
	// because calls were throttled. 0: every drain probes.
	ProbePause time.Duration
	// ClockSkew is how far the clocks of two instances may differ.
	ClockSkew time.Duration
	// Reserve is what an invocation keeps back before its deadline to write down what it did; 0 is DefaultReserve.
	Reserve         time.Duration
	AllowPublicRead bool
	// Program is the version that the manifests name.
	Program string
}

// Cloud is what the domain needs of the outside.
type Cloud struct {
	Images  Images
	Tasks   Tasks
	Objects Objects
	Store   manifest.Store // of the manifest bucket
	// Notifier tells people how exports end; nil tells nobody.
	Notifier Notifier
}

// A Ferry exports the images of one account and region to one destination. It keeps nothing that matters in memory: any
// number of them work side by side. Its methods are safe for concurrent use.
type Ferry struct {
	Cloud
	settings Settings
	journal  *manifest.Journal
	index    *manifest.Index
	buckets  *BucketMemory
	now      func() time.Time
	log      *slog.Logger
}

// New returns a Ferry. The memory may be shared by all Ferries of a process.
func New(cloud Cloud, settings Settings, memory *BucketMemory, now func() time.Time, log *slog.Logger) *Ferry {
	if settings.Reserve <= 0 {
		settings.Reserve = DefaultReserve
	}
	return &Ferry{
		Cloud:    cloud,
		settings: settings,
		journal:  manifest.NewJournal(cloud.Store, settings.Layout),
		index:    manifest.NewIndex(cloud.Store, settings.Layout),
		buckets:  memory,
		now:      func() time.Time { return now().UTC().Round(0) },
		log:      log,
	}
}

const (
	// maxBudget is the longest time that a submit gives itself.
	maxBudget = time.Minute
	// DefaultReserve is Settings.Reserve when that is 0.
	DefaultReserve = 3 * time.Second
	// maxWait ends the doubling of due times.
	maxWait = time.Hour
)

// hasTime tells whether another piece of work may be begun before the invocation's deadline.
func (f *Ferry) hasTime(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || deadline.Sub(f.now()) > 2*f.settings.Reserve
}

// budget is the time within which a submit may begin its calls to ECS, and the end of its lease: the budget and what the
// clocks may differ.
func (f *Ferry) budget(ctx context.Context) (end, lease time.Time, err error) {
	now := f.now()
	end = now.Add(maxBudget)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-f.settings.Reserve).Before(end) {
		end = deadline.Add(-f.settings.Reserve).UTC().Round(0) // it goes into the journal
	}
	if !end.After(now) {
		return end, end, fmt.Errorf("submit an export: %w: less than %s are left of the invocation", context.DeadlineExceeded, f.settings.Reserve)
	}
	return end, end.Add(f.settings.ClockSkew), nil
}

// wait is how long an export that was queued n times in a row waits now.
func (f *Ferry) wait(n int) time.Duration {
	d := f.settings.RetryDelay
	for ; n > 1 && d < maxWait; n-- {
		d *= 2
	}
	return min(d, maxWait)
}

// resultOf shows a revision.
func resultOf(m *manifest.Manifest, isNew bool) Result {
	r := Result{
		ImageID:  m.Image.ID,
		Name:     m.Image.Name,
		State:    m.State,
		Reason:   m.Reason,
		Remedy:   m.Remedy,
		Detail:   m.Detail,
		Revision: m.Revision,
		New:      isNew,
	}
	if m.Task != nil {
		r.TaskID = m.Task.ID
	}
	if m.State == manifest.Queued {
		r.DueAt = m.DueAt
	}
	return r
}

// unreadable turns a journal that cannot be gone on from into a result that says so; other errors stay errors.
func unreadable(imageID string, err error) (Result, error) {
	code := ""
	switch {
	case errors.Is(err, manifest.ErrNewer):
		code = journalNewer
	case errors.Is(err, manifest.ErrUnreadable):
		code = journalUnreadable
	default:
		return Result{}, err
	}
	return Result{ImageID: imageID, Reason: code, Remedy: reasons[code].Remedy, Detail: err.Error()}, nil
}
