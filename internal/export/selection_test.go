package export

import (
	"testing"

	"imageferry/internal/manifest"
)

// The image of a rehearsal is never exported, whoever asks: an event, a sweep, or somebody by its id.
func TestRehearsalsAreNotExported(t *testing.T) {
	t.Parallel()
	rehearsal := func(i *manifest.Image) { i.Name = RehearsalPrefix + "m-0" }
	for name, expected := range map[string]bool{"expected": true, "not expected": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.settings.Rehearses = expected
				w.add("m-1", rehearsal)
				w.add("m-2")
				if plan, err := w.ferry().Plan(w.Context(), 0); err != nil || len(plan) != 2 || plan[0].Action != PlanSubmit && plan[1].Action != PlanSubmit {
					t.Errorf("plan %+v (%v)", plan, err)
				} else {
					for _, d := range plan {
						if d.ImageID == "m-1" && (d.Action != PlanExclude || d.Reason != imageRehearsal || d.Remedy == "") {
							t.Errorf("plan of the rehearsal is %+v", d)
						}
					}
				}
				if round, err := w.ferry().Sweep(w.Context(), SweepOrder{Trigger: w.trigger("timer")}); err != nil || len(round.Results) != 1 || round.Results[0].ImageID != "m-2" {
					t.Errorf("sweep %+v (%v)", round, err)
				}
				w.noJournal("m-1")
				if !expected {
					w.wantResult(w.submit("m-1"), manifest.Skipped, imageRehearsal)
					return
				}
				w.wantResult(w.submit("m-1"), "", imageRehearsal)
				w.noJournal("m-1")
				w.wantResult(w.order(Order{ImageID: "m-1", Trigger: w.trigger("cli"), Explicit: true}), manifest.Skipped, imageRehearsal)
			})
			// Force does not help either, and an image that is still being made is not waited for.
			inWorld(t, func(w *world) {
				w.add("m-1", rehearsal, func(i *manifest.Image) { i.Status = "Creating" })
				w.wantResult(w.submit("m-1"), manifest.Skipped, imageRehearsal)
				w.wantResult(w.force("m-1"), manifest.Skipped, imageRehearsal)
				w.wantCalls(opExport, 0)
			})
		})
	}
}

func (w *world) noJournal(id string) {
	w.Helper()
	if n := len(w.revisions(id)); n != 0 {
		w.Errorf("%s has %d revisions", id, n)
	}
}
