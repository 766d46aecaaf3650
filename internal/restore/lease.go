package restore

import (
	"context"
	"errors"
	"sync"
	"time"

	"imageferry/internal/manifest"
)

// A tenure is a restore while this process holds its lease. Both the work and the renewal write revisions.
type tenure struct {
	*Restorer
	mu   sync.Mutex
	head *Record
}

// errTaken ends the work of a process that has lost its lease.
var errTaken = errors.New("the lease is lost")

// hold does work under the lease of a record, renewing it meanwhile, and returns the newest revision. The work's context ends
// in time before ctx's deadline, and when the lease is lost: manifest.ErrExists.
func (r *Restorer) hold(ctx context.Context, head *Record, work func(context.Context, *tenure) error) (*Record, error) {
	t := &tenure{Restorer: r, head: head}
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if deadline, ok := ctx.Deadline(); ok {
		var stop context.CancelFunc
		within, stop = context.WithTimeout(within, deadline.Sub(r.now())-r.settings.Reserve)
		defer stop()
	}
	var renewing sync.WaitGroup
	done := make(chan struct{})
	renewing.Go(func() { t.renew(within, cancel, done) })
	err := work(within, t)
	close(done)
	renewing.Wait()
	if errors.Is(context.Cause(within), errTaken) {
		err = manifest.ErrExists
	}
	return t.head, err
}

// renew writes revisions with a longer lease until done is closed, or until the lease is lost.
func (t *tenure) renew(ctx context.Context, cancel context.CancelCauseFunc, done <-chan struct{}) {
	tick := time.NewTicker(renewal)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := t.revise(ctx, func(*Record) {})
		switch {
		case errors.Is(err, manifest.ErrExists), err != nil && !t.now().Before(t.lease()):
			cancel(errTaken)
			return
		case err != nil:
			t.log.WarnContext(ctx, "lease is not renewed yet", "restore", t.newest().Name, "error", err.Error())
		}
	}
}

// newest is the newest revision that this process has written.
func (t *tenure) newest() *Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// lease is until when this process may act.
func (t *tenure) lease() time.Time { return t.newest().Lease.Until.Add(-t.settings.ClockSkew) }

// revise writes the next revision, in the same state and with a new lease.
func (t *tenure) revise(ctx context.Context, change func(*Record)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.leased(ctx, t.following(t.head, t.head.State))
	change(next)
	if err := t.commit(ctx, next); err != nil {
		return err
	}
	t.head = next
	return nil
}
