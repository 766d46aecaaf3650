package export

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"imageferry/internal/manifest"
)

// Drain works the queue: what is due, oldest first, and what an invocation left behind when it died. While a hold lasts it
// sends one probe, and goes on with the others only if ECS accepts that.
func (f *Ferry) Drain(ctx context.Context) (Round, error) {
	d := &drain{Ferry: f, round: Round{Action: "drain"}, done: map[exportKey]bool{}}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { d.round.Held, err = f.index.Hold(gctx); return })
	g.Go(func() (err error) { d.page, d.more, err = f.index.Queued(gctx, manifest.Marker{}); return })
	if err := g.Wait(); err != nil {
		return d.round, fmt.Errorf("drain queue: %w", err)
	}
	if len(d.page) > 0 && !f.mayProbe(d.round.Held) {
		return d.round, nil
	}
	if err := errors.Join(append(d.troubles, d.run(ctx))...); err != nil {
		return d.round, fmt.Errorf("drain queue: %w", err)
	}
	return d.round, nil
}

// mayProbe tells whether it is time to ask ECS in spite of a hold.
func (f *Ferry) mayProbe(h *manifest.Hold) bool {
	return h == nil || h.Reason == throttled || !f.now().Before(h.ProbedAt.Add(f.settings.ProbePause))
}

type exportKey struct {
	destination manifest.Destination
	imageID     string
}

// A drain is one walk through the queue.
type drain struct {
	*Ferry
	round Round
	page  []manifest.Marker // of the queue, and whether there are more
	more  bool
	done  map[exportKey]bool
	// troubles are the errors of exports that were passed over, and inARow how many of them the last ones are.
	troubles []error
	inARow   int
}

// maxTroubles is how many exports in a row may fail to be worked before that is no longer their own trouble.
const maxTroubles = 3

func (d *drain) run(ctx context.Context) error {
	empty := len(d.page) == 0
	for {
		due := d.due(d.page)
		for _, group := range byExport(due) {
			if group[0].Destination.Region != d.settings.Destination.Region || d.done[keyOf(group[0])] {
				continue
			}
			if !d.hasTime(ctx) {
				d.round.Incomplete = true
				return nil
			}
			if stop, err := d.one(ctx, group); stop || err != nil {
				return err
			}
		}
		if !d.more || len(due) < len(d.page) {
			break
		}
		var err error
		if d.page, d.more, err = d.index.Queued(ctx, d.page[len(d.page)-1]); err != nil {
			return err
		}
	}
	// Nothing waits, or what waits was tried since and no longer refused for what the others share.
	if held := d.round.Held; held != nil && (empty || !held.Until.After(d.now())) {
		d.release(ctx)
	}
	return nil
}

// due are the markers whose time has come. The others are not even looked at: one that precedes its revision, as an intent's
// may, would pass for a stale one.
func (d *drain) due(markers []manifest.Marker) []manifest.Marker {
	now := d.now()
	if i := slices.IndexFunc(markers, func(m manifest.Marker) bool { return m.Due.After(now) }); i >= 0 {
		return markers[:i]
	}
	return markers
}

// one works one export, and tells whether the walk ends here.
func (d *drain) one(ctx context.Context, group []manifest.Marker) (stop bool, err error) {
	d.done[keyOf(group[0])] = true
	d.round.Seen++
	r, worked, err := d.work(ctx, group)
	if err != nil {
		return d.passOver(ctx, group, err), nil
	}
	d.inARow = 0
	if !worked {
		return false, nil
	}
	d.round.Results = append(d.round.Results, r)
	if r.State == manifest.Queued && d.holdsAll(group[0].Destination, reasons[r.Reason].Class) {
		hold, err := d.index.Hold(ctx)
		d.round.Held = hold
		return true, err
	}
	if d.round.Held != nil && r.State == manifest.Exporting {
		d.release(ctx)
	}
	return false, nil
}

// passOver goes on with the others after an export that could not be worked, and tells whether to stop instead. One whose
// journal nobody can read is left to a person, with one marker that leads there: every event about it leaves another.
func (d *drain) passOver(ctx context.Context, group []manifest.Marker, err error) (stop bool) {
	r, other := unreadable(group[0].ImageID, err)
	if other == nil {
		d.round.Results = append(d.round.Results, r)
		for _, extra := range group[1:] {
			if err := d.index.Remove(ctx, extra); err != nil {
				d.log.WarnContext(ctx, "stale marker stays", "imageId", extra.ImageID, "error", err.Error())
			}
		}
		return false
	}
	d.inARow++
	if d.inARow >= maxTroubles || ctx.Err() != nil {
		d.troubles = append(d.troubles, other)
		return true
	}
	d.log.WarnContext(ctx, "export is passed over", "imageId", group[0].ImageID, "error", other.Error())
	d.troubles = append(d.troubles, other)
	return false
}

// release ends the hold: ECS has accepted an export again, or nothing is waiting.
func (d *drain) release(ctx context.Context) {
	if err := d.index.RemoveHold(ctx); err != nil {
		d.log.WarnContext(ctx, "hold stays", "error", err.Error())
	}
	d.round.Held = nil
}

// work goes on with the export that the markers name; worked is false when it was not its turn.
func (d *drain) work(ctx context.Context, group []manifest.Marker) (r Result, worked bool, err error) {
	m := group[0]
	base, err := d.journal.Head(ctx, m.Destination, m.ImageID)
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		// The invocation died between the marker and revision 1.
		base = d.first(Order{ImageID: m.ImageID, Trigger: manifest.Trigger{Kind: "timer", Source: "drain"}})
		base.Destination = m.Destination
	case err != nil:
		return Result{}, false, err
	case base.State == manifest.Submitting && !d.leaseOver(base):
		return Result{}, false, nil
	case base.State == manifest.Queued && !base.DueAt.After(d.now()), base.State == manifest.Submitting:
	default:
		return Result{}, false, d.repair(ctx, base, group)
	}
	r, err = d.attempt(ctx, base, errand{stale: append(markersOf(base), group...), probe: true})
	if errors.Is(err, manifest.ErrExists) {
		return Result{}, false, nil // somebody else is at it
	}
	return r, err == nil, err
}

func keyOf(m manifest.Marker) exportKey {
	return exportKey{destination: m.Destination, imageID: m.ImageID}
}

// byExport groups the markers of one export, in the order of the first of each: duplicate events leave several.
func byExport(markers []manifest.Marker) [][]manifest.Marker {
	place := map[exportKey]int{}
	var groups [][]manifest.Marker
	for _, m := range markers {
		i, ok := place[keyOf(m)]
		if !ok {
			i = len(groups)
			place[keyOf(m)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], m)
	}
	return groups
}
