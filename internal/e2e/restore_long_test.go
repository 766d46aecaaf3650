package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// A slowdown delays what the function reads of exported objects, so that an archive takes longer to unpack than a short invocation
// has. It can kill the process that sends a part of a disk.
type slowdown struct {
	*deployment
	delay time.Duration
	dieAt int64 // the part; 0: none
	reads atomic.Int64
	parts atomic.Int64
}

func (d *deployment) slow(delay time.Duration, dieAt int64) *slowdown {
	s := &slowdown{deployment: d, delay: delay, dieAt: dieAt}
	d.Tap.Inject(func(c trace.Call) trace.Fault {
		switch {
		case !d.byFunction(c):
		case c.Operation == "GetObject" && strings.Contains(c.Resource, "/images_"):
			s.reads.Add(1)
			return trace.Fault{Delay: s.delay}
		case c.Operation == "UploadPart" || c.Operation == "UploadPartCopy":
			if s.parts.Add(1) == s.dieAt {
				d.FC.KillRequest(session(c))
				return trace.Fault{Cut: trace.CutBefore}
			}
		}
		return trace.Fault{}
	})
	return s
}

// session is the id of the request that makes a call of the function: its role's session is named after that.
func session(c trace.Call) string { return c.Principal[strings.LastIndexByte(c.Principal, '/')+1:] }

// history is the whole journal of a restore.
func (d *deployment) restoreHistory(t *testing.T, name string) []*restore.Record {
	t.Helper()
	journal := restore.NewJournal(d.store, manifest.Layout(d.PolicyVars(d.spec).ManifestPrefix))
	places, err := journal.History(t.Context(), d.Region, name)
	if err != nil {
		t.Fatal(err)
	}
	var all []*restore.Record
	for _, p := range places {
		all = append(all, p.Revision)
	}
	return all
}

// shortTimeout stands for the five minutes that the function has unless one says more: timeouts are in real time.
const shortTimeout = 6 * time.Second

// TestRestoreLongerThanAnInvocation: the ticks of a function with a short timeout never come to the end of a large archive, and say
// what would.
func TestRestoreLongerThanAnInvocation(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{
		Options: localcloud.Options{Speed: 6000}, noTimers: true, timeout: shortTimeout,
		vars: map[string]string{"restore": "true"},
	})
	m := d.golden(t, "web-01")
	d.want(t, http.StatusAccepted, http.MethodPost, "/exports/"+m.Image.ID+"/restore", `{"name":"web-02"}`, &restore.Record{})
	s := d.slow(2500*time.Millisecond, 0)
	for n := 1; n <= 2; n++ {
		before := s.reads.Load()
		d.handle(t, tickEvent)
		record := d.restoreHead(t, "web-02")
		if record.State != restore.Queued || record.Reason != "interrupted" || !strings.Contains(record.Remedy, "longer timeout") {
			t.Errorf("after tick %d: %s %s %q", n, record.State, record.Reason, record.Remedy)
		}
		if s.reads.Load() == before {
			t.Errorf("tick %d has read nothing", n)
		}
	}
	if d.imports() != 0 {
		t.Error("there is an import")
	}
}

// TestLongRestoreInOneInvocation: asked to wait, by a request that Function Compute takes in for later, the function with a timeout of
// a day reads the same archive in one invocation. Ticks go on meanwhile, and leave it alone.
func TestLongRestoreInOneInvocation(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{
		Options: localcloud.Options{Speed: 6000}, noTimers: true,
		vars: map[string]string{"restore": "true", "timeout": "86400"},
	})
	m := d.golden(t, "web-01")
	d.slow(1500*time.Millisecond, 0)
	asked := d.askToWait(t, m)
	reading := func() bool {
		record := d.restoreHead(t, "web-02")
		return record == nil || record.State == restore.Preparing
	}
	ticks := 0
	for begun := time.Now(); reading() && time.Since(begun) < time.Minute; {
		if worked := d.tickAnswer(t); reading() {
			ticks++
			if len(worked.Restores) > 0 {
				t.Errorf("tick %d: %+v", ticks, worked.Restores)
			}
		}
	}
	record := d.ticked(t, "web-02", never)
	d.checkRestoredOnce(t, m, record)
	if took := record.Image.RecordedAt.Sub(record.BegunAt); took < shortTimeout {
		t.Errorf("a short invocation would have done in %v", took)
	}
	for _, r := range d.restoreHistory(t, "web-02") {
		if r.Reason != "" {
			t.Errorf("revision %d is %s %s", r.Revision, r.State, r.Reason)
		}
	}
	writes := 0
	for _, c := range d.Tap.Calls() {
		unpacks := c.Action == "oss:PutObject" && strings.Contains(c.Resource, "/imageferry/restore/")
		if !d.byFunction(c) || !unpacks && c.Action != "ecs:ImportImage" {
			continue
		}
		if writes++; session(c) != asked {
			t.Errorf("%s of %s by %s, not by %s", c.Operation, c.Resource, session(c), asked)
		}
	}
	if ticks < 2 || writes < 2 {
		t.Errorf("%d ticks while it was read, %d calls for it", ticks, writes)
	}
}

