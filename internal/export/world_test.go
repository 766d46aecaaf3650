package export

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

const (
	testAccount = "1234567890123456"
	testLayout  = manifest.Layout("imageferry/")
)

func testDestination() manifest.Destination {
	return manifest.Destination{Region: "cn-hangzhou", Bucket: "golden-images", Prefix: "nightly", Format: "raw"}
}

// A world is an account, a manifest bucket and the instances of the function, in fake time.
type world struct {
	*testing.T
	store    *manifesttest.Store
	cloud    *fakeCloud
	settings Settings
	memory   *BucketMemory
	requests int
	notifier Notifier
	mu       sync.Mutex // of decoded
	decoded  map[string]*manifest.Manifest
	// unmarked: the test has taken markers away.
	unmarked bool
}

// inWorld runs a test in fake time, and checks the invariants when it has ended.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		test(w)
		synctest.Wait()
		w.check()
	})
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, store: manifesttest.NewStore(t, testLayout), cloud: newCloud(), memory: NewBucketMemory(),
		decoded: map[string]*manifest.Manifest{}}
	w.settings = Settings{
		Destination:    testDestination(),
		AccountID:      testAccount,
		Role:           "AliyunECSImageExportDefaultRole",
		ManifestBucket: "golden-images",
		Layout:         testLayout,
		SweepMaxAge:    7 * 24 * time.Hour,
		MaxAttempts:    3,
		RetryDelay:     time.Minute,
		ClockSkew:      5 * time.Second,
		Program:        "test",
	}
	w.cloud.buckets["golden-images"] = goodBucket("golden-images")
	w.cloud.beforeExport = func(r Request) {
		if head := w.head(r.ImageID); head == nil || head.State != manifest.Submitting {
			t.Errorf("ExportImage of %s while the journal has %+v", r.ImageID, head)
		}
	}
	return w
}

func goodBucket(name string) Bucket {
	return Bucket{Name: name, Location: "oss-cn-hangzhou", OwnerID: testAccount, ACL: "private", StorageClass: "Standard"}
}

func goodImage(id string) manifest.Image {
	created := time.Now().UTC()
	return manifest.Image{ID: id, Name: "name of " + id, Status: "Available", Region: "cn-hangzhou", AccountID: testAccount,
		OwnerAlias: "self", OSType: "linux", CreationTime: &created, SizeGiB: 40,
		Disks: []manifest.Disk{{Device: "/dev/xvda", Type: "system", SizeGiB: 40}}}
}

// add creates an image, which exists from now on.
func (w *world) add(id string, changes ...func(*manifest.Image)) {
	image := goodImage(id)
	for _, change := range changes {
		change(&image)
	}
	w.addAfter(0, image)
}

// addAfter lets DescribeImages say something else in a while.
func (w *world) addAfter(d time.Duration, image manifest.Image) {
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	w.cloud.images[image.ID] = append(w.cloud.images[image.ID], imageVersion{from: time.Now().Add(d), image: image})
}

// ferry is an instance of the function.
func (w *world) ferry() *Ferry {
	return New(Cloud{Images: w.cloud, Tasks: w.cloud, Objects: w.cloud, Store: w.store, Notifier: w.notifier}, w.settings, w.memory, time.Now,
		slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func (w *world) trigger(kind string) manifest.Trigger {
	w.requests++
	return manifest.Trigger{Kind: kind, RequestID: fmt.Sprintf("invocation-%d", w.requests)}
}

// submit delivers the event of an image that has become Available.
func (w *world) submit(id string) Result {
	w.Helper()
	return w.order(Order{ImageID: id, Trigger: w.trigger("event"), Available: true})
}

// force is a person's retry.
func (w *world) force(id string) Result {
	w.Helper()
	return w.order(Order{ImageID: id, Trigger: w.trigger("http"), Explicit: true, Force: true})
}

func (w *world) order(o Order) Result {
	w.Helper()
	r, err := w.ferry().Submit(w.Context(), o)
	if err != nil {
		w.Fatalf("submit %s: %v", o.ImageID, err)
	}
	return r
}

func (w *world) drain() Round {
	w.Helper()
	round, err := w.ferry().Drain(w.Context())
	if err != nil {
		w.Fatalf("drain: %v", err)
	}
	return round
}

func (w *world) follow() Round {
	w.Helper()
	round, err := w.ferry().Follow(w.Context())
	if err != nil {
		w.Fatalf("follow: %v", err)
	}
	return round
}

// pass lets time pass with a tick every minute.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Minute, time.Until(end)))
		w.store.ResetOps()
		w.follow()
		w.drain()
		if w.store.Ops()[manifesttest.Create] > 0 {
			w.check()
		}
	}
}

