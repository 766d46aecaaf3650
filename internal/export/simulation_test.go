package export

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

var (
	simSeeds = flag.Uint64("sim.seeds", 2000, "how many scenarios TestSimulation plays; with -short a tenth of them")
	simFirst = flag.Uint64("sim.first", 1, "the seed of the first one")
	simSeed  = flag.Uint64("sim.seed", 0, "play the scenario of this seed alone, and tell all that happens")
)

// TestSimulation plays scenarios in which several invocations work side by side while calls fail, get lost or come late and
// processes die or stand still, and asserts the invariants of the protocol at every step. What is left over when the calm
// comes, the timers have to bring to an end.
func TestSimulation(t *testing.T) {
	t.Parallel()
	if *simSeed != 0 {
		s := simulate(t, *simSeed, func(line string) { fmt.Println(line) })
		if len(s.violations) > 0 {
			t.Errorf("seed %d:\n%s", s.seed, strings.Join(s.violations, "\n"))
		}
		return
	}
	seeds := *simSeeds
	if testing.Short() {
		seeds /= 10
	}
	var next atomic.Uint64
	next.Store(*simFirst)
	var steps, tasks atomic.Int64
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for {
				seed := next.Add(1) - 1
				if seed >= *simFirst+seeds || t.Failed() {
					return
				}
				s := simulate(t, seed, nil)
				steps.Add(int64(s.steps))
				tasks.Add(int64(len(s.ecs.tasks)))
				if len(s.violations) > 0 {
					retell(t, s)
				}
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d calls, %d tasks", steps.Load(), tasks.Load()) })
}

// retell plays a scenario that has failed once more, to print what happened.
func retell(t *testing.T, failed *simulation) {
	t.Helper()
	var story strings.Builder
	simulate(t, failed.seed, func(line string) { story.WriteString(line + "\n") })
	t.Errorf("seed %d (go test ./internal/export -run 'TestSimulation$' -sim.seed=%d):\n%s\n\n%s", failed.seed, failed.seed,
		strings.Join(failed.violations, "\n"), story.String())
}

// simulate plays one scenario.
func simulate(t *testing.T, seed uint64, tell func(string)) *simulation {
	t.Helper()
	var s *simulation
	synctest.Test(t, func(t *testing.T) {
		s = newSimulation(seed)
		s.tell = tell
		s.run(t.Context())
	})
	return s
}

// A seed tells the same story each time.
func TestSimulationIsDeterministic(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		if a, b := simulate(t, seed+1, nil), simulate(t, seed+1, nil); a.story.state != b.story.state || a.steps != b.steps {
			t.Errorf("seed %d: %d calls, then %d others", seed+1, a.steps, b.steps)
		}
	}
}
