package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"imageferry/internal/manifest"
)

// A simProcess is an invocation, as far as the outside sees it: the calls that it makes. It may die, or stand still for a
// while, between any two of them or in the middle of one.
type simProcess struct {
	sim    *simulation
	name   string
	chance *chance
	skew   time.Duration
	memory *BucketMemory

	dies                 time.Time // zero: never
	freezes, frozenUntil time.Time // zero: never
	// calm: nothing happens to its calls.
	calm bool

	mu    sync.Mutex
	calls map[string]int
}

// errDead is what the code of a dead process gets from every call. Nothing that it does from then on is seen.
var errDead = errors.New("this process is dead")

// now is the process's own clock.
func (p *simProcess) now() time.Time { return time.Now().Add(p.skew) }

func (p *simProcess) dead() bool { return !p.dies.IsZero() && !time.Now().Before(p.dies) }

// thaw returns when the process runs.
func (p *simProcess) thaw(c *chance) {
	now := time.Now()
	if !now.Before(p.freezes) && now.Before(p.frozenUntil) {
		time.Sleep(p.frozenUntil.Sub(now) + c.between(time.Nanosecond, time.Millisecond))
	}
}

// chanceOf is the fate of one call.
func (p *simProcess) chanceOf(op, key string) *chance {
	name := op + " " + key
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[name]++
	return p.chance.derive(name, p.calls[name])
}

// A simFate is what becomes of a call.
type simFate int

const (
	simAnswered simFate = iota
	simRefused          // throttled: not applied, and the answer says so
	simBroken           // not applied, and no answer tells
	simLost             // applied, and no answer tells
)

// lateBound is how long after it was given up a call may still be applied.
const lateBound = 8 * time.Second

// call carries one call to the cloud and back. What it does there is apply, which runs at one instant and alone.
func (p *simProcess) call(ctx context.Context, op, key string, apply func() error) error {
	if p.dead() {
		return errDead
	}
	if err := ctx.Err(); err != nil {
		return failure(op, "", false, err)
	}
	c := p.chanceOf(op, key)
	there, back := p.latency(c)
	fate := p.fate(c, op)
	reached := fate == simAnswered || fate == simLost
	evenSo := c.of(0.5) // it was sent before the process died, or gave the call up

	started := time.Now()
	if !pause(ctx, there) {
		// The service may have the request nevertheless.
		if reached && evenSo && (op == "create" || op == "put" || op == "delete" || op == opExport && p.sim.plan.late) {
			p.sim.later(there-time.Since(started), func() { p.sim.apply(p, op, key, "late", apply) })
		}
		return p.cut(ctx, c, op)
	}
	if p.dead() && !evenSo {
		return errDead
	}
	var err error = failure(op, "", true, io.ErrUnexpectedEOF)
	if reached {
		err = p.sim.apply(p, op, key, "", apply)
	} else {
		p.sim.note(p, op, key, "not applied")
	}
	if !pause(ctx, back) {
		return p.cut(ctx, c, op)
	}
	p.thaw(c)
	switch {
	case p.dead():
		return errDead
	case fate == simRefused:
		return failure(op, "Throttling.User", false, nil)
	case fate == simLost && op == "create" && c.of(0.5):
		// The store has repeated it, and met its own object.
		return fmt.Errorf("create %s: %w", key, manifest.ErrExists)
	case fate == simLost:
		p.sim.note(p, op, key, "answer lost")
		return failure(op, pick(c, "", "InternalError"), true, io.ErrUnexpectedEOF)
	}
	return err
}

// cut is the end of a call whose context has ended.
func (p *simProcess) cut(ctx context.Context, c *chance, op string) error {
	time.Sleep(c.between(time.Nanosecond, time.Microsecond)) // calls that end together go on one after the other
	p.thaw(c)
	if p.dead() {
		return errDead
	}
	return failure(op, "", true, ctx.Err())
}

// pause waits, and tells whether the context has lasted so long.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *simProcess) latency(c *chance) (there, back time.Duration) {
	there, back = c.spread(time.Millisecond, 50*time.Millisecond), c.spread(time.Microsecond, 10*time.Millisecond)
	if p.calm {
		return there, back
	}
	if c.of(p.sim.plan.slow) {
		if c.of(0.5) {
			there = c.spread(100*time.Millisecond, lateBound)
		} else {
			back = c.spread(100*time.Millisecond, lateBound)
		}
	}
	return there, back
}

func (p *simProcess) fate(c *chance, op string) simFate {
	if p.calm || !c.of(p.sim.plan.failing) {
		return simAnswered
	}
	switch op {
	case opImage, opImages, opTasks, opTaskOf, opDetail:
		return pick(c, simRefused, simBroken)
	case opExport, opCancel:
		return pick(c, simRefused, simBroken, simLost, simLost)
	case "create", "put", "delete":
		return pick(c, simBroken, simLost)
	}
	return simBroken
}

// failure is an error of a call. Its cause holds what must never be seen.
func failure(op, code string, ambiguous bool, cause error) *CallError {
	e := &CallError{Op: op, Code: code, Message: "simulated", Ambiguous: ambiguous, Cause: fmt.Errorf("%s: %w", simSecret, io.EOF)}
	if cause != nil {
		e.Cause = fmt.Errorf("%s: %w", simSecret, cause)
	}
	if code != "" {
		e.Status = 400
		if ambiguous {
			e.Status = 500
		}
	}
	return e
}

// simSecret stands for a signed URL.
const simSecret = "https://signed.example/?Signature=hush"
