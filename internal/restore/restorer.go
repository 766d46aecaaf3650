package restore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/unpack"
)

// Settings are what all restores of one account and region have in common.
type Settings struct {
	Region string
	// AccountID must own the buckets.
	AccountID string
	Layout    manifest.Layout
	// CopiesBucket is where copies of the objects of another region are looked for when nobody names a bucket; it may be empty.
	CopiesBucket string
	// RetryDelay is the first wait of a queued restore; it doubles with every further one.
	RetryDelay time.Duration
	// ClockSkew is how far the clocks of two instances may differ.
	ClockSkew time.Duration
	// Reserve is what Run keeps back before its deadline to write down how far it came; 0 is DefaultReserve.
	Reserve time.Duration
	// Program is the version that the records name.
	Program string
}

// Cloud is what the domain needs of the outside.
type Cloud struct {
	Images  Images
	Tasks   Tasks
	Objects Objects
	// Bucket is a bucket to unpack from and into.
	Bucket func(name string) unpack.Store
	Store  manifest.Store // of the journal
}

// A Restorer restores images into one region of one account. It keeps nothing that matters in memory: any number of them work
// side by side. Its methods are safe for concurrent use.
type Restorer struct {
	Cloud
	settings Settings
	journal  *Journal
	now      func() time.Time
	log      *slog.Logger
}

// New returns a Restorer.
func New(cloud Cloud, settings Settings, now func() time.Time, log *slog.Logger) *Restorer {
	if settings.Reserve <= 0 {
		settings.Reserve = DefaultReserve
	}
	return &Restorer{
		Cloud:    cloud,
		settings: settings,
		journal:  NewJournal(cloud.Store, settings.Layout),
		now:      func() time.Time { return now().UTC().Round(0) },
		log:      log,
	}
}

const (
	// DefaultReserve is Settings.Reserve when that is 0.
	DefaultReserve = 10 * time.Second
	// leaseTime is how long nobody else goes on with a restore whose holder may have died; it is renewed every renewal.
	leaseTime = 3 * time.Minute
	renewal   = time.Minute
	// maxWait ends the doubling of due times.
	maxWait = time.Hour
)

// Errors that a caller tells apart with errors.Is.
var (
	// ErrUnknown: there is no restore of this name.
	ErrUnknown = errors.New("no restore of this name")
	// ErrState: the restore's state does not allow what was asked.
	ErrState = errors.New("not possible in this state")
)

// An Order asks for a restore.
type Order struct {
	Plan    *Plan
	Trigger manifest.Trigger
	// Again begins anew what is over, except for a restore that was successful; Force begins that anew, too.
	Again, Force bool
	// Watch, if set, is told how far the unpacking is.
	Watch func(Progress)
}

// Progress is how far the objects of a restore are.
type Progress struct {
	Disk, Disks int // counted from 1
	unpack.Progress
}

// Run carries a restore as far as it can be carried now: to its end, to where only ECS can go on, or as far as ctx's deadline
// allows. The journal holds how far that is, and the next Run goes on there. One that somebody else is at is left alone. The
// record returned is the newest revision known.
func (r *Restorer) Run(ctx context.Context, o Order) (*Record, error) {
	next, head, err := r.claim(ctx, o)
	switch {
	case err != nil, next == nil && head.State.Terminal():
		return head, err
	case next == nil:
		return r.goOn(ctx, head, true, o.Watch)
	}
	if err := r.commence(ctx, r.leased(ctx, next)); err != nil {
		return r.lost(ctx, next, err)
	}
	return r.drive(ctx, next, o.Watch)
}

// Queue writes down that a restore is asked for, and does nothing of it: the next round begins. What there is of the name already
// is treated as Run does.
func (r *Restorer) Queue(ctx context.Context, o Order) (*Record, error) {
	next, head, err := r.claim(ctx, o)
	if err != nil || next == nil {
		return head, err
	}
	next.State, next.DueAt = Queued, &next.UpdatedAt
	next.Reason, next.Remedy = notBegun, reasons[notBegun].Remedy
	if err := r.commence(ctx, next); err != nil {
		return r.lost(ctx, next, err)
	}
	return next, nil
}

