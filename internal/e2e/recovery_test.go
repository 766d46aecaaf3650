package e2e

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// TestSweepFindsTheUntold exports an image that no event told of: the sweep's timer finds it.
func TestSweepFindsTheUntold(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{Options: localcloud.Options{Speed: 3600}}) // an hour a second
	id := d.ECS.AddImage(ecsd.Image{Name: "untold"})
	m := d.wait(t, id, manifest.Exported, manifest.Failed)
	if m.State != manifest.Exported || m.Trigger.Kind != "timer" || m.Trigger.Source != "sweep" {
		t.Errorf("%s by %+v", m.State, m.Trigger)
	}
	if n := d.calls("ecs:ExportImage"); n != 1 {
		t.Errorf("ExportImage was called %d times", n)
	}
}

// TestCredentialsExpire lets the keys of an invocation expire at one of its calls. The event is delivered again with new
// keys, and the image is exported once.
func TestCredentialsExpire(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(trace.Call) bool{
		"before ExportImage": func(c trace.Call) bool {
			return c.Action == "oss:PutObject" && strings.HasSuffix(c.Resource, "/00000001.json")
		},
		"after ExportImage": func(c trace.Call) bool { return c.Action == "ecs:ExportImage" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// With 8 seconds for an invocation a submit has a lease of five.
			d := deploy(t, setup{timeout: 8 * time.Second})
			var expired atomic.Bool
			d.Tap.Inject(func(c trace.Call) trace.Fault {
				if at(c) && expired.CompareAndSwap(false, true) {
					d.Directory.ExpireSession(c.Principal)
				}
				return trace.Fault{}
			})
			id := d.ECS.AddImage(ecsd.Image{Name: "expires"})
			d.Bus.ImageStateChanged(id, ecsd.StatusAvailable)
			m := d.wait(t, id, manifest.Exported, manifest.Failed, manifest.Skipped)
			if n := len(d.ECS.Tasks()); m.State != manifest.Exported || n != 1 {
				t.Errorf("the export is %s %s with %d tasks", m.State, m.Detail, n)
			}
			if s := d.FC.Stats(); !expired.Load() || s.Retries == 0 || len(d.FC.Failures()) != 0 {
				t.Errorf("expired %v, %+v, failures %v", expired.Load(), s, d.FC.Failures())
			}
			refused := 0
			for _, c := range d.Tap.Calls() {
				if strings.Contains(c.Code, "SecurityToken") && strings.HasSuffix(c.Code, "Expired") {
					refused++
				}
			}
			if refused == 0 {
				t.Error("no call was refused for its expired token")
			}
		})
	}
}
