package alicloud_test

import (
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// Whatever happens to ExportImage, ECS ends up with exactly one task for the image, and the journal with its id.
func TestOneTaskWhateverHappensToExportImage(t *testing.T) {
	t.Parallel()
	for dialect, seed := range map[string]bool{"today": false, "as in 2017": true} {
		for name, fault := range outsideFaults {
			t.Run(dialect+"/"+name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, seed, fault.timeout)
				var later atomic.Int64 // how far the ferry's clock is ahead
				now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
				ferry := export.New(b.Session.Cloud(bucket), export.Settings{
					Destination:    b.request(b.image).Destination,
					AccountID:      b.cloud.Directory.ID(),
					Role:           localcloud.ExportRole,
					ManifestBucket: bucket,
					Layout:         "imageferry/",
					MaxAttempts:    3,
					RetryDelay:     time.Second,
					ClockSkew:      time.Second,
				}, export.NewBucketMemory(), now, slog.New(slog.DiscardHandler))

				ctx := &expiring{Context: t.Context(), done: make(chan struct{})}
				b.cloud.Tap.Inject(func(c trace.Call) trace.Fault {
					if c.Action != "ecs:ExportImage" {
						return trace.Fault{}
					}
					return fault.make("ecs", ctx.expire)
				})
				order := export.Order{ImageID: b.image, Trigger: manifest.Trigger{Kind: "event"}, Available: true}
				result, err := ferry.Submit(ctx, order)
				t.Logf("submit: %+v %v", result, err)
				b.cloud.Tap.Inject(nil)
				if n := b.tasks(); n > 1 || (n == 1) != fault.applied {
					t.Errorf("ECS has %d tasks after the fault", n)
				}
				for range 3 { // a lease, a wait and a hold may be between the fault and the end
					later.Add(int64(2 * time.Minute))
					if _, err := ferry.Drain(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				head, err := ferry.Get(t.Context(), b.image)
				if err != nil || head.State != manifest.Exporting || head.Task == nil {
					t.Fatalf("the newest revision is %+v (%v)", head, err)
				}
				if n := b.tasks(); n != 1 {
					t.Errorf("ECS has %d tasks in the end", n)
				}
				for _, task := range b.cloud.ECS.Tasks() {
					if task.ImageID == b.image && task.ID != head.Task.ID {
						t.Errorf("the journal has task %s, ECS %s", head.Task.ID, task.ID)
					}
				}
			})
		}
	}
}
