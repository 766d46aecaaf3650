package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// A thousand deliveries of one event at once make one export.
func TestThousandDeliveries(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		var wg sync.WaitGroup
		for range 1000 {
			ferry, trigger := w.ferry(), w.trigger("event")
			wg.Go(func() {
				if _, err := ferry.Submit(w.Context(), Order{ImageID: "m-1", Trigger: trigger, Available: true}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.wantCalls(opExport, 1)
		w.pass(time.Hour)
		w.wantHead("m-1", manifest.Exported, "")
		w.wantMarkers("m-1")
		w.wantCalls(opExport, 1)
	})
}

// Two hundred images arrive at once at a quota of three. All are exported, and those that were queued in the order of their
// first revisions; and once a refusal is recorded, a tick makes at most one refused call, and an event that begins then none.
func TestTwoHundredImagesAtAQuotaOfThree(t *testing.T) {
	t.Parallel()
	const images, late, quota = 200, 20, 3
	inWorld(t, func(w *world) {
		w.cloud.quota = quota
		var begun []string // in the order in which ECS accepted
		w.cloud.onAccept = func(task *fakeTask) { begun = append(begun, task.imageID) }
		var wg sync.WaitGroup
		for n := range images {
			id := fmt.Sprintf("m-%03d", n)
			w.add(id)
			ferry, trigger := w.ferry(), w.trigger("event")
			wg.Go(func() {
				time.Sleep(time.Duration(n) * time.Microsecond) // so that there is an order
				if _, err := ferry.Submit(w.Context(), Order{ImageID: id, Trigger: trigger, Available: true}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		calls := w.calls(opExport)
		for n := images; n < images+late; n++ {
			id := fmt.Sprintf("m-%03d", n)
			w.add(id)
			w.wantResult(w.submit(id), manifest.Queued, quotaConcurrent)
		}
		w.wantCalls(opExport, calls)

		ticks := 0
		for len(w.cloud.tasks) < images+late {
			if ticks++; ticks > 2000 {
				t.Fatalf("%d of %d exports have begun", len(w.cloud.tasks), images+late)
			}
			time.Sleep(5 * time.Minute)
			w.follow()
			calls, accepted := w.calls(opExport), len(w.cloud.tasks)
			w.drain()
			if refused := w.calls(opExport) - calls - (len(w.cloud.tasks) - accepted); refused > 1 {
				t.Fatalf("one tick was refused %d times", refused)
			}
		}
		w.pass(time.Hour)
		for n := range images + late {
			w.wantHead(fmt.Sprintf("m-%03d", n), manifest.Exported, "")
		}
		if queued := begun[quota:]; !slices.IsSorted(queued) {
			t.Errorf("the queue was worked in the order %v", queued)
		}
		t.Logf("%d images, %d ticks, %d calls of ExportImage, %d of them at the beginning", images+late, ticks, w.calls(opExport), calls)
	})
}

// A tick costs the same with 200 queued exports and with 20,000: one page of the queue is listed, and one export is probed.
func TestTickDoesNotGrowWithTheBacklog(t *testing.T) {
	t.Parallel()
	cost := map[int]map[string]int{}
	for _, queued := range []int{200, 20000} {
		inWorld(t, func(w *world) {
			w.unmarked = true // that every export has its marker is not asked of so many
			w.cloud.quota = 0
			w.queue(queued)
			w.add("m-00000")
			w.store.ResetOps()
			round := w.drain()
			cost[queued] = w.store.Ops()
			if len(round.Results) != 1 || round.Results[0].ImageID != "m-00000" || round.Held == nil || round.Held.Reason != quotaConcurrent {
				t.Errorf("with %d queued the round is %+v", queued, round)
			}
			w.wantCalls(opExport, 1)
		})
	}
	if !maps.Equal(cost[200], cost[20000]) || cost[20000][manifesttest.List] > 2 {
		t.Errorf("a tick costs %v", cost)
	}
	t.Logf("a tick costs %v", cost[20000])
}

// queue puts exports into the queue as a refusal does, held.
func (w *world) queue(n int) {
	planted := planter{w.store}
	journal, index := manifest.NewJournal(planted, testLayout), manifest.NewIndex(planted, testLayout)
	for i := range n {
		created := time.Now().Add(-time.Hour + time.Duration(i)*time.Millisecond).UTC()
		m := &manifest.Manifest{Revision: 1, State: manifest.Queued, Reason: quotaConcurrent, Remedy: reasons[quotaConcurrent].Remedy,
			CreatedAt: created, UpdatedAt: created, Destination: w.settings.Destination,
			Image: manifest.Image{ID: fmt.Sprintf("m-%05d", i)}, Trigger: manifest.Trigger{Kind: "event"}}
		due := inLine(m)
		m.DueAt = &due
		marker, _ := manifest.MarkerOf(m)
		if err := errors.Join(journal.Append(w.Context(), m), journal.Publish(w.Context(), m), index.Put(w.Context(), marker)); err != nil {
			w.Fatal(err)
		}
	}
	now := time.Now().UTC()
	if err := index.PutHold(w.Context(), manifest.Hold{Reason: quotaConcurrent, Remedy: "wait", Since: now, Until: now.Add(time.Hour)}); err != nil {
		w.Fatal(err)
	}
}

// A planter writes past the checks of the store, which would take their time.
type planter struct{ *manifesttest.Store }

func (p planter) Create(_ context.Context, key string, data []byte) error {
	p.Plant(key, data)
	return nil
}
func (p planter) Put(_ context.Context, key string, data []byte) error {
	p.Plant(key, data)
	return nil
}
