package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// deployRestoring deploys a function that restores, with the manifests apart from the images. An invocation has a few seconds,
// and so a killed one is taken over soon. The test makes the ticks.
func deployRestoring(t *testing.T) *deployment {
	t.Helper()
	return deploy(t, setup{
		Options: localcloud.Options{Speed: 6000}, noTimers: true, timeout: 6 * time.Second,
		vars: map[string]string{"restore": "true", "manifestBucket": "imageferry-manifests"},
	})
}

// golden is an exported image of two disks.
func (d *deployment) golden(t *testing.T, name string) *manifest.Manifest {
	t.Helper()
	id := d.ECS.AddImage(ecsd.Image{Name: name, Family: "golden", Tags: map[string]string{"team": "red"}, Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 20, Content: ecsd.SampleDisk(name+" a", 64<<20)},
		{Device: "/dev/xvdb", Type: "data", SizeGiB: 40, Content: ecsd.SampleDisk(name+" b", 32<<20)},
	}})
	for begun := time.Now(); time.Since(begun) < time.Minute; d.handle(t, tickEvent) {
		switch m := d.head(t, id); {
		case m == nil:
			d.handle(t, `{"imageId":"`+id+`"}`)
		case m.State == manifest.Exported:
			return m
		}
	}
	t.Fatalf("%s is not exported: %+v", name, d.head(t, id))
	return nil
}

// handle has the function handle an event, to its end, which may be that of its process.
func (d *deployment) handle(t *testing.T, event string) {
	t.Helper()
	_, err := d.FC.Invoke(t.Context(), []byte(event))
	if err != nil && !errors.Is(err, fcd.ErrThrottled) {
		t.Logf("%s: %v", event, err)
	}
}

const (
	tickEvent     = `{"triggerTime":"2026-11-23T00:00:00Z","triggerName":"follow","payload":"{\"action\":\"follow\"}"}`
	rehearseEvent = `{"triggerTime":"2026-11-23T00:00:00Z","triggerName":"rehearse","payload":"{\"action\":\"rehearse\"}"}`
)

