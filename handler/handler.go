// Package handler turns whatever invokes the function (a timer, an event about an image, a new object, an HTTP request, a
// person) into orders for the domain, and the domain's answers into a reply. It holds no cloud calls.
package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aliyun/fc-runtime-go-sdk/fccontext"
	"golang.org/x/sync/errgroup"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/metrics"
)

// A Ferry is the domain. An error means that the outcome could not be stored (or, for Get and List, read), so that the same
// call is worth repeating; every decision that was stored, refusals included, is a Result. All calls are idempotent, safe for
// concurrent use, and stop, with an error or an Incomplete round, before ctx ends.
type Ferry interface {
	// Submit starts, or queues, an export unless the journal has one already.
	Submit(ctx context.Context, o export.Order) (export.Result, error)
	// Follow looks after the exports that ECS works on; Drain submits what is queued and due.
	Follow(ctx context.Context) (export.Round, error)
	Drain(ctx context.Context) (export.Round, error)
	// Sweep submits the images that no event delivered.
	Sweep(ctx context.Context, o export.SweepOrder) (export.Round, error)
	// Cancel stops an export. It fails with export.ErrUnknown or export.ErrState where there is nothing to stop.
	Cancel(ctx context.Context, imageID string, t manifest.Trigger) (export.Result, error)
	// Get returns the newest revision; it fails with export.ErrUnknown when there is none.
	Get(ctx context.Context, imageID string) (*manifest.Manifest, error)
	// AnyExported chooses one of the exported images; it fails with export.ErrUnknown when there is none.
	AnyExported(ctx context.Context) (*manifest.Manifest, error)
	List(ctx context.Context, o export.ListOrder) (export.Page, error)
	// Notify tells people of the exports that have ended since, some at a time; it comes after the rounds of a tick.
	Notify(ctx context.Context) (export.Round, error)
	// Beat leaves the trace of a timer's rounds. It cannot fail: it is a hint.
	Beat(ctx context.Context, rounds []export.Round, requestID string, failed bool)
	// Source is what the status page shows.
	page.Source
}

// Options are the handler's settings.
type Options struct {
	// Auth is who may use HTTP: function, token or off. Anything else is off.
	Auth string
	// Token is the bearer token of the mode token; while it is empty, nobody gets in.
	Token string
	// Version is the program's, for the health check.
	Version string
	// Page is how the status page is served.
	Page page.Options
	// Metrics are served as they are counted; nil serves none.
	Metrics *metrics.Metrics
	// Log gets a line for each decision; nil discards them.
	Log *slog.Logger
}

// A Handler handles the invocations of the function. It is safe for concurrent use.
type Handler struct {
	open func(ctx context.Context) ([]Target, error)
	opts Options
	log  *slog.Logger
	page func() *page.Page // made for the first request
	warm atomic.Bool       // there was an invocation before
}

// New returns a handler. It calls open once in each invocation, with the invocation's context and so its credentials; open
// must not call the cloud, for it precedes even the health check. The first target is the function's own destination; the
// others have names of their own.
func New(open func(ctx context.Context) ([]Target, error), opts Options) *Handler {
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Handler{open: open, opts: opts, log: log, page: sync.OnceValue(func() *page.Page { return page.New(opts.Page) })}
}

// An Answer is what an invocation by an event or a timer did. FC keeps it for asynchronous destinations.
type Answer struct {
	Results []export.Result `json:"results,omitempty"`
	Rounds  []export.Round  `json:"rounds,omitempty"`
	// Targets are the ticks of the targets beside the function's own destination.
	Targets  []TargetAnswer  `json:"targets,omitempty"`
	Restores []RestoreAnswer `json:"restores,omitempty"`
	Ignored  []Ignored       `json:"ignored,omitempty"`
}

// An invocation is one call of Handle.
type invocation struct {
	*Handler
	requestID string
	targets   []Target
	target    string   // the name of the one that was asked for; empty when none was
	ferry     Ferry    // of that target, or of the function's own destination
	restores  Restores // likewise; nil where nothing is restored
	bucket    string   // likewise, of the exported objects
	openErr   error
	log       *slog.Logger
	summary   *summary
}

