// Package fcd is the embedded cloud's Function Compute 3.0. It deploys one function from its s.yaml, runs the real binary
// through the runtime API that fc-runtime-go-sdk speaks, and fires its triggers: timers, events, HTTP, and the API.
package fcd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/trace"
)

// Errors of an invocation that did not reach the function, to be told apart with errors.Is.
var (
	// ErrNotDeployed: there is no function yet.
	ErrNotDeployed = errors.New("no function is deployed")
	// ErrThrottled: all instances that the account may have are at work.
	ErrThrottled = errors.New("too many concurrent invocations")
	// ErrClosed: the Server is closed.
	ErrClosed = errors.New("function compute is closed")
)

const (
	serviceName = "fc.aliyuncs.com"
	// credentialsLife is how long the keys of an invocation are valid.
	credentialsLife     = 36 * time.Hour
	defaultMaxInstances = 10
	// defaultRetryBase is the platform's first pause before it tries a throttled event again.
	defaultRetryBase = 500 * time.Millisecond
)

// Options configure a Server.
type Options struct {
	// Region and AccountID are where and for whom functions run.
	Region, AccountID string
	// Directory authenticates callers and issues the credentials of the function's role.
	Directory *account.Directory
	// Tap records the calls of the API, of the HTTP trigger and to the failure destination.
	Tap *trace.Tap
	// Bus delivers the events of event triggers. It may be nil if the function has none.
	Bus *eventbus.Bus
	// Speed is how much faster than real time the platform's time runs: for timers, the pauses between retries and the age
	// of events. 0 means 1. Timeouts, of up to a day, are in real time, because the function measures them itself.
	Speed float64
	// Binary is the path of the function's executable for this machine.
	Binary string
	// Env adds to the function's environment and wins over the specification.
	Env map[string]string
	// Timeout, if not 0, replaces the function's timeout.
	Timeout time.Duration
	// Log receives what the platform does. Nil discards it.
	Log *slog.Logger
	// Output receives what the function prints. Nil discards it.
	Output io.Writer
	// RetryBase is the first pause before an asynchronous event is retried, in the platform's time; it doubles with each
	// retry. 0 means half a second.
	RetryBase time.Duration
	// MaxInstances is how many instances may run at once. 0 means 10.
	MaxInstances int
}

// A Server is Function Compute for one function. Its methods are safe for concurrent use.
type Server struct {
	options Options
	clock   clock
	output  *lockedWriter
	// stop ends timers and pauses; running are the goroutines that Close waits for.
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	function *function
	// busy counts the synchronous invocations and asynchronous events that are not finished; settled is closed when it
	// becomes 0.
	busy        int
	settled     chan struct{}
	invocations int
	retries     int
	failures    []Failure
	// tasks are the ids of asynchronous tasks that callers have chosen.
	tasks map[string]bool
}

// A function is what is deployed. It does not change.
type function struct {
	spec              Spec
	region, accountID string
	binary            string
	timeout           time.Duration
	pool              *pool
}

// Stats count what a Server has done.
type Stats struct {
	// Invocations were handed to an instance, retries among them.
	Invocations int
	// Retries are asynchronous invocations after a failed one.
	Retries int
	// ColdStarts are instances that were started, and Instances those that run.
	ColdStarts, Instances int
	// InFlight are synchronous invocations and asynchronous events that are not finished, including those that wait to be
	// retried.
	InFlight int
}

