package export

import (
	"reflect"

	"imageferry/internal/manifest"
)

// check asserts the invariants of everything that the journal holds.
func (w *world) check() {
	w.Helper()
	journal := w.journal()
	for id, revisions := range journal {
		w.checkExport(id, revisions)
	}
	w.checkTasks(journal)
}

func (w *world) checkExport(id string, revisions []*manifest.Manifest) {
	w.Helper()
	for i, m := range revisions {
		if i > 0 && revisions[i-1].State.Terminal() && reflect.DeepEqual(revisions[i-1].Trigger, m.Trigger) {
			w.Errorf("%s left %s without a request", id, revisions[i-1].State)
		}
		if m.Reason != "" && m.Remedy != reasons[m.Reason].Remedy {
			w.Errorf("%s is %s with the remedy %q", id, m.Reason, m.Remedy)
		}
	}
	head := revisions[len(revisions)-1]
	if head.State == manifest.Exported {
		w.checkObjects(head)
	}
	if !head.State.Terminal() && !w.unmarked && len(w.markers(id)) == 0 {
		w.Errorf("%s is %s, and nothing leads there", id, head.State)
	}
}

func (w *world) checkObjects(head *manifest.Manifest) {
	w.Helper()
	system := 0
	for _, o := range head.Objects {
		there, ok := w.cloud.objects[o.Bucket+"/"+o.Key]
		if !ok || o.Size != there.info.Size || o.CRC64 != there.info.CRC64 || o.ETag != there.info.ETag {
			w.Errorf("%s is exported with %+v, OSS has %+v", head.Image.ID, o, there.info)
		}
		if o.Role == "system" {
			system++
		}
	}
	if system != 1 {
		w.Errorf("%s is exported with %d system disks", head.Image.ID, system)
	}
}

// checkTasks: the journal knows every task that ECS has accepted, or knows that there may be one; and there are never two
// live ones of an image.
func (w *world) checkTasks(journal map[string][]*manifest.Manifest) {
	w.Helper()
	live := map[string]int{}
	for _, t := range w.cloud.tasks {
		if t.statusNow() == "Processing" {
			live[t.imageID]++
		}
		if !t.ours {
			continue
		}
		if of := journal[t.imageID]; len(of) == 0 {
			w.Errorf("task %s of %s has no journal", t.id, t.imageID)
		} else if head := of[len(of)-1]; !knows(head, t.id) && openAttempt(head) == nil {
			w.Errorf("nobody knows task %s of %s: %s", t.id, t.imageID, describe(head))
		}
	}
	for id, n := range live {
		if n > 1 {
			w.Errorf("%s has %d live tasks", id, n)
		}
	}
}