// Handle handles one invocation: it returns an Answer, or a Response to an HTTP request.
//
// However long the function's timeout is, what restores nothing takes at most briefTime.
//
// An error makes FC invoke again, and finally send the event to the failure destination. So there is one for an event that
// cannot be understood (a *DecodeError) and for an outcome that could not be stored, never for a decision. All events of an
// array are tried before the error is returned.
//
// The context given to open, and so to the domain, has a tally of calls, see metrics.WithTally.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) (any, error) {
	ctx, tally := metrics.WithTally(ctx)
	in := invocation{Handler: h, log: h.log, summary: &summary{
		begun: time.Now(), cold: !h.warm.Swap(true), tally: tally, results: map[manifest.State]int{},
	}}
	// Read once only: FromContext writes to what it returns.
	if fc, ok := fccontext.FromContext(ctx); ok {
		in.requestID = fc.RequestID
		in.log = h.log.With(slog.String("requestId", fc.RequestID))
	}
	log := in.log // serve may replace it
	late := in.summary.after(briefTime, func() { in.summary.log(ctx, log, soFar, nil) })
	var answer any
	err := in.guard(ctx, func() (err error) {
		answer, err = in.handle(ctx, raw)
		return err
	})
	line := whole
	if late() {
		line = rest
	}
	in.summary.log(ctx, in.log, line, err)
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// briefTime is how long an invocation takes at most that restores nothing. The function's timeout may be a day, for restores; an
// event, a tick or a page that takes longer than this is stuck, and better repeated.
const briefTime = 5 * time.Minute

// brief is ctx with the time that is left for whatever is no restore.
func (in *invocation) brief(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, in.summary.begun.Add(briefTime))
}

func (in *invocation) handle(ctx context.Context, raw json.RawMessage) (any, error) {
	in.openErr = in.guard(ctx, func() (err error) {
		in.targets, err = in.open(ctx)
		return err
	})
	var scopes []Scope
	for _, t := range in.targets {
		scopes = append(scopes, t.Scope)
	}
	if len(in.targets) > 0 {
		in.ferry, in.restores, in.bucket = in.targets[0].Ferry, in.targets[0].Restores, in.targets[0].Bucket
	}
	commands, decodeErr := Decode(raw, scopes...)
	in.summary.of(commands)
	if len(commands) == 1 {
		if request, ok := commands[0].(HTTP); ok {
			response := in.serve(ctx, request.Request)
			in.summary.answered(response.StatusCode)
			return response, nil
		}
	}
	if decodeErr != nil {
		in.summary.refused()
		in.log.LogAttrs(ctx, slog.LevelError, "refused", slog.String("error", decodeErr.Error()))
	}
	if in.openErr != nil {
		in.log.LogAttrs(ctx, slog.LevelError, "not configured", slog.String("error", in.openErr.Error()))
		return nil, errors.Join(fmt.Errorf("open: %w", in.openErr), decodeErr)
	}
	answer, runErr := in.runAll(ctx, commands)
	switch {
	case runErr == nil && decodeErr == nil:
		return answer, nil
	case runErr == nil:
		return nil, decodeErr
	case decodeErr == nil:
		return nil, runErr
	default:
		return nil, errors.Join(decodeErr, runErr)
	}
}

// parallel bounds the commands of one array that are at work: each waits for the network most of its time.
const parallel = 8

// runAll runs every command, whatever becomes of the others, and answers in their order.
func (in *invocation) runAll(ctx context.Context, commands []Command) (Answer, error) {
	answers := make([]Answer, len(commands))
	failures := make([]error, len(commands))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, c := range commands {
		group.Go(func() error {
			failures[i] = in.guard(ctx, func() (err error) {
				answers[i], err = in.run(ctx, c)
				return err
			})
			return nil
		})
	}
	_ = group.Wait() // the failures are in failures, all of them
	var all Answer
	var problems []error
	for i := range commands {
		all.Results = append(all.Results, answers[i].Results...)
		all.Rounds = append(all.Rounds, answers[i].Rounds...)
		all.Targets = append(all.Targets, answers[i].Targets...)
		all.Restores = append(all.Restores, answers[i].Restores...)
		all.Ignored = append(all.Ignored, answers[i].Ignored...)
		if failures[i] != nil {
			problems = append(problems, failures[i])
		}
	}
	return all, joinSome(problems)
}

