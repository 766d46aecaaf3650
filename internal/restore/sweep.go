package restore

import (
	"context"
	"errors"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/unpack"
)

// abandoned is how old the traces of an unfinished unpacking are that nobody is taken to go on with: twice as old as the longest
// run of a function. What goes on with it after all begins anew.
const abandoned = 48 * time.Hour

// Clean removes what unfinished restores, which nobody went on with, have left in a bucket of exported objects. Nothing but what
// lies under our own prefix is touched, and of that no finished object.
func (r *Restorer) Clean(ctx context.Context, bucket string) (unpack.Cleaned, error) {
	return unpack.Clean(ctx, r.Bucket(bucket), string(r.settings.Layout)+"restore/", r.now().Add(-abandoned))
}

// Consider plans a restore, and checks the plan, unless there is a restore of the name that an order for it would leave alone or
// go on with. A rehearsal where the export is is not checked: what the objects say is its outcome.
func (r *Restorer) Consider(ctx context.Context, m *manifest.Manifest, o Options, force bool) (*Plan, error) {
	p := r.Plan(m, o)
	switch {
	case len(p.Transfers) > 0:
		r.Check(ctx, p) // what has to be copied is told with everything else
		return p, nil
	case o.Rehearsal && !p.abroad(), len(p.Problems) > 0:
		return p, nil
	}
	head, err := r.Get(ctx, p.Name)
	switch {
	case err != nil && !errors.Is(err, ErrUnknown):
		return nil, err
	case err == nil && !(head.State.Terminal() && startsAnew(head, Order{Again: true, Force: force})):
		return p, nil
	}
	r.Check(ctx, p)
	return p, nil
}
