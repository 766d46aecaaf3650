package e2e

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// deployJourney deploys for a journey: an export takes 100 ms. The journey makes the ticks, so that it does not matter how
// fast this machine is.
func deployJourney(t *testing.T) *deployment {
	t.Helper()
	return deploy(t, setup{Options: localcloud.Options{Speed: 6000}, vars: apart, noTimers: true})
}

// A journey makes imageferry do everything that it does: exports by event and by sweep, one whose task fails once, one that
// is cancelled over HTTP, and an event that ends in the failure queue. It stops at the call that it was told to stop at.
type journey struct {
	*deployment
	goals   []goal
	images  []string // that are to be exported
	stopper atomic.Pointer[trace.Call]
}

type goal struct {
	what    string
	reached func(*testing.T) bool
}

func newJourney(d *deployment, stop func(trace.Call) bool) *journey {
	j := &journey{deployment: d}
	d.Tap.Watch(func(c trace.Call) {
		if stop(c) {
			j.stopper.CompareAndSwap(nil, &c)
		}
	})
	return j
}

// stopped is the call that ended the journey, nil when there was none.
func (j *journey) stopped() *trace.Call { return j.stopper.Load() }

// make makes the journey, and tells whether it came to its end.
func (j *journey) make(t *testing.T) bool {
	t.Helper()
	j.aim("no export is left to follow", j.followedUp)
	j.exported("the announced image", j.createImage(t))
	j.exported("the unannounced image", j.ECS.AddImage(ecsd.Image{Name: "unannounced"}))
	again := j.ECS.AddImage(ecsd.Image{Name: "fails-once"})
	j.exported("the image whose task fails once", again)
	j.ECS.FailNextExport(again, "InternalError", "The snapshot could not be read.")
	j.Bus.ImageStateChanged(again, ecsd.StatusAvailable)

	j.FC.InvokeAsync([]byte(`{"imageId": 7}`), "test")
	j.aim("the unreadable event is in the failure queue", func(*testing.T) bool {
		return slices.ContainsFunc(j.FC.Failures(), func(f fcd.Failure) bool { return f.Source == "test" && f.Delivered })
	})

	swept := j.call(t, http.MethodPost, "/sweep", "{}").status
	j.aim("the sweep answers 200", func(*testing.T) bool { return swept == http.StatusOK })

	// So large that it is cancelled long before it is finished.
	large := j.ECS.AddImage(ecsd.Image{Name: "large", Disks: []ecsd.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40000}}})
	j.Bus.ImageStateChanged(large, ecsd.StatusAvailable)
	j.aim("the large image is exporting", func(t *testing.T) bool {
		return j.is(t, large, manifest.Exporting) || j.is(t, large, manifest.Cancelled)
	})
	if !j.await(t, j.goals[len(j.goals)-1].reached) {
		return false
	}
	answer := j.call(t, http.MethodPost, "/exports/"+large+"/cancel", "")
	j.aim("the large image is cancelled", func(t *testing.T) bool {
		return answer.status == http.StatusOK && j.is(t, large, manifest.Cancelled)
	})
	return j.await(t, func(t *testing.T) bool { return len(j.missed(t)) == 0 })
}

func (j *journey) aim(what string, reached func(*testing.T) bool) {
	j.goals = append(j.goals, goal{what, reached})
}

// exported aims at the export of an image.
func (j *journey) exported(what, imageID string) {
	j.images = append(j.images, imageID)
	j.aim(what+" is exported", func(t *testing.T) bool { return j.is(t, imageID, manifest.Exported) })
}

func (j *journey) is(t *testing.T, imageID string, state manifest.State) bool {
	t.Helper()
	m := j.head(t, imageID)
	return m != nil && m.State == state
}

// followedUp tells whether no export is left to follow. (A duplicate event may leave a marker in the queue for a minute.)
func (j *journey) followedUp(t *testing.T) bool {
	t.Helper()
	keys, _, err := j.store.List(t.Context(), j.PolicyVars(j.spec).ManifestPrefix+"active/exporting/", "", 1)
	if err != nil {
		t.Fatal(err)
	}
	return len(keys) == 0
}

// missed are the goals that were aimed at and are not reached.
func (j *journey) missed(t *testing.T) []string {
	t.Helper()
	var missed []string
	for _, g := range j.goals {
		if !g.reached(t) {
			missed = append(missed, g.what)
		}
	}
	return missed
}

// await ticks until the condition holds; it is false when the journey was stopped before that.
func (j *journey) await(t *testing.T, ok func(*testing.T) bool) bool {
	t.Helper()
	for begin := time.Now(); j.stopped() == nil; j.tick(t) {
		if ok(t) {
			return j.stopped() == nil
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("not in time: %v", j.missed(t))
		}
	}
	return false
}

// tick is what the timer does, to its end, which may be an error.
func (j *journey) tick(t *testing.T) {
	t.Helper()
	if _, err := j.FC.Invoke(t.Context(), []byte(`{"action":"follow"}`)); err != nil && !errors.Is(err, fcd.ErrThrottled) {
		t.Fatalf("follow: %v", err)
	}
}

// settle lets what was begun come to the end that it can come to after a denied call: no event under way, no task that is to
// finish, and a whole round after that.
func (j *journey) settle(t *testing.T) {
	t.Helper()
	idle(t, j.deployment)
	for slices.ContainsFunc(j.ECS.Tasks(), func(task ecsd.Task) bool {
		return task.Status == ecsd.TaskProcessing && slices.Contains(j.images, task.ImageID)
	}) {
		j.tick(t)
	}
	j.tick(t)
}