// TestLongRestoreDies: asked by InvokeFunction, the process is killed between two parts. Function Compute tries the request again, which finds that somebody has
// the restore; when his lease is over, a tick takes over.
func TestLongRestoreDies(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{
		// The lease ends with the invocation: one of a day would be taken over after three minutes.
		Options: localcloud.Options{Speed: 6000}, noTimers: true, timeout: 12 * time.Second,
		vars: map[string]string{"restore": "true"},
	})
	m := d.golden(t, "web-01")
	s := d.slow(300*time.Millisecond, 2)
	r := d.invokeAPI(t, []byte(`{"action":"restore","imageId":"`+m.Image.ID+`","name":"web-02"}`), asynchronously)
	asked := r.header.Get("X-Fc-Request-Id")
	if r.status != http.StatusAccepted || len(r.body) != 0 || asked == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	idle(t, d)
	record := d.restoreHead(t, "web-02")
	if s.parts.Load() < 2 || record.State != restore.Preparing || d.FC.Stats().Retries != 1 || len(d.FC.Failures()) != 0 {
		t.Fatalf("%d parts, %s, %+v, %+v", s.parts.Load(), record.State, d.FC.Stats(), d.FC.Failures())
	}
	if worked := d.tickAnswer(t); len(worked.Restores) > 0 {
		t.Errorf("before the lease is over: %+v", worked.Restores)
	}
	d.checkRestoredOnce(t, m, d.ticked(t, "web-02", never))
	for _, c := range d.Tap.Calls() {
		if c.Action == "ecs:ImportImage" && session(c) == asked {
			t.Error("the dead one has imported")
		}
	}
}

// askToWait asks for the restore web-02 as a script does that does not wait, and returns the id of the request.
func (d *deployment) askToWait(t *testing.T, m *manifest.Manifest) string {
	t.Helper()
	r := d.call(t, http.MethodPost, "/exports/"+m.Image.ID+"/restore", `{"name":"web-02","wait":true}`, asynchronously)
	if r.status != http.StatusAccepted || len(r.body) != 0 || r.header.Get("X-Fc-Request-Id") == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return r.header.Get("X-Fc-Request-Id")
}

// tickAnswer makes a tick, which is not to fail.
func (d *deployment) tickAnswer(t *testing.T) (answer struct {
	Restores []struct{ Name, State string }
}) {
	t.Helper()
	result, err := d.FC.Invoke(t.Context(), []byte(tickEvent))
	if err == nil {
		err = json.Unmarshal(result.Payload, &answer)
	}
	if err != nil || result.ErrorType != "" {
		t.Fatalf("tick: %s (%v)", result.Payload, err)
	}
	return answer
}

func (d *deployment) checkRestoredOnce(t *testing.T, m *manifest.Manifest, record *restore.Record) {
	t.Helper()
	if record.State != restore.Restored || len(record.Verification.Differences()) > 0 || d.imports() != 1 {
		t.Fatalf("%s %s %s after %d imports", record.State, record.Reason, record.Detail, d.imports())
	}
	d.sameDisks(t, m.Image.ID, record.Image.ID)
	d.nothingLeft(t)
}
