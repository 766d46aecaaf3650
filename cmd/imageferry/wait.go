package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// A waiting is whether, how often and how long a command looks for the end.
type waiting struct {
	wait     bool
	interval time.Duration
	timeout  time.Duration
}

func (w *waiting) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&w.wait, "wait", false, "follow until all have ended")
	flags.DurationVar(&w.interval, "interval", 0, "with --wait: how often to look (10s, in the embedded cloud 200ms)")
	flags.DurationVar(&w.timeout, "timeout", 0, "with --wait: give up waiting after this (exit status 2); the exports go on")
}

// check fills in the interval.
func (w *waiting) check(local bool) error {
	if w.interval < 0 || w.timeout < 0 {
		return usage(errors.New("--interval and --timeout cannot be negative"))
	}
	if !w.wait && (w.interval > 0 || w.timeout > 0) {
		return usage(errors.New("--interval and --timeout go with --wait"))
	}
	if w.interval == 0 {
		w.interval = 10 * time.Second
		if local {
			w.interval = 200 * time.Millisecond
		}
	}
	return nil
}

// orderAndWait gives an order for images, waits for their end if that was asked for, and prints what came of it.
func (s *session) orderAndWait(ctx context.Context, ids []string, do order, w waiting, asJSON bool) error {
	if err := w.check(s.local); err != nil {
		return err
	}
	all, err := carryOut(ctx, ids, do)
	if err == nil && w.wait {
		err = s.await(ctx, &all, w)
	}
	// What was done is told, also when the rest was not.
	verdict := all.report(s.app, asJSON)
	if err != nil {
		return err
	}
	return verdict
}

// errTimeout: the person did not want to wait longer.
var errTimeout = errors.New("timeout")

// await works on until every image of the outcomes has ended, and brings the outcomes up to date.
func (s *session) await(ctx context.Context, all *outcomes, w waiting) error {
	watched := make([]tracked, 0, len(all.Results))
	for _, r := range all.Results {
		watched = append(watched, newTracked(r))
	}
	view := s.newProgress()
	defer view.stop()
	view.show(watched)
	if all.ended() {
		return nil
	}
	err := s.repeat(ctx, w, func(ctx context.Context) (bool, error) {
		if _, err := s.round(ctx); err != nil {
			return false, err
		}
		done, err := s.lookAt(ctx, all, watched)
		view.show(watched)
		return done, err
	})
	if errors.Is(err, errTimeout) {
		view.stop()
		s.note("not all have ended within %s: they go on; look with imageferry list", w.timeout)
		return errUnmet
	}
	return err
}

// maxTroubles is how many rounds in a row may fail before the waiting ends: an export takes hours, a network fails for
// minutes.
const maxTroubles = 5

// repeat takes a step every interval until one says that it was the last, the time is over, or ctx ends.
func (s *session) repeat(ctx context.Context, w waiting, step func(context.Context) (last bool, err error)) error {
	if w.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.timeout, errTimeout)
		defer cancel()
	}
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	for troubles := 0; ; {
		last, err := step(ctx)
		if err == nil && last {
			return nil
		}
		switch {
		case context.Cause(ctx) == errTimeout:
			return errTimeout
		case ctx.Err() != nil:
			return errInterrupted
		case err == nil:
			troubles = 0
		default:
			if troubles++; troubles >= maxTroubles {
				return fmt.Errorf("wait: %w", err)
			}
			s.log.WarnContext(ctx, "round failed", "error", err.Error())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// round is what a tick of the function does: follow, then drain.
func (s *session) round(ctx context.Context) ([]export.Round, error) {
	within, cancel := shield(ctx)
	defer cancel()
	follow, err := s.ferry.Follow(within)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return []export.Round{follow}, nil
	}
	drain, err := s.ferry.Drain(within)
	return []export.Round{follow, drain}, err
}

// ended tells whether nothing is left to wait for.
func (o outcomes) ended() bool {
	for _, r := range o.Results {
		if r.err == nil && r.State != "" && !r.State.Terminal() {
			return false
		}
	}
	return true
}

// lookAt reads the exports that have not ended, and how far their tasks are.
func (s *session) lookAt(ctx context.Context, all *outcomes, watched []tracked) (done bool, err error) {
	done = true
	asked := 0
	for i := range all.Results {
		r := &all.Results[i]
		if r.err != nil || r.State == "" || r.State.Terminal() {
			continue
		}
		m, err := s.ferry.Get(ctx, r.ImageID)
		if err != nil {
			return false, err
		}
		r.take(m)
		watched[i].take(m)
		if m.State == manifest.Exporting && asked < maxAsked {
			asked++
			s.askProgress(ctx, &watched[i], m.Task.ID)
		}
		done = done && m.State.Terminal()
	}
	return done, nil
}

// maxAsked bounds how many tasks are asked for their progress in a round: each is a call.
const maxAsked = 20

// askProgress is for people: that it cannot be had is no trouble.
func (s *session) askProgress(ctx context.Context, t *tracked, taskID string) {
	detail, found, err := s.ferry.Tasks.Detail(ctx, taskID)
	if err != nil || !found {
		return
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(detail.Progress), "%")); err == nil {
		t.percent = min(max(n, 0), 100)
	}
	if !detail.CreatedAt.IsZero() && t.since.IsZero() {
		t.since = s.now()
		t.from = t.percent
	}
}

// take brings an outcome up to date.
func (o *outcome) take(m *manifest.Manifest) {
	isNew := o.New
	o.Result = export.Result{
		ImageID: m.Image.ID, Name: m.Image.Name, State: m.State, Reason: m.Reason, Remedy: m.Remedy, Detail: m.Detail,
		Revision: m.Revision, New: isNew,
	}
	if m.Task != nil {
		o.TaskID = m.Task.ID
	}
	if m.State == manifest.Queued {
		o.DueAt = m.DueAt
	}
}