func (in *invocation) run(ctx context.Context, c Command) (Answer, error) {
	switch c := c.(type) {
	case Submit:
		c.Order.Trigger.RequestID = in.requestID
		at, err := in.to(c.Target)
		if err != nil {
			return Answer{}, err
		}
		result, err := at.submit(ctx, c.Order)
		if err != nil {
			return Answer{}, err
		}
		return Answer{Results: []export.Result{result}}, nil
	case Tick:
		return in.ticks(ctx, c)
	case Restore:
		c.Trigger.RequestID = in.requestID
		at, err := in.to(c.Target)
		if err != nil {
			return Answer{}, err
		}
		return at.restore(ctx, c)
	case Ignored:
		c.Trigger.RequestID = in.requestID
		in.logIgnored(ctx, c)
		return Answer{Ignored: []Ignored{c}}, nil
	default:
		return Answer{}, fmt.Errorf("run %T: not a command of its own", c)
	}
}

func (in *invocation) submit(ctx context.Context, o export.Order) (export.Result, error) {
	ctx, cancel := in.brief(ctx)
	defer cancel()
	result, err := in.ferry.Submit(ctx, o)
	if err != nil {
		in.logFailure(ctx, "submit", o.ImageID, o.Trigger, err)
		return export.Result{}, fmt.Errorf("submit %s: %w", o.ImageID, err)
	}
	in.logResult(ctx, "submit", o.Trigger, result)
	return result, nil
}

// tick runs the rounds that a timer asks for, each even when the one before has failed.
func (in *invocation) tick(ctx context.Context, c Tick) ([]export.Round, error) {
	ctx, cancel := in.brief(ctx)
	defer cancel()
	c.Trigger.RequestID = in.requestID
	var rounds []export.Round
	var problems []error
	round := func(action string, call func() (export.Round, error)) {
		var r export.Round
		err := in.guard(ctx, func() (err error) {
			r, err = call()
			return err
		})
		if r.Action != "" { // a round that failed tells what it did before that
			in.logRound(ctx, c.Trigger, r)
			rounds = append(rounds, r)
		}
		if err != nil {
			in.logFailure(ctx, action, "", c.Trigger, err)
			problems = append(problems, fmt.Errorf("%s: %w", action, err))
		}
	}
	if c.Follow {
		round("follow", func() (export.Round, error) { return in.ferry.Follow(ctx) })
	}
	if c.Drain {
		round("drain", func() (export.Round, error) { return in.ferry.Drain(ctx) })
	}
	if c.Sweep != nil {
		order := *c.Sweep
		order.Trigger.RequestID = in.requestID
		round("sweep", func() (export.Round, error) { return in.ferry.Sweep(ctx, order) })
	}
	if c.Trigger.Kind == "timer" { // what a person asks for does not tell whether the timers run
		in.ferry.Beat(ctx, rounds, in.requestID, len(problems) > 0)
	}
	if c.Drain {
		in.notify(ctx, c.Trigger)
	}
	return rounds, joinSome(problems)
}

// notify tells people what has ended. That they cannot be told is no failure of the tick: FC would repeat all of it, and the
// next tick tells them.
func (in *invocation) notify(ctx context.Context, t manifest.Trigger) {
	err := in.guard(ctx, func() error {
		round, err := in.ferry.Notify(ctx)
		if round.Seen > 0 {
			in.log.LogAttrs(ctx, slog.LevelInfo, "notified", slog.Int("notices", round.Seen), slog.Bool("incomplete", round.Incomplete))
		}
		return err
	})
	if err != nil {
		in.logFailure(ctx, "notify", "", t, err)
	}
}

// errPanic is all that an answer tells of a panic.
var errPanic = errors.New("the program panicked: its log has the stack")

// guard makes an error of a panic: FC would go on with the process all the same, but print what the panic holds.
func (in *invocation) guard(ctx context.Context, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			// The panic's own text is not printed beyond its type, unless it is the runtime's: it may quote a request.
			what := fmt.Sprintf("%T", p)
			if e, ok := p.(runtime.Error); ok {
				what = e.Error()
			}
			in.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("error", what), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	return call()
}