// New returns a Server without a function.
func New(options Options) (*Server, error) {
	if options.Directory == nil || options.Tap == nil {
		return nil, errors.New("create function compute: Directory and Tap are required")
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Output == nil {
		options.Output = io.Discard
	}
	if options.MaxInstances <= 0 {
		options.MaxInstances = defaultMaxInstances
	}
	if options.RetryBase <= 0 {
		options.RetryBase = defaultRetryBase
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Server{
		options: options, clock: newClock(options.Speed), output: &lockedWriter{w: options.Output},
		ctx: ctx, stop: stop, tasks: map[string]bool{},
	}, nil
}

// Deploy creates the function and enables its triggers, once. It is an error if the binary is missing, the role cannot be
// assumed, or the function belongs to another region.
//
// Guess: the platform notices a role that does not trust it at the first invocation only.
func (s *Server) Deploy(_ context.Context, spec Spec) error {
	f, err := s.prepare(spec)
	if err != nil {
		return fmt.Errorf("deploy function %s: %w", spec.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("deploy function %s: %w", spec.Name, ErrClosed)
	case s.function != nil:
		return fmt.Errorf("deploy function %s: %s is deployed already", spec.Name, s.function.spec.Name)
	}
	for _, trigger := range spec.Events {
		source := "eventbridge/" + trigger.Name
		if err := s.options.Bus.Subscribe(trigger.Pattern, func(event []byte) { s.InvokeAsync(event, source) }); err != nil {
			return fmt.Errorf("deploy trigger %s: %w", trigger.Name, err)
		}
	}
	s.function = f
	for _, timer := range spec.Timers {
		s.running.Go(func() { s.runTimer(timer) })
	}
	s.options.Log.Info("function deployed", "function", spec.Name, "role", spec.Role,
		"timers", len(spec.Timers), "events", len(spec.Events), "http", spec.HTTP != nil)
	return nil
}

func (s *Server) prepare(spec Spec) (*function, error) {
	if spec.Region != s.options.Region {
		return nil, fmt.Errorf("its region is %s, not %s", spec.Region, s.options.Region)
	}
	if len(spec.Events) > 0 && s.options.Bus == nil {
		return nil, errors.New("it has event triggers, and there is no event bus")
	}
	binary, err := filepath.Abs(s.options.Binary)
	if err != nil {
		return nil, fmt.Errorf("find binary: %w", err)
	}
	if info, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("find binary: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("find binary: %s is not a file", binary)
	}
	if _, err := s.assume(spec.Role, "deploy"); err != nil {
		return nil, err
	}
	f := &function{spec: spec, region: s.options.Region, accountID: s.options.AccountID, binary: binary, timeout: spec.Timeout}
	if s.options.Timeout > 0 {
		f.timeout = s.options.Timeout
	}
	f.pool = newPool(s.options.MaxInstances, func() (*instance, error) {
		environment, err := s.environment(f)
		if err != nil {
			return nil, err
		}
		return startInstance(f, environment, s.output, s.options.Log)
	})
	return f, nil
}

func (s *Server) assume(role, session string) (account.Identity, error) {
	return s.options.Directory.AssumeByService(serviceName, role, session, credentialsLife)
}

// Kill ends the function's processes at once, whatever they are doing, and returns when they have ended. The invocations
// that they worked on fail; the next invocation starts a new process.
func (s *Server) Kill() {
	if f, err := s.deployed(); err == nil {
		f.pool.kill()
	}
}

// KillRequest is Kill for the one process that works on a request; if none does, there is nothing to do.
func (s *Server) KillRequest(requestID string) {
	f, err := s.deployed()
	if err != nil {
		return
	}
	if i := f.pool.working(requestID); i != nil {
		i.kill()
	}
}

// Stats returns the counts as of now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Invocations: s.invocations, Retries: s.retries, InFlight: s.busy}
	if s.function != nil {
		stats.Instances, stats.ColdStarts = s.function.pool.size()
	}
	return stats
}

// Idle waits until no invocation is running, waiting or to be retried.
func (s *Server) Idle(ctx context.Context) error {
	for {
		s.mu.Lock()
		busy, settled := s.busy, s.settled
		s.mu.Unlock()
		if busy == 0 {
			return nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d invocations: %w", busy, ctx.Err())
		}
	}
}

// Close ends timers, pending retries and processes, and waits for them. Invocations under way fail.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	f := s.function
	s.mu.Unlock()
	s.stop()
	if f != nil {
		f.pool.close()
	}
	s.running.Wait()
}

func (s *Server) deployed() (*function, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.function == nil:
		return nil, ErrNotDeployed
	}
	return s.function, nil
}

// enter notes that work begins which Idle and Close have to wait for, and which has to end with finish. It is false, and
// nothing may begin, if the Server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.busy++; s.busy == 1 {
		s.settled = make(chan struct{})
	}
	s.running.Add(1)
	return true
}

func (s *Server) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy--; s.busy == 0 {
		close(s.settled)
	}
	s.running.Done()
}

// newRequestID returns an id in the form of the platform's.
func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("1-%08x-%s-%s", time.Now().Unix(), h[:8], h[8:20])
}

// A lockedWriter lets several processes share a writer.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
