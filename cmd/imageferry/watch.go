package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud/samples"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// A row is what is shown of one image.
type row struct {
	samples.Made
	Status   string // of the image, while there is no export
	Export   *manifest.Manifest
	Progress int // percent, of the task
}

// state is the export's, or what is known before there is one.
func (r row) state() string {
	switch {
	case r.Export != nil:
		return string(r.Export.State)
	case r.Status == "":
		return "gone"
	}
	return strings.ToLower(r.Status)
}

func (r row) met() bool {
	return r.Export != nil && r.Export.State == r.State && r.Export.Reason == r.Reason
}

func (r row) ended() bool { return r.Export != nil && r.Export.State.Terminal() }

// A watch follows the samples by the manifests that the function writes, as any tool could.
type watch struct {
	local *local
	view  view
	// journal reads with the administrator's keys.
	journal *manifest.Journal
	at      manifest.Destination
	prefix  string
	changed chan string // ids of images whose manifest was written

	mu   sync.Mutex
	rows []row
}

func newWatch(l *local, v view) (*watch, error) {
	keys := l.cloud.Administrator
	session, err := alicloud.Open(alicloud.Options{
		Region:      l.cloud.Region,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret}),
		ECSEndpoint: "http://" + l.cloud.Endpoints.ECS,
		OSSEndpoint: "http://" + l.cloud.Endpoints.OSS,
		HTTP:        http.DefaultTransport,
	})
	if err != nil {
		return nil, err
	}
	vars := l.cloud.PolicyVars(l.spec)
	layout := manifest.Layout(vars.ManifestPrefix)
	format := l.spec.Environment["FERRY_FORMAT"]
	if format == "" {
		format = "raw"
	}
	w := &watch{
		local:   l,
		view:    v,
		journal: manifest.NewJournal(session.OSS.Store(vars.ManifestBucket), layout),
		at: manifest.Destination{
			Region: l.cloud.Region, Bucket: vars.Bucket, Prefix: l.spec.Environment["FERRY_PREFIX"], Format: format,
		},
		changed: make(chan string, 4096),
	}
	w.prefix = vars.ManifestBucket + "/" + layout.Manifests(w.at)
	l.cloud.Tap.Watch(w.notice)
	return w, nil
}

// notice marks an image whose manifest was written. A full channel loses it to the slow path, which reads them all.
func (w *watch) notice(c trace.Call) {
	if c.Action != "oss:PutObject" || !c.Applied {
		return
	}
	_, key, ok := strings.Cut(c.Resource, w.prefix)
	if !ok {
		return
	}
	select {
	case w.changed <- strings.TrimSuffix(key, ".json"):
	default:
	}
}

// run creates the samples and follows them: to their end with --once, until ctx is done otherwise.
func (w *watch) run(ctx context.Context, o localOptions) error {
	if o.once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	made, err := samples.Create(ctx, w.local.cloud, samples.Plan(o.images))
	if err != nil {
		return err
	}
	w.mu.Lock()
	for _, m := range made {
		w.rows = append(w.rows, row{Made: m})
	}
	w.mu.Unlock()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	slow := time.NewTicker(2 * time.Second)
	defer slow.Stop()
	w.readAll(ctx)
	for !w.allEnded() {
		select {
		case id := <-w.changed:
			w.read(ctx, id)
			continue
		case <-tick.C:
		case <-slow.C:
			w.readAll(ctx)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil // the rows tell what is missing
			}
			return ctx.Err()
		}
		w.view.show(w.snapshot())
	}
	w.view.show(w.snapshot())
	return nil
}

func (w *watch) readAll(ctx context.Context) {
	for _, r := range w.snapshot() {
		if !r.ended() {
			w.read(ctx, r.ImageID)
		}
	}
}

func (w *watch) read(ctx context.Context, imageID string) {
	m, err := w.journal.Published(ctx, w.at, imageID)
	if err != nil {
		return // not there yet
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.rows {
		if r := &w.rows[i]; r.ImageID == imageID && (r.Export == nil || r.Export.Revision < m.Revision) {
			r.Export = m
		}
	}
}

// snapshot is every row, with what ECS knows of image and task now.
func (w *watch) snapshot() []row {
	progress := map[string]int{}
	for _, t := range w.local.cloud.ECS.Tasks() {
		progress[t.ID] = t.Progress
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	rows := make([]row, len(w.rows))
	for i, r := range w.rows {
		if image, ok := w.local.cloud.ECS.Image(r.ImageID); ok {
			r.Status = image.Status
		}
		if r.Export != nil && r.Export.Task != nil {
			r.Progress = progress[r.Export.Task.ID]
		}
		rows[i] = r
	}
	return rows
}

func (w *watch) allEnded() bool {
	for _, r := range w.snapshot() {
		if !r.ended() {
			return false
		}
	}
	return true
}

func (w *watch) met() bool {
	for _, r := range w.snapshot() {
		if !r.met() {
			return false
		}
	}
	return true
}

// A result is what came of a run.
type result struct {
	rows    []row
	calls   map[string]int
	elapsed time.Duration
}

// result counts the calls that the function made.
func (w *watch) result(started time.Time) result {
	r := result{rows: w.snapshot(), calls: map[string]int{}, elapsed: time.Since(started)}
	for _, c := range w.local.cloud.Tap.Calls() {
		if strings.Contains(c.Principal, fmt.Sprintf(":assumed-role/%s/", strings.ToLower(w.local.spec.Role))) {
			r.calls[c.Action]++
		}
	}
	return r
}
