package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

const (
	// stageSpeed makes an export of 40 GiB last 60 ms.
	stageSpeed = 10000
	// stageTimeout is the function's, and so about what a lease lasts.
	stageTimeout = time.Second
)

// A stage is a cloud on which a scenario is played. The timers fire when the scenario has something for them to do: a
// round without work would only be one more point at which nothing can go wrong.
type stage struct {
	*saboteur
	output *transcript
	wanted []wanted
}

// play plays a scenario with at most one crash, lets the cloud come to rest and checks the invariants.
func play(t *testing.T, s scenario, c *crash) *stage {
	t.Helper()
	p := newStage(t, s, c)
	if s.fault != nil {
		p.fault = s.fault()
	}
	p.start()
	s.play(t, p)
	p.settle(t)
	p.audit(t, p.wanted, p.output.String())
	if failures := p.FC.Failures(); len(failures) > 0 {
		t.Errorf("an event was given up: %s", failures[0].Message)
	}
	if t.Failed() {
		p.tell(t)
	}
	return p
}

func newStage(t *testing.T, s scenario, c *crash) *stage {
	t.Helper()
	p := &stage{output: &transcript{}}
	env := map[string]string{"FERRY_RETRY_DELAY": "20ms", "FERRY_CLOCK_SKEW": "20ms"}
	maps.Copy(env, s.env)
	d := deploy(t, setup{
		Options:   localcloud.Options{Speed: stageSpeed},
		env:       env,
		timeout:   stageTimeout,
		retryBase: time.Duration(s.retryAfter.Seconds() * stageSpeed * float64(time.Second)),
		noTimers:  true,
		output:    p.output,
	})
	p.saboteur = &saboteur{deployment: d, crash: c, late: s.late, victims: map[int]bool{}, killed: map[string]int{}}
	if !s.fromScratch {
		if err := p.index().SetComplete(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// image adds an image and what is to become of it.
func (p *stage) image(w wanted, image ecsd.Image) string {
	image.Name = fmt.Sprintf("image-%d", len(p.wanted)+1)
	w.imageID = p.ECS.AddImage(image)
	p.wanted = append(p.wanted, w)
	return w.imageID
}

// announce delivers the event of an image's state; it does not wait for what comes of it.
func (p *stage) announce(imageID, state string) {
	p.FC.InvokeAsync(eventbus.CloudMonitorBody(p.Region, p.Directory.ID(), imageID, state, time.Now()), "eventbridge/image-state")
}

// order asks for an export by hand, without waiting for it.
func (p *stage) order(imageID string, force bool) {
	p.FC.InvokeAsync(fmt.Appendf(nil, `{"imageId":%q,"force":%t}`, imageID, force), "test")
}

// timer lets a timer fire, and waits until its event is done, retries included.
func (p *stage) timer(t *testing.T, action string) {
	t.Helper()
	event, err := json.Marshal(map[string]string{
		"triggerTime": time.Now().UTC().Format(time.RFC3339), "triggerName": action, "payload": `{"action":"` + action + `"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.FC.InvokeAsync(event, "timer/"+action)
	idle(t, p.deployment)
}

// maxRounds is far more than a scenario needs to come to rest.
const maxRounds = 60

// settle lets the timers fire as long as they have something to do.
func (p *stage) settle(t *testing.T) {
	t.Helper()
	idle(t, p.deployment)
	for range maxRounds {
		work := p.work(t)
		switch {
		case work.empty() && p.known(t):
			return
		case work.empty():
			p.timer(t, "sweep")
		default:
			p.await(t, work)
			p.timer(t, "follow")
		}
	}
	p.tell(t)
	t.Fatalf("%d rounds have not sufficed", maxRounds)
}

// work is what the index has for the timers.
type work struct {
	exporting []manifest.Marker
	// due is when the next round finds something in the queue, zero when the queue is empty.
	due  time.Time
	held bool
}

func (w work) empty() bool { return len(w.exporting) == 0 && w.due.IsZero() }

func (p *stage) work(t *testing.T) work {
	t.Helper()
	index := p.index()
	queued, _, err := index.Queued(t.Context(), manifest.Marker{})
	if err != nil {
		t.Fatal(err)
	}
	exporting, _, err := index.Exporting(t.Context(), manifest.Marker{})
	if err != nil {
		t.Fatal(err)
	}
	hold, err := index.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := work{exporting: exporting, held: hold != nil}
	for _, marker := range queued {
		due := marker.Due
		// An old marker of an export that was taken over leads nowhere until the new lease is over.
		if m := p.head(t, marker.ImageID); m != nil && m.State == manifest.Submitting && m.DueAt.After(due) {
			due = *m.DueAt
		}
		if w.due.IsZero() || due.Before(w.due) {
			w.due = due
		}
	}
	return w
}

// await waits until the next round has something to do: a task has ended or, unless a running task is in its way, something
// in the queue is due.
func (p *stage) await(t *testing.T, w work) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		running := p.running(w.exporting)
		if len(running) < len(w.exporting) {
			return
		}
		if !w.due.IsZero() && !w.due.After(time.Now()) && (!w.held || len(running) == 0) {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the test was ended")
		}
	}
}

// running are the tasks of markers that ECS works on.
func (p *stage) running(exporting []manifest.Marker) []ecsd.Task {
	return slices.DeleteFunc(p.ECS.Tasks(), func(task ecsd.Task) bool {
		return task.Status != ecsd.TaskProcessing ||
			!slices.ContainsFunc(exporting, func(m manifest.Marker) bool { return m.TaskID == task.ID })
	})
}

// known tells whether every image has an export that is over. One that nobody has heard of is the sweep's; one that is not
// over and that no marker leads to is lost.
func (p *stage) known(t *testing.T) bool {
	t.Helper()
	for _, w := range p.wanted {
		if m := p.head(t, w.imageID); m == nil || !m.State.Terminal() {
			return false
		}
	}
	return true
}

func (p *stage) index() *manifest.Index {
	return manifest.NewIndex(p.store, manifest.Layout(p.PolicyVars(p.spec).ManifestPrefix))
}

// tell logs what happened, for a scenario that went wrong.
func (p *stage) tell(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, c := range p.Tap.Calls() {
		if c.Principal != p.Administrator.ARN {
			fmt.Fprintf(&b, "%4d %s %-22s %3d %-24s %-10s %s %s\n", c.Seq, c.Time.Format("05.000"), c.Action, c.Status, c.Code, c.Fault,
				relative(c.Resource), c.Principal[strings.LastIndexByte(c.Principal, '/')+1:])
		}
	}
	for _, w := range p.wanted {
		if m := p.head(t, w.imageID); m != nil {
			fmt.Fprintf(&b, "%s is %s %s at revision %d\n", w.imageID, m.State, m.Reason, m.Revision)
		}
	}
	for _, task := range p.ECS.Tasks() {
		fmt.Fprintf(&b, "task %s of %s is %s\n", task.ID, task.ImageID, task.Status)
	}
	t.Logf("%s\n%s", b.String(), p.output.String())
}

// relative is the last part of a resource's name in RAM's notation.
func relative(resource string) string {
	parts := strings.SplitN(resource, ":", 6)
	return parts[len(parts)-1]
}

// A transcript keeps what the function prints.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// onlyOnce makes a fault happen to the first call that it fits.
func onlyOnce(fits func(trace.Call) bool, what sabotage) func() func(trace.Call) sabotage {
	return func() func(trace.Call) sabotage {
		done := false
		return func(c trace.Call) sabotage {
			if done || !fits(c) {
				return sabotage{}
			}
			done = true
			return what
		}
	}
}
