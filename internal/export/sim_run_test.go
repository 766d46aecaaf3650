package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"imageferry/internal/manifest"
)

// A simulation is one scenario while it runs, in fake time.
type simulation struct {
	seed   uint64
	chance *chance
	plan   simPlan
	start  time.Time
	// strict: every revision is compared with the published schema.
	strict bool
	// tell prints what happens; nil does not.
	tell func(line string)

	instances []*BucketMemory
	flying    sync.WaitGroup // calls that were given up

	mu    sync.Mutex
	store *simStore
	ecs   *simECS
	// forced are the requests that may leave a terminal state; cancelled and acknowledged are images.
	forced, cancelled, acknowledged map[string]bool
	violations                      []string
	story                           *chance // a hash of everything that happened
	steps, revisions                int
}

func newSimulation(seed uint64) *simulation {
	c := (&chance{seed}).derive("simulation", 0)
	s := &simulation{seed: seed, chance: c, plan: newPlan(c.derive("plan", 0)), start: time.Now(), strict: seed%16 == 0,
		forced: map[string]bool{}, cancelled: map[string]bool{}, acknowledged: map[string]bool{}, story: &chance{}}
	s.store = newSimStore(s)
	s.ecs = &simECS{sim: s, start: s.start, objects: map[string]simObject{}}
	for range s.plan.instances {
		s.instances = append(s.instances, NewBucketMemory())
	}
	return s
}

// run is the chaos, the calm after it, and the judgement.
func (s *simulation) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, o := range s.plan.orders {
		all.Go(func() { s.deliver(ctx, o) })
	}
	for _, o := range s.plan.others {
		all.Go(func() {
			time.Sleep(o.at + time.Nanosecond)
			s.mu.Lock()
			defer s.mu.Unlock()
			if t, err := s.ecs.export(o.image, manifest.Destination{Bucket: otherBucket, Format: "raw"}, false, o.duration); err == nil {
				s.trail("somebody else exports %s as %s", o.image, t.id)
			}
		})
	}
	all.Wait()
	s.flying.Wait()
	time.Sleep(time.Until(s.start.Add(s.plan.chaos)))
	s.calm(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checkEnd()
}

// maxRetries is how often FC repeats an asynchronous invocation that has failed.
const maxRetries = 3

// deliver is what FC does with an event, a timer or a request: after the last failure it is lost.
func (s *simulation) deliver(ctx context.Context, o simOrder) {
	time.Sleep(o.at)
	c := s.chance.derive("deliver "+o.name, 0)
	var all sync.WaitGroup
	defer all.Wait()
	for try := 0; try <= maxRetries; try++ {
		p := s.process(o, try)
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		ended := make(chan error, 1)
		all.Go(func() {
			err := s.invoke(ctx, p, o)
			if p.dead() {
				return
			}
			ended <- err
		})
		left := o.timeout
		if !p.dies.IsZero() {
			left = min(left, time.Until(p.dies))
		}
		err := context.DeadlineExceeded
		select {
		case err = <-ended:
		case <-time.After(left + time.Microsecond):
		}
		if err == nil || o.kind == simHTTP || o.kind == simForce || o.kind == simCancel {
			return
		}
		time.Sleep(c.spread(100*time.Millisecond, 20*time.Second))
	}
}

// process is an invocation's, with its fate.
func (s *simulation) process(o simOrder, try int) *simProcess {
	p := &simProcess{sim: s, name: fmt.Sprintf("%s.%d", o.name, try), calls: map[string]int{},
		skew: s.plan.instances[o.instance], memory: s.instances[o.instance]}
	p.chance = s.chance.derive("process "+p.name, 0)
	c := p.chance.derive("fate", 0)
	now := time.Now()
	if c.of(s.plan.dying) {
		p.dies = now.Add(c.spread(time.Millisecond, 2*time.Second))
	} else if c.of(0.5) {
		p.dies = now.Add(o.timeout) // FC ends what does not end by itself
	}
	if c.of(s.plan.freezing) {
		p.freezes = now.Add(c.spread(time.Millisecond, 2*time.Second))
		p.frozenUntil = p.freezes.Add(c.spread(time.Second, 10*time.Minute))
	}
	return p
}