// restoreHead is the newest revision of a restore, nil when there is none.
func (d *deployment) restoreHead(t *testing.T, name string) *restore.Record {
	t.Helper()
	journal := restore.NewJournal(d.store, manifest.Layout(d.PolicyVars(d.spec).ManifestPrefix))
	record, err := journal.Head(t.Context(), d.Region, name)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// ticked makes ticks until the restore has ended, or until it is told to stop.
func (d *deployment) ticked(t *testing.T, name string, stop func() bool) *restore.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		record := d.restoreHead(t, name)
		if record != nil && record.State.Terminal() || stop() {
			return record
		}
		if record != nil && record.Lease != nil && time.Now().Before(record.Lease.Until) {
			select { // somebody is at it, or was killed
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		d.handle(t, tickEvent)
	}
	t.Fatalf("%s has not ended: %+v", name, d.restoreHead(t, name))
	return nil
}

func never() bool { return false }

// imports are the tasks that ECS has begun.
func (d *deployment) imports() int {
	n := 0
	for _, task := range d.ECS.Tasks() {
		if task.Action == "ImportImage" {
			n++
		}
	}
	return n
}

// sameDisks compares the disks of a restored image with those of the one that was exported.
func (d *deployment) sameDisks(t *testing.T, was, is string) {
	t.Helper()
	for _, device := range []string{"/dev/xvda", "/dev/xvdb"} {
		want, _ := d.ECS.DiskContent(was, device)
		got, ok := d.ECS.DiskContent(is, device)
		if !ok || got.Size() != want.Size() || got.CRC64() != want.CRC64() {
			t.Errorf("%s has other bytes", device)
		}
	}
}

// TestRestoreInTheFunction: somebody asks for a restore over HTTP, and the timer's ticks do it, also when a process dies at one of its
// calls. ECS makes one image.
func TestRestoreInTheFunction(t *testing.T) {
	t.Parallel()
	calls := restoreOver(t, 0, false)
	for n := range 6 {
		for _, after := range []bool{false, true} {
			at := 1 + n*calls/6
			t.Run(fmt.Sprintf("killed at call %d of %d, applied %t", at, calls, after), func(t *testing.T) {
				t.Parallel()
				restoreOver(t, at, after)
			})
		}
	}
}

// restoreOver lets the function restore over HTTP, killing its process at a call of the ticks' (0: none), and counts these.
func restoreOver(t *testing.T, killAt int, after bool) int {
	t.Helper()
	d := deployRestoring(t)
	m := d.golden(t, "web-01")
	var queued restore.Record
	r := d.want(t, http.StatusAccepted, http.MethodPost, "/exports/"+m.Image.ID+"/restore", `{"name":"web-01-restored"}`, &queued)
	if queued.State != restore.Queued || queued.Reason != "restore-not-begun" || r.header.Get("Location") != "/restores/web-01-restored" {
		t.Fatalf("%+v at %s", queued, r.header.Get("Location"))
	}
	s := &killer{deployment: d, at: int64(killAt), after: after}
	s.start()
	record := d.ticked(t, "web-01-restored", never)
	if record.State != restore.Restored || record.Reason != "" || len(record.Verification.Differences()) > 0 || record.Trigger.Kind != "http" {
		t.Fatalf("%s %s %s, %+v", record.State, record.Reason, record.Detail, record.Verification)
	}
	if n := d.imports(); n != 1 {
		t.Errorf("%d imports", n)
	}
	if killAt > 0 && !s.killed.Load() {
		t.Errorf("there were only %d calls", s.count.Load())
	}
	d.sameDisks(t, m.Image.ID, record.Image.ID)
	d.nothingLeft(t)
	whole := manifest.Layout("imageferry/").OpenComplete(record.Region)
	if keys, _, err := d.store.List(t.Context(), "imageferry/active/restores/", "", 10); err != nil || !slices.Equal(keys, []string{whole}) {
		t.Errorf("the index has %q (%v)", keys, err)
	}
	if killAt > 0 {
		return 0
	}
	var list struct {
		Restores []struct{ Name, State, From, ImageID string }
	}
	d.want(t, http.StatusOK, http.MethodGet, "/restores", "", &list)
	if len(list.Restores) != 1 || list.Restores[0].From != m.Image.ID || list.Restores[0].ImageID != record.Image.ID {
		t.Errorf("list %+v", list)
	}
	var one restore.Record
	d.want(t, http.StatusOK, http.MethodGet, "/restores/web-01-restored", "", &one)
	if one.Revision != record.Revision || one.Source.Image.ID != m.Image.ID {
		t.Errorf("one %+v", one)
	}
	d.want(t, http.StatusOK, http.MethodPost, "/exports/"+m.Image.ID+"/restore", `{"name":"web-01-restored"}`, &one)
	d.problem(t, d.call(t, http.MethodPost, "/exports/"+m.Image.ID+"/restore", ""), http.StatusConflict, "name-taken")
	d.problem(t, d.call(t, http.MethodPost, "/restores/web-01-restored/cancel", ""), http.StatusConflict, "wrong-state")
	d.problem(t, d.call(t, http.MethodGet, "/restores/web-02", ""), http.StatusNotFound, "unknown-restore")
	return int(s.count.Load())
}

// A killer ends the process of the function that makes a call, one of those that change something.
type killer struct {
	*deployment
	at     int64
	after  bool
	count  atomic.Int64
	victim atomic.Int64 // its Seq
	killed atomic.Bool
}

func (k *killer) start() {
	k.Tap.Watch(func(c trace.Call) {
		if k.victim.Load() == int64(c.Seq) && k.after {
			k.kill(c)
		}
	})
	k.Tap.Inject(func(c trace.Call) trace.Fault {
		if !k.byFunction(c) || !changes(c) || k.count.Add(1) != k.at {
			return trace.Fault{}
		}
		if k.after {
			k.victim.Store(int64(c.Seq))
			return trace.Fault{Cut: trace.CutAfter}
		}
		k.kill(c)
		return trace.Fault{Cut: trace.CutBefore}
	})
}

// changes tells whether a call changes something that a restore rests on: how many of the others there are, depends on the clock.
func changes(c trace.Call) bool {
	switch c.Action {
	case "oss:PutObject", "oss:DeleteObject", "ecs:ImportImage", "ecs:ModifyImageAttribute":
		return !strings.Contains(c.Resource, "/active/")
	}
	return false
}

func (k *killer) kill(c trace.Call) {
	k.killed.Store(true)
	k.FC.KillRequest(c.Principal[strings.LastIndexByte(c.Principal, '/')+1:])
}

// TestRehearsalInTheFunction: a timer asks for the rehearsal of any export. It leaves nothing but the record that it went well, and the
// event of its image starts no export.
func TestRehearsalInTheFunction(t *testing.T) {
	t.Parallel()
	d := deployRestoring(t)
	m := d.golden(t, "web-01")
	d.handle(t, rehearseEvent)
	name := restore.RehearsalName(m.Image.ID)
	record := d.ticked(t, name, never)
	if record.State != restore.Rehearsed || len(record.Warnings) != 1 {
		t.Fatalf("%s %s %s %q", record.State, record.Reason, record.Detail, record.Warnings)
	}
	idle(t, d)
	if _, there := d.ECS.Image(record.Image.ID); there || len(d.ECS.LeftSnapshots()) > 0 {
		t.Errorf("left: image %t, snapshots %q", there, d.ECS.LeftSnapshots())
	}
	d.nothingLeft(t)
	if export := d.head(t, record.Image.ID); export != nil {
		t.Errorf("the rehearsal's image is %s", export.State)
	}
	data, err := d.store.Get(t.Context(), manifest.Layout("imageferry/").Rehearsal(d.at, m.Image.ID))
	if err != nil {
		t.Fatal(err)
	}
	var shown restore.Rehearsals
	if err := json.Unmarshal(data, &shown); err != nil || !shown.Last.OK || shown.Proven == nil || shown.Proven.Restore != name {
		t.Errorf("%s (%v)", data, err)
	}
	for _, call := range d.Tap.Calls() {
		if call.Status == http.StatusForbidden {
			t.Errorf("denied: %+v", call)
		}
	}
}

// TestRestoreIsOff: unless it is wanted, the function restores nothing, says so, and its ticks cost nothing more. With restores, and
// none to go on with, a tick costs a list call.
func TestRestoreIsOff(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true})
	id := d.ECS.AddImage(ecsd.Image{Name: "web-01"})
	d.problem(t, d.call(t, http.MethodPost, "/exports/"+id+"/restore", ""), http.StatusForbidden, "restore-off")
	d.problem(t, d.call(t, http.MethodGet, "/restores", ""), http.StatusForbidden, "restore-off")
	d.handle(t, rehearseEvent)
	if _, _, there := d.Directory.Role(localcloud.ImportRole); there {
		t.Error("there is an import role")
	}
	if off, on := d.tickCosts(t), deployRestoring(t).tickCosts(t); on != off+1 {
		t.Errorf("a tick costs %d calls without restores and %d with them", off, on)
	}
}

// tickCosts counts the calls of a tick that has nothing to do.
func (d *deployment) tickCosts(t *testing.T) int {
	t.Helper()
	d.handle(t, tickEvent)
	d.Tap.Reset()
	d.handle(t, tickEvent)
	n := 0
	for _, c := range d.Tap.Calls() {
		if d.byFunction(c) {
			n++
		}
	}
	return n
}
