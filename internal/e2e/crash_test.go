package e2e

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud/trace"
)

var crashEvery = flag.Int("crash.every", 11, "try every nth crash point; 1 tries all of them; with -short a seventh of those")

// TestCrashes kills the function's process at each of its calls, once before the call is applied and once before it is
// answered, lets the platform go on as usual, and finds every invariant kept. A point is a call of a scenario, in the order
// in which the calls of a run arrive, and one of the two sides.
func TestCrashes(t *testing.T) {
	t.Parallel()
	step := max(1, *crashEvery)
	if testing.Short() {
		step *= 7
	}
	var all tally
	t.Cleanup(func() { fmt.Println("crash points:", &all) })
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			calls := play(t, s, nil).count
			if calls == 0 {
				t.Fatal("the scenario makes no calls")
			}
			var mine tally
			t.Run("at", func(t *testing.T) {
				for n := 0; n < 2*calls; n += step {
					c := &crash{at: n/2 + 1, after: n%2 == 1}
					t.Run(c.String(), func(t *testing.T) {
						t.Parallel()
						mine.count(play(t, s, c).crashed())
					})
				}
			})
			if 2*mine.reached.Load() < mine.tried.Load() {
				t.Errorf("fewer than half of the points were reached: %s", &mine)
			}
			all.add(&mine)
			fmt.Printf("crash points of %s: %d calls, %s\n", s.name, calls, &mine)
		})
	}
}

// A tally counts crash points.
type tally struct{ tried, reached atomic.Int64 }

// count adds one that was tried. The run with the crash may end before the call: what it does depends on the order of calls.
func (c *tally) count(reached bool) {
	c.tried.Add(1)
	if reached {
		c.reached.Add(1)
	}
}

func (c *tally) add(other *tally) {
	c.tried.Add(other.tried.Load())
	c.reached.Add(other.reached.Load())
}

func (c *tally) String() string {
	return fmt.Sprintf("%d tried, %d reached", c.tried.Load(), c.reached.Load())
}

// A crash ends the process that makes a call: before the call is applied, or after that and before it is answered.
type crash struct {
	at    int // counted from 1
	after bool
}

func (c *crash) String() string {
	if c.after {
		return fmt.Sprintf("%03d-after", c.at)
	}
	return fmt.Sprintf("%03d-before", c.at)
}

// A saboteur counts the calls of the function's processes and carries out a scenario's faults and the crash.
type saboteur struct {
	*deployment
	crash *crash // nil: only count
	// fault is the scenario's own, for a call of the function; nil when it has none.
	fault func(trace.Call) sabotage
	// late writes are those below this part of the manifest prefix: every other call that is on its way with one overtakes
	// it, and it is lost with its process. Empty: none is late.
	late string

	mu      sync.Mutex
	count   int
	victims map[int]bool // the calls, by Seq, after which their process dies
	hit     bool
	killed  map[string]int // how many processes died at work on a request
}

// A sabotage is what happens to one call.
type sabotage struct {
	trace.Fault
	// kill ends the process too, at the point where the fault cuts the connection.
	kill bool
	// uncounted calls are no crash points.
	uncounted bool
}

func (s *saboteur) start() {
	s.Tap.Watch(s.applied)
	s.Tap.Inject(s.arrived)
}

// arrived is called before a call is applied.
func (s *saboteur) arrived(c trace.Call) trace.Fault {
	if !s.byFunction(c) || c.Service != "ecs" && c.Service != "oss" {
		return trace.Fault{}
	}
	if s.lost(c) {
		return trace.Fault{Cut: trace.CutBefore}
	}
	what := s.choose(c)
	if what.kill && what.Cut == trace.CutBefore {
		s.kill(c)
	}
	return what.Fault
}

// lateness is far longer than the other calls of a moment need, and short against everything else.
const lateness = 5 * time.Millisecond

// lost holds up a late write, and tells whether its process has died meanwhile.
func (s *saboteur) lost(c trace.Call) bool {
	if s.late == "" || c.Action != "oss:PutObject" || !strings.Contains(c.Resource, "/"+s.late+"/") {
		return false
	}
	before := s.deaths(c)
	<-time.After(lateness)
	return s.deaths(c) > before
}

// deaths counts the processes that died at work on the request that makes a call.
func (s *saboteur) deaths(c trace.Call) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed[c.Principal]
}

func (s *saboteur) choose(c trace.Call) sabotage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var what sabotage
	if s.fault != nil {
		what = s.fault(c)
	}
	if !what.uncounted {
		s.count++
		if s.crash != nil && s.crash.at == s.count {
			s.hit = true
			what = sabotage{Fault: trace.Fault{Cut: trace.CutBefore}, kill: true}
			if s.crash.after {
				what.Cut = trace.CutAfter
			}
		}
	}
	if what.kill && what.Cut == trace.CutAfter {
		s.victims[c.Seq] = true
	}
	return what
}

// applied is called before a call is answered.
func (s *saboteur) applied(c trace.Call) {
	s.mu.Lock()
	victim := s.victims[c.Seq]
	s.mu.Unlock()
	if victim {
		s.kill(c)
	}
}

// kill ends the process that makes the call: the session of its role is named after the request.
func (s *saboteur) kill(c trace.Call) {
	s.mu.Lock()
	s.killed[c.Principal]++
	s.mu.Unlock()
	s.FC.KillRequest(c.Principal[strings.LastIndexByte(c.Principal, '/')+1:])
}

func (s *saboteur) crashed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hit
}
