package alicloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"imageferry/internal/export"
)

// A line is what both clients send their calls over.
type line struct {
	service     string // as in RAM's actions: ecs, oss, sts or ram
	credentials Provider
	http        http.RoundTripper
	log         *slog.Logger
	backoff     Backoff
	// random gives a duration from 0 to most, both included.
	random  func(most time.Duration) time.Duration
	timeout time.Duration // of one try
	// observer may be nil.
	observer Observer
}

// to is the line to another service.
func (l line) to(service string) line {
	l.service = service
	return l
}

// Backoff is the wait between tries: random up to a bound that starts at First and doubles up to Max.
type Backoff struct {
	First time.Duration
	Max   time.Duration
}

func (b Backoff) orDefault() Backoff {
	if b.First <= 0 {
		b.First = 100 * time.Millisecond
	}
	if b.Max <= 0 {
		b.Max = 2 * time.Second
	}
	return b
}

// pause is the wait after the nth try, counted from 1. It is random over its whole range ("full jitter"), so that callers
// who failed at one time do not come back at one time.
func (b Backoff) pause(n int, random func(most time.Duration) time.Duration) time.Duration {
	bound := min(b.First, b.Max)
	for ; n > 1 && bound < b.Max; n-- {
		bound = min(2*bound, b.Max)
	}
	return random(bound)
}

func jitter(most time.Duration) time.Duration {
	return rand.N(most + 1) // #nosec G404 -- spreads retries, keeps no secret
}

// A try sends one request through x with the credentials given. A nil error means that the answer was good, read, and
// understood.
type try func(x *exchange, c Credentials) error

// errOwn marks the end of a try's own time, as against the caller's. Transports report it as it is, or as the deadline
// that it stands for.
var errOwn = fmt.Errorf("the time of this try is over: %w", context.DeadlineExceeded)

// call makes up to tries tries, with waits between them, for as long as ctx allows. repeat decides on faults that do not
// come from transport or a failing service. The fault of the last try stands for all of them, except that an earlier one
// may have been applied.
func (l *line) call(ctx context.Context, op string, limit int64, tries int, repeat func(*fault) bool, do try) *fault {
	ambiguous := false
	for n := 1; ; n++ {
		f := l.once(ctx, op, limit, do)
		l.observe(ctx, op, f)
		if f != nil {
			ambiguous = ambiguous || f.Ambiguous
			f.Ambiguous = ambiguous
		}
		if f == nil || n >= tries || !repeat(f) {
			return f
		}
		if !l.wait(ctx, n) {
			if err := ctx.Err(); err != nil {
				f.Cause = err
			}
			return f
		}
		l.log.LogAttrs(ctx, slog.LevelWarn, "call is tried again", slog.String("op", op), slog.Int("try", n+1),
			slog.String("code", f.Code), slog.Int("status", f.Status), slog.String("message", f.Message))
	}
}

func (l *line) once(ctx context.Context, op string, limit int64, do try) *fault {
	c, err := l.sign(ctx)
	if err != nil {
		return &fault{
			CallError: &export.CallError{Op: op, Message: "get credentials: " + reason(err, c), Cause: cause(err)},
			unsent:    true,
		}
	}
	own, cancel := context.WithTimeoutCause(ctx, l.timeout, errOwn)
	defer cancel()
	x := &exchange{ctx: own, http: l.http, limit: limit}
	err = guard(func() error { return do(x, c) })
	if err == nil && x.succeeded() {
		return nil
	}
	f := faultOf(op, x, err, c)
	if ctx.Err() != nil {
		f.again = false
		if f.Cause != nil || x.err != nil {
			f.Cause = ctx.Err() // a transport may report what the context was cancelled for instead
		}
	} else if errors.Is(f.Cause, context.DeadlineExceeded) && context.Cause(own) == errOwn {
		f.Message = fmt.Sprintf("no answer within %v", l.timeout)
	}
	return f
}

func (l *line) sign(ctx context.Context) (Credentials, error) {
	if err := ctx.Err(); err != nil {
		return Credentials{}, err
	}
	c, err := l.credentials(ctx)
	if err == nil && (c.AccessKeyID == "" || c.AccessKeySecret == "") {
		err = errors.New("the provider gave none")
	}
	return c, err
}

// guard turns a panic into an error: the SDKs assert the types of what services send.
func guard(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the SDK could not read the answer")
		}
	}()
	return do()
}

// wait lets the time after the nth try pass; it is false, at once, when ctx would end before that.
func (l *line) wait(ctx context.Context, n int) bool {
	pause := l.backoff.pause(n, l.random)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
