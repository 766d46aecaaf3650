package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud/trace"
	"imageferry/internal/restore"
	"imageferry/policy"
)

// restoreDocuments are the permissions that restores need in addition, and the trust of the role that has them.
var restoreDocuments = map[string]string{
	policy.RestorePermissions: policy.FunctionTrust,
	policy.ImportPermissions:  policy.ImportTrust,
}

// restoreJourney makes the function do everything that it does for restores: one of them, the rehearsal of one, one whose process
// dies between two parts of an upload, one that is cancelled then, and a sweep. It stops at the call that stop names, and tells
// whether it came to its end.
func (d *deployment) restoreJourney(t *testing.T, stop func(trace.Call) bool) bool {
	t.Helper()
	stopped := make(chan struct{}, 1)
	over := func() bool { return len(stopped) > 0 }
	d.Tap.Watch(func(c trace.Call) {
		if stop(c) {
			select {
			case stopped <- struct{}{}:
			default:
			}
		}
	})
	m := d.golden(t, "web-01")
	ask := func(body string) int {
		return d.call(t, http.MethodPost, "/exports/"+m.Image.ID+"/restore", body).status
	}
	ends := func(name string, state restore.State) bool {
		record := d.ticked(t, name, over)
		return !over() && record != nil && record.State == state
	}
	died := func(body, name string) bool {
		d.dieAtPart(2)
		defer d.Tap.Inject(nil)
		if ask(body) != http.StatusAccepted {
			return false
		}
		d.handle(t, tickEvent)
		record := d.restoreHead(t, name)
		return record != nil && record.State == restore.Preparing
	}
	if ask(`{"name":"restored"}`) != http.StatusAccepted || !ends("restored", restore.Restored) {
		return false
	}
	d.handle(t, rehearseEvent)
	if !ends(restore.RehearsalName(m.Image.ID), restore.Rehearsed) || len(d.ECS.LeftSnapshots()) > 0 {
		return false
	}
	if !died(`{"name":"died"}`, "died") || !ends("died", restore.Restored) {
		return false
	}
	if !died(`{"name":"cancelled"}`, "cancelled") {
		return false
	}
	<-time.After(time.Until(d.restoreHead(t, "cancelled").Lease.Until))
	d.call(t, http.MethodPost, "/restores/cancelled/cancel", "")
	if !ends("cancelled", restore.Cancelled) {
		return false
	}
	d.handle(t, `{"action":"sweep"}`)
	return !over()
}

// dieAtPart kills the process that sends the nth part of an upload.
func (d *deployment) dieAtPart(n int64) {
	var sent atomic.Int64
	d.Tap.Inject(func(c trace.Call) trace.Fault {
		if c.Operation != "UploadPart" && c.Operation != "UploadPartCopy" || !d.byFunction(c) {
			return trace.Fault{}
		}
		if sent.Add(1) != n {
			return trace.Fault{}
		}
		d.FC.KillRequest(c.Principal[strings.LastIndexByte(c.Principal, '/')+1:])
		return trace.Fault{Cut: trace.CutBefore}
	})
}

// TestRestorePoliciesSuffice finds no call of a journey denied, and no action and resource of the documents unused.
func TestRestorePoliciesSuffice(t *testing.T) {
	t.Parallel()
	d := deployRestoring(t)
	if !d.restoreJourney(t, func(c trace.Call) bool { return c.Status == http.StatusForbidden }) {
		for _, c := range d.Tap.Calls() {
			if c.Status == http.StatusForbidden {
				t.Errorf("denied: %+v", c)
			}
		}
		t.Fatal("the journey did not come to its end")
	}
	d.nothingLeft(t)
	for document := range restoreDocuments {
		p := d.rendered(t, document)
		used := map[string]bool{}
		for call := range d.distinctCalls(document) {
			for i, s := range p.Statement {
				for _, resource := range s.Resource {
					if permits(s, resource, call) {
						used[fmt.Sprint(i, call.action)], used[fmt.Sprint(i, resource)] = true, true
					}
				}
			}
		}
		for i, s := range p.Statement {
			for _, name := range append(slices.Clone(s.Action), s.Resource...) {
				if !used[fmt.Sprint(i, name)] {
					t.Errorf("%s: statement %d: nothing used %s", document, i, name)
				}
			}
		}
	}
}

// TestRestorePoliciesAreMinimal takes each grant away in turn: a call is denied, and the journey does not come to its end.
func TestRestorePoliciesAreMinimal(t *testing.T) {
	t.Parallel()
	for _, g := range grants(t, restoreDocuments) {
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			d := deployRestoring(t)
			d.revoke(t, g)
			if d.restoreJourney(t, func(c trace.Call) bool { return g.denied(d, c) }) {
				t.Errorf("all went well without %s", g.action)
			}
			if !slices.ContainsFunc(d.Tap.Calls(), func(c trace.Call) bool { return g.denied(d, c) }) {
				t.Errorf("%s was not denied", g.action)
			}
		})
	}
}

// TestRestoresWriteUnderTheirPrefix calls with the function's own keys what a restore never calls.
func TestRestoresWriteUnderTheirPrefix(t *testing.T) {
	t.Parallel()
	d := deployRestoring(t)
	images := d.asFunction(t).OSS.Store(d.at.Bucket)
	for key, allowed := range map[string]bool{
		"imageferry/restore/0123456789abcdef/disk.raw": true,
		"imageferry/restored":                          false,
		"images_m-1_system.raw.tar.gz":                 false,
		"restore/disk.raw":                             false,
	} {
		if err := images.Put(t.Context(), key, []byte("{}")); (err == nil) != allowed {
			t.Errorf("put %s: %v", key, err)
		}
		if err := images.Delete(t.Context(), key); (err == nil) != allowed {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	for prefix, allowed := range map[string]bool{"imageferry/restore/": true, "imageferry/": false, "": false} {
		if _, _, err := images.List(t.Context(), prefix, "", 10); (err == nil) != allowed {
			t.Errorf("list %q: %v", prefix, err)
		}
	}
}
