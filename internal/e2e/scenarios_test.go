package e2e

import (
	"net/http"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/policy"
)

// A scenario is a piece of imageferry's work, told to a stage that is at rest and plays the rest by itself.
type scenario struct {
	name string
	play func(*testing.T, *stage)
	// retryAfter is when the platform tries a failed event again: at once when 0, else in real time.
	retryAfter time.Duration
	// fromScratch begins without the index, which a sweep would build; else an earlier sweep has built it.
	fromScratch bool
	// env adds to the function's environment.
	env map[string]string
	// late are the writes that are slower than all others.
	late string
	// fault makes the scenario's own fault; it is called under a lock. Nil: none.
	fault func() func(trace.Call) sabotage
}

func scenarios() []scenario {
	exportCall := func(c trace.Call) bool { return c.Action == "ecs:ExportImage" }
	killed := func(cut trace.Cut) sabotage { return sabotage{Fault: trace.Fault{Cut: cut}, kill: true} }
	return []scenario{
		{name: "fresh event", play: fresh},
		{name: "late retry", play: fresh, retryAfter: stageTimeout + 200*time.Millisecond},
		{name: "duplicate event", play: duplicate},
		{name: "image still creating", play: stillCreating},
		{name: "quota refusal", play: quota},
		{name: "export role repaired", play: roleRepaired},
		{name: "task failure", play: taskFailure},
		{name: "lost answer", play: fresh, fault: onlyOnce(exportCall, sabotage{Fault: trace.Fault{Cut: trace.CutAfter}})},
		{name: "takeover of a task", play: fresh, fault: since(onlyOnce(exportCall, killed(trace.CutAfter)))},
		{name: "takeover of nothing", play: fresh, fault: since(onlyOnce(exportCall, killed(trace.CutBefore)))},
		{name: "sweep of a mixed account", play: mixed, fromScratch: true},
		{name: "cancel", play: cancel},
		{name: "cancel in the queue", play: cancelQueued},
		{name: "two data disks", play: dataDisks},
		{name: "forced again", play: forced},
		{name: "late journal", play: taskFailure, late: "journal"},
		{name: "late manifests", play: taskFailure, late: "manifests"},
		{name: "late markers", play: taskFailure, late: "active"},
		{name: "forced again with late journal", play: forced, late: "journal"},
		{name: "forced again with late manifests", play: forced, late: "manifests"},
		{name: "forced again with late markers", play: forced, late: "active"},
	}
}

// since counts only the calls after the one that a fault happened to.
func since(fault func() func(trace.Call) sabotage) func() func(trace.Call) sabotage {
	return func() func(trace.Call) sabotage {
		next, happened := fault(), false
		return func(c trace.Call) sabotage {
			what := next(c)
			what.uncounted = !happened
			happened = happened || what.kill
			return what
		}
	}
}

func fresh(_ *testing.T, p *stage) {
	p.announce(p.image(exported, ecsd.Image{}), ecsd.StatusAvailable)
}

// duplicate delivers an event twice at once, and once more when the export is over.
func duplicate(t *testing.T, p *stage) {
	id := p.image(exported, ecsd.Image{})
	p.announce(id, ecsd.StatusAvailable)
	p.announce(id, ecsd.StatusAvailable)
	p.settle(t)
	p.announce(id, ecsd.StatusAvailable)
}

func stillCreating(t *testing.T, p *stage) {
	id := p.image(exported, ecsd.Image{Status: ecsd.StatusCreating})
	p.order(id, false)
	idle(t, p.deployment)
	image, _ := p.ECS.Image(id)
	image.Status = ecsd.StatusAvailable
	p.ECS.AddImage(image)
	p.announce(id, ecsd.StatusAvailable)
}

// quota lets ECS refuse the second image until the first is exported.
func quota(t *testing.T, p *stage) {
	p.ECS.SetQuotas(ecsd.Quotas{ConcurrentExports: 1})
	first, second := p.image(exported, ecsd.Image{}), p.image(exported, ecsd.Image{})
	p.announce(first, ecsd.StatusAvailable)
	idle(t, p.deployment)
	p.announce(second, ecsd.StatusAvailable)
}

// roleRepaired lets ECS refuse every export until somebody has created the export role.
func roleRepaired(t *testing.T, p *stage) {
	p.Directory.DeleteRole(localcloud.ExportRole)
	p.announce(p.image(exported, ecsd.Image{}), ecsd.StatusAvailable)
	idle(t, p.deployment)
	p.announce(p.image(exported, ecsd.Image{}), ecsd.StatusAvailable)
	idle(t, p.deployment)
	var documents [2]account.Policy
	for i, name := range []string{policy.ExportTrust, policy.ExportPermissions} {
		documents[i] = p.rendered(t, name)
	}
	p.Directory.PutRole(localcloud.ExportRole, documents[0], documents[1])
}

func taskFailure(_ *testing.T, p *stage) {
	id := p.image(exported, ecsd.Image{})
	p.ECS.FailNextExport(id, "InternalError", "The snapshot could not be read.")
	p.announce(id, ecsd.StatusAvailable)
}

// mixed lets the sweep find two images to export and one of each of three kinds that cannot be.
func mixed(t *testing.T, p *stage) {
	p.image(exported, ecsd.Image{})
	p.image(exported, ecsd.Image{})
	p.image(skipped("image-windows"), ecsd.Image{OSType: "windows"})
	p.image(skipped("image-marketplace"), ecsd.Image{ProductCode: "cmjj000001"})
	p.image(skipped("image-encrypted"), ecsd.Image{Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40, Encrypted: true}}})
	p.timer(t, "sweep")
}

// cancel cancels an export whose task runs; who gets no good answer asks again after the next round.
func cancel(t *testing.T, p *stage) {
	disks := []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40000}} // lasts a minute
	id := p.image(cancelled, ecsd.Image{Disks: disks})
	p.announce(id, ecsd.StatusAvailable)
	p.cancelled(t, id, manifest.Exporting)
}

// cancelQueued cancels an export that waits.
func cancelQueued(t *testing.T, p *stage) {
	id := p.image(cancelled, ecsd.Image{Status: ecsd.StatusCreating})
	p.announce(id, ecsd.StatusCreating)
	p.order(id, false)
	p.cancelled(t, id, manifest.Queued)
}

// cancelled brings an export into a state and then asks for its end, as often as it takes.
func (p *stage) cancelled(t *testing.T, imageID string, from manifest.State) {
	t.Helper()
	for range maxRounds {
		idle(t, p.deployment)
		switch m := p.head(t, imageID); {
		case m == nil:
			p.timer(t, "sweep")
		case m.State.Terminal():
			return
		case m.State == from:
			if p.call(t, http.MethodPost, "/exports/"+imageID+"/cancel", "").status == http.StatusOK {
				return
			}
			p.timer(t, "follow")
		default:
			p.await(t, p.work(t))
			p.timer(t, "follow")
		}
	}
	p.tell(t)
	t.Fatalf("%d rounds have not sufficed", maxRounds)
}

func dataDisks(_ *testing.T, p *stage) {
	p.announce(p.image(exported, ecsd.Image{Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 40},
		{Device: "/dev/xvdb", Type: "data", SizeGiB: 10},
		{Device: "/dev/xvdc", Type: "data", SizeGiB: 10},
	}}), ecsd.StatusAvailable)
}

// forced starts an export again that is over.
func forced(t *testing.T, p *stage) {
	again := exported
	again.again = 1
	id := p.image(again, ecsd.Image{})
	p.announce(id, ecsd.StatusAvailable)
	p.settle(t)
	p.order(id, true)
}