func (s *simulation) ferry(p *simProcess) *Ferry {
	settings := Settings{
		Destination:    testDestination(),
		AccountID:      testAccount,
		Role:           "AliyunECSImageExportDefaultRole",
		ManifestBucket: testDestination().Bucket,
		Layout:         testLayout,
		SweepMaxAge:    30 * 24 * time.Hour,
		MaxAttempts:    3,
		RetryDelay:     time.Minute,
		ClockSkew:      clockSkew,
		Reserve:        time.Second,
		Program:        "simulated",
	}
	if s.plan.apart {
		settings.ManifestBucket = "manifests"
	}
	if s.plan.selects {
		settings.Wants = func(_, _ string, tags map[string]string) bool { return tags["ferry"] == "yes" }
	}
	return New(Cloud{Images: p, Tasks: p, Objects: p, Store: p}, settings, p.memory, p.now, slog.New(simLog{p}))
}

// invoke is what the handler does.
func (s *simulation) invoke(ctx context.Context, p *simProcess, o simOrder) error {
	s.note(p, "begins", o.image, "")
	f := s.ferry(p)
	t := manifest.Trigger{Kind: o.kind, RequestID: p.name}
	var err error
	switch o.kind {
	case simTick:
		_, followErr := f.Follow(ctx)
		_, drainErr := f.Drain(ctx)
		err = errors.Join(followErr, drainErr)
	case simSweep:
		t.Kind = "timer"
		_, err = f.Sweep(ctx, SweepOrder{Trigger: t})
	case simCancel:
		s.mark(s.cancelled, o.image)
		t.Kind = "http"
		_, err = f.Cancel(ctx, o.image, t)
	case simForce:
		s.mark(s.forced, p.name)
		fallthrough
	default:
		if o.kind != simEvent {
			t.Kind = "http"
		}
		var r Result
		r, err = f.Submit(ctx, Order{ImageID: o.image, Trigger: t, Available: o.available, Explicit: o.kind != simEvent, Force: o.kind == simForce})
		if err == nil && !p.dead() {
			s.checkAcknowledged(r)
		}
	}
	if p.dead() {
		s.note(p, "is dead", o.image, "")
		return errDead
	}
	outcome := "well"
	if err != nil {
		outcome = err.Error()
	}
	s.note(p, "ends", o.image, outcome)
	return err
}

func (s *simulation) mark(set map[string]bool, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set[what] = true
}

// A simLog takes what the domain logs.
type simLog struct{ p *simProcess }

func (simLog) Enabled(context.Context, slog.Level) bool { return true }
func (l simLog) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l simLog) WithGroup(string) slog.Handler          { return l }
func (l simLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	s := l.p.sim
	s.mu.Lock()
	s.checkSecret("log", text)
	s.mu.Unlock()
	s.note(l.p, "logs", text, "")
	return nil
}

// apply lets a call take effect.
func (s *simulation) apply(p *simProcess, op, key, how string, apply func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ecs.settle()
	if s.tell != nil {
		s.trail("%s %s %s %s", p.name, op, key, how)
	}
	s.steps++
	s.story = s.story.derive(op+key, int(time.Now().UnixNano()))
	err := apply()
	if err != nil && s.tell != nil {
		s.trail("%s   %v", p.name, err)
	}
	return err
}

// later lets a call take effect that its process has given up.
func (s *simulation) later(after time.Duration, apply func()) {
	s.flying.Go(func() { time.Sleep(after); apply() })
}

func (s *simulation) note(p *simProcess, op, key, how string) {
	if s.tell == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trail("%s %s %s %s", p.name, op, key, how)
}

// trail tells what happens. The lock is held.
func (s *simulation) trail(format string, args ...any) {
	if s.tell != nil {
		s.tell(fmt.Sprintf("%14s  ", time.Since(s.start)) + fmt.Sprintf(format, args...))
	}
}

// violate records that something is wrong. The lock is held.
func (s *simulation) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.violations = append(s.violations, fmt.Sprintf("after %s: %s", time.Since(s.start), text))
	s.trail("VIOLATION: %s", text)
}

// trouble is what is wrong in general now.
func (s *simulation) trouble() *simTrouble {
	since := time.Since(s.start)
	for i, t := range s.plan.troubles {
		if since >= t.from && since < t.to {
			return &s.plan.troubles[i]
		}
	}
	return nil
}