// claim is the revision with which an order begins, not in the journal yet; or else, when there is nothing to begin, the restore
// of the name that there is.
func (r *Restorer) claim(ctx context.Context, o Order) (next, head *Record, err error) {
	head, err = r.journal.Head(ctx, o.Plan.Region, o.Plan.Name)
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		next = r.first(o)
	case err != nil:
		return nil, nil, err
	case head.State.Terminal():
		if !startsAnew(head, o) {
			return nil, head, nil
		}
		next = r.anew(head, o)
	case !sameRestore(head, o.Plan):
		return nil, head, fmt.Errorf("restore %s: %w: the restore of %s under this name is %s", head.Name, ErrState, head.Source.Image.ID, head.State)
	default:
		return nil, head, nil
	}
	if len(o.Plan.Problems) > 0 {
		p := o.Plan.Problems[0]
		return nil, nil, fmt.Errorf("restore %s: %s: %s", o.Plan.Name, p.Reason, p.Detail)
	}
	return next, nil, nil
}

// commence puts the first revision of a restore into the journal.
func (r *Restorer) commence(ctx context.Context, next *Record) error {
	if err := r.enter(ctx, next); err != nil {
		return err
	}
	return r.commit(ctx, next)
}

// startsAnew tells whether an order leaves a terminal state.
func startsAnew(head *Record, o Order) bool { return o.Force || o.Again && head.State != Restored }

// sameRestore tells whether a plan is for what the record restores.
func sameRestore(head *Record, p *Plan) bool {
	return head.Source.Image.ID == p.Source.Image.ID && head.Rehearsal == p.Rehearsal
}

// first is revision 1.
func (r *Restorer) first(o Order) *Record {
	now := r.now()
	p := o.Plan
	return &Record{
		Revision: 1, State: Preparing, CreatedAt: now, UpdatedAt: now, BegunAt: now, Program: r.settings.Program,
		Region: p.Region, Name: p.Name, ID: p.id, Rehearsal: p.Rehearsal, KeepTemporary: p.KeepTemporary, Trigger: o.Trigger,
		Source: p.Source, Disks: p.Disks, Request: p.Request, After: p.After, Warnings: p.Warnings,
	}
}

// anew is the revision after a terminal one with which another restore of the name begins.
func (r *Restorer) anew(head *Record, o Order) *Record {
	next := r.first(o)
	next.Revision, next.CreatedAt = head.Revision+1, head.CreatedAt
	return next
}

// goOn goes on with a restore that has not ended, if it is its turn; an explicit request does not wait for the due time.
func (r *Restorer) goOn(ctx context.Context, head *Record, explicit bool, watch func(Progress)) (*Record, error) {
	switch {
	case head.State.leased() && r.now().Before(head.Lease.Until),
		head.State == Queued && !explicit && head.DueAt.After(r.now()):
		return head, nil
	case head.State.leased() || head.State == Queued:
		next := r.leased(ctx, r.following(head, Preparing))
		if err := r.commit(ctx, next); err != nil {
			return r.lost(ctx, head, err)
		}
		head = next
	}
	return r.drive(ctx, head, watch)
}

// drive takes steps for as long as there are some, and time for them.
func (r *Restorer) drive(ctx context.Context, head *Record, watch func(Progress)) (*Record, error) {
	for r.hasTime(ctx) {
		next, err := r.step(ctx, head, watch)
		if err != nil {
			return r.lost(ctx, head, err)
		}
		if next == nil {
			return head, nil
		}
		if head = next; head.State == Queued || head.State.Terminal() {
			return head, nil
		}
	}
	return head, nil
}

// step is the next revision, already in the journal; nil when there is nothing to do now.
func (r *Restorer) step(ctx context.Context, head *Record, watch func(Progress)) (*Record, error) {
	switch head.State {
	case Preparing:
		return r.prepare(ctx, head, watch)
	case Submitting:
		return r.submit(ctx, head)
	case Importing:
		return r.follow(ctx, head)
	case Cleaning:
		return r.clean(ctx, head)
	}
	return nil, nil
}

// lost answers with what others have made of a restore that they took over, or with the error.
func (r *Restorer) lost(ctx context.Context, mine *Record, err error) (*Record, error) {
	if !errors.Is(err, manifest.ErrExists) {
		return mine, err
	}
	head, err := r.journal.Head(ctx, mine.Region, mine.Name)
	if err != nil {
		return mine, err
	}
	return head, nil
}

// hasTime tells whether another step may be begun before the deadline.
func (r *Restorer) hasTime(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || deadline.Sub(r.now()) > 2*r.settings.Reserve
}

// wait is how long a restore that was queued n times in a row waits now.
func (r *Restorer) wait(n int) time.Duration {
	d := r.settings.RetryDelay
	for ; n > 1 && d < maxWait; n-- {
		d *= 2
	}
	return min(d, maxWait)
}
