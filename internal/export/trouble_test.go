package export

import (
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

// A journal that cannot be read is left to a person: everybody says why, and nobody writes over it.
func TestJournalThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data   string
		reason string
	}{
		"damaged": {"{", journalUnreadable},
		"foreign": {`{"hello":"world"}`, journalUnreadable},
		"newer":   {`{"schema":"imageferry.manifest/v2","revision":9}`, journalNewer},
	} {
		for revision, key := range map[string]string{"first": "00000001.json", "next": "00000003.json"} {
			t.Run(name+" "+revision, func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					w.add("m-1")
					w.add("m-2")
					w.unmarked = true
					if revision == "next" {
						w.submit("m-1")
						time.Sleep(w.cloud.duration)
					}
					calls := w.calls(opExport)
					w.store.Plant(testLayout.Journal(w.settings.Destination, "m-1")+key, []byte(c.data))
					before := w.untouched()

					w.wantResult(w.submit("m-1"), "", c.reason)
					w.wantResult(w.force("m-1"), "", c.reason)
					r, err := w.ferry().Cancel(w.Context(), "m-1", w.trigger("http"))
					if err != nil {
						t.Error(err)
					}
					w.wantResult(r, "", c.reason)
					// It does not keep the others from their turn.
					w.mark(w.dueMarker("m-1", time.Now().Add(-time.Hour)))
					w.mark(w.dueMarker("m-2", time.Now()))
					round := w.drain()
					if len(round.Results) != 2 {
						t.Fatalf("round is %+v", round)
					}
					w.wantResult(round.Results[0], "", c.reason)
					w.wantResult(round.Results[1], manifest.Exporting, "")
					w.follow()
					w.sweep(SweepOrder{})
					if after := w.untouched(); after != before {
						t.Errorf("it was changed from\n%s to\n%s", before, after)
					}
					w.wantCalls(opExport, calls+1)
				})
			})
		}
	}
}

// untouched is all that is stored of m-1, beside the index.
func (w *world) untouched() string {
	var all strings.Builder
	for _, prefix := range []string{"journal/", "manifests/"} {
		for _, key := range w.store.Keys(prefix) {
			if strings.Contains(key, "/m-1") {
				all.WriteString(key + "\n" + string(w.store.Object(key)) + "\n")
			}
		}
	}
	return all.String()
}

func (w *world) sweep(o SweepOrder) Round {
	w.Helper()
	o.Trigger = w.trigger("timer")
	round, err := w.ferry().Sweep(w.Context(), o)
	if err != nil {
		w.Fatalf("sweep: %v", err)
	}
	return round
}