// fault sets the cloud's fault for one kind of call: times calls (0: all) get err.
func (w *world) fault(op string, applied bool, err error, times int) {
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	left := times
	w.cloud.fault = func(o, _ string) (bool, error) {
		w.cloud.mu.Lock()
		defer w.cloud.mu.Unlock()
		if o != op || times > 0 && left == 0 {
			return false, nil
		}
		left--
		return applied, err
	}
}

func (w *world) noFault() {
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	w.cloud.fault = nil
}

func (w *world) calls(op string) int {
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	return w.cloud.calls[op]
}

// task is the n-th task, counted from 1.
func (w *world) task(n int) *fakeTask {
	w.Helper()
	if len(w.cloud.tasks) < n {
		w.Fatalf("there are %d tasks, want at least %d", len(w.cloud.tasks), n)
	}
	return w.cloud.tasks[n-1]
}

// head is the newest revision, read past every fault; nil when there is none.
func (w *world) head(id string) *manifest.Manifest {
	all := w.revisions(id)
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

func (w *world) revisions(id string) []*manifest.Manifest { return w.journal()[id] }

// journal is every revision that can be read, by image.
func (w *world) journal() map[string][]*manifest.Manifest {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]*manifest.Manifest{}
	for _, key := range w.store.Keys("journal/") {
		m, ok := w.decoded[key]
		if !ok {
			var err error
			if m, err = manifest.Decode(w.store.Object(key)); err != nil {
				continue
			}
			w.decoded[key] = m // nobody changes it any more
		}
		id := path.Base(path.Dir(key))
		all[id] = append(all[id], m)
	}
	return all
}

// states are the states of the revisions in order.
func (w *world) states(id string) string {
	var states []string
	for _, m := range w.revisions(id) {
		states = append(states, string(m.State))
	}
	return strings.Join(states, " ")
}

func (w *world) wantStates(id, want string) {
	w.Helper()
	if got := w.states(id); got != want {
		w.Fatalf("%s went through %q, want %q", id, got, want)
	}
}

// wantHead fails unless the newest revision has a state and a reason, and its manifest is published.
func (w *world) wantHead(id string, state manifest.State, reason string) *manifest.Manifest {
	w.Helper()
	head := w.head(id)
	if head == nil || head.State != state || head.Reason != reason {
		w.Fatalf("%s is %s, want %s %s", id, describe(head), state, reason)
	}
	return head
}

func describe(m *manifest.Manifest) string {
	if m == nil {
		return "without a journal"
	}
	return fmt.Sprintf("%s %s (%s), attempts %+v", m.State, m.Reason, m.Detail, m.Attempts)
}

func (w *world) wantResult(r Result, state manifest.State, reason string) {
	w.Helper()
	if r.State != state || r.Reason != reason || (reason != "") != (r.Remedy != "") {
		w.Fatalf("result is %+v, want %s %s", r, state, reason)
	}
}

func (w *world) wantCalls(op string, want int) {
	w.Helper()
	if got := w.calls(op); got != want {
		w.Fatalf("%s was called %d times, want %d", op, got, want)
	}
}

// within is a context with so much time left.
func (w *world) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(w.Context(), d)
}

// markers are the index's keys for an image.
func (w *world) markers(id string) []string {
	var keys []string
	for _, key := range w.store.Keys("active/") {
		if path.Base(key) == id {
			keys = append(keys, strings.TrimPrefix(key, "active/"))
		}
	}
	return keys
}

// wantMarkers fails unless exactly what the newest revision calls for is in the index.
func (w *world) wantMarkers(id string) {
	w.Helper()
	head := w.head(id)
	want := ""
	if marker, ok := manifest.MarkerOf(head); ok {
		want = testLayout.MarkerKey(marker)
	} else if ending, ok := manifest.EndingOf(head); ok {
		want = testLayout.EndingKey(ending)
	}
	if got := w.markers(id); len(got) != 1 || string(testLayout)+"active/"+got[0] != want {
		w.Errorf("%s is in the index as %q, want %q", id, got, want)
	}
}

// wantPublished fails unless the manifest is the newest revision.
func (w *world) wantPublished(id string) {
	w.Helper()
	d := w.settings.Destination
	published := w.store.Object(strings.TrimPrefix(testLayout.Manifest(d, id), string(testLayout)))
	revision := w.store.Object(fmt.Sprintf("%s%08d.json", strings.TrimPrefix(testLayout.Journal(d, id), string(testLayout)), w.head(id).Revision))
	if string(published) != string(revision) {
		w.Errorf("published is\n%s, the journal has\n%s", published, revision)
	}
}
