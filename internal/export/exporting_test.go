package export

import (
	"testing"
	"time"

	"imageferry/internal/manifest"
)

// plantTask puts a task of somebody else into ECS.
func (w *world) plantTask(imageID string, change func(*fakeTask)) *fakeTask {
	t := &fakeTask{id: "somebody's", imageID: imageID, destination: testDestination(), created: time.Now(), ends: time.Now().Add(10 * time.Minute)}
	if change != nil {
		change(t)
	}
	w.cloud.tasks = append(w.cloud.tasks, t)
	return t
}

// Somebody exports the image to our destination: that is as good as our own task.
func TestImageIsExportingToOurDestination(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.plantTask("m-1", func(t *fakeTask) { t.told = true })
		time.Sleep(time.Minute)
		w.wantResult(w.submit("m-1"), manifest.Exporting, "")
		if head := w.head("m-1"); head.Task.ID != "somebody's" || head.Attempts[0].Outcome != manifest.Adopted {
			t.Errorf("head is %+v", head)
		}
		w.pass(30 * time.Minute)
		w.wantHead("m-1", manifest.Exported, "")
		if len(w.cloud.tasks) != 1 {
			t.Errorf("%d tasks", len(w.cloud.tasks))
		}
	})
}

// Somebody exports the image elsewhere: ours follows.
func TestImageIsExportingElsewhere(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*manifest.Destination){
		"another bucket":  func(d *manifest.Destination) { d.Bucket = "somebody-s-bucket" },
		"another prefix":  func(d *manifest.Destination) { d.Prefix = "other" },
		"no prefix":       func(d *manifest.Destination) { d.Prefix = "" },
		"a longer prefix": func(d *manifest.Destination) { d.Prefix = "nightly2" },
		"another format":  func(d *manifest.Destination) { d.Format = "qcow2" },
	} {
		for _, told := range []bool{true, false} {
			t.Run(map[bool]string{true: "told, ", false: "not told, "}[told]+name, func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					w.add("m-1")
					w.plantTask("m-1", func(t *fakeTask) { change(&t.destination); t.told = told })
					if told {
						w.wantResult(w.submit("m-1"), manifest.Queued, imageExporting)
					} else {
						// Adopted as long as nothing speaks against it, and given back later.
						w.wantResult(w.submit("m-1"), manifest.Exporting, "")
						time.Sleep(11 * time.Minute)
						w.follow()
						w.wantHead("m-1", manifest.Queued, taskForeign)
					}
					w.wantMarkers("m-1")
					w.pass(2 * time.Hour)
					head := w.wantHead("m-1", manifest.Exported, "")
					if head.Task.ID != "t-2" || head.Failures != 0 {
						t.Errorf("head is %+v", head)
					}
				})
			})
		}
	}
}

// A task that the journal knows already is not adopted a second time.
func TestKnownTasksAreNotAdopted(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		w.pass(time.Hour)
		w.wantHead("m-1", manifest.Exported, "")
		w.fault(opExport, false, lost(opExport), 1)
		w.wantResult(w.force("m-1"), manifest.Submitting, answerLost)
		time.Sleep(overLease)
		w.drain()
		if head := w.wantHead("m-1", manifest.Exporting, ""); head.Task.ID != "t-2" {
			t.Errorf("head is %+v", head)
		}
	})
}

func TestImageIsExportingAndNobodyCanLook(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.plantTask("m-1", func(t *fakeTask) { t.told = true })
		w.fault(opTaskOf, false, lost(opTaskOf), 1)
		w.wantResult(w.submit("m-1"), manifest.Queued, ecsUnavailable)
		w.pass(3 * time.Minute)
		if head := w.wantHead("m-1", manifest.Exporting, ""); head.Task.ID != "somebody's" {
			t.Errorf("head is %+v", head)
		}
	})
}
