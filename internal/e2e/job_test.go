package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/samples"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// TestSamples does the main job on every kind of image, in both dialects of ECS and with slow calls.
func TestSamples(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]localcloud.Options{
		"today":        {},
		"seed dialect": {SeedDialect: true},
		"slow calls":   {Latency: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, setup{Options: options})
			made, err := samples.Create(t.Context(), d.Cloud, samples.Plan(samples.Default))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range made {
				m := d.wait(t, s.ImageID, manifest.Exported, manifest.Skipped, manifest.Failed)
				if m.State != s.State || m.Reason != s.Reason {
					t.Errorf("%s is %s %q (%s), want %s %q", s.Name, m.State, m.Reason, m.Detail, s.State, s.Reason)
				}
				if m.State == manifest.Skipped && m.Remedy == "" {
					t.Errorf("%s is skipped without a remedy", s.Name)
				}
				checkObjects(t, d, m)
			}
			d.checkCalls(t, made)
			d.checkRevisions(t, made)
		})
	}
}

// checkObjects compares an exported manifest with what is in OSS.
func checkObjects(t *testing.T, d *deployment, m *manifest.Manifest) {
	t.Helper()
	if m.State != manifest.Exported {
		return
	}
	system := 0
	for _, o := range m.Objects {
		if o.Role == "system" {
			system++
		}
		if o.Size == 0 || o.ETag == "" || o.CRC64 == "" || o.Content != "gzip" || !strings.HasPrefix(o.Key, d.at.Prefix+"_"+m.Image.ID) {
			t.Errorf("object of %s: %+v", m.Image.Name, o)
		}
		data, err := d.exports().Get(t.Context(), o.Key)
		if err != nil || int64(len(data)) != o.Size {
			t.Errorf("object %s has %d bytes (%v), the manifest says %d", o.Key, len(data), err, o.Size)
		}
	}
	if system != 1 || len(m.Objects) != len(m.Image.Disks) {
		t.Errorf("%s has %d disks, its manifest %d objects, %d of them a system disk", m.Image.Name, len(m.Image.Disks), len(m.Objects), system)
	}
}

// checkCalls finds exactly one ExportImage for each export and none for what preflight refuses, and nothing denied.
func (d *deployment) checkCalls(t *testing.T, made []samples.Made) {
	t.Helper()
	exports := map[string]int{}
	for _, c := range d.Tap.Calls() {
		if c.Action == "ecs:ExportImage" {
			exports[c.Resource[strings.LastIndex(c.Resource, "/")+1:]]++
		}
		if c.Status == 403 {
			t.Errorf("denied: %+v", c)
		}
	}
	for _, s := range made {
		want := 0
		if s.State == manifest.Exported {
			want = 1
		}
		if exports[s.ImageID] != want {
			t.Errorf("ExportImage was called %d times for %s, want %d", exports[s.ImageID], s.Name, want)
		}
	}
}

// checkRevisions reads every revision of every journal: dense, readable and valid against the published schema; and the
// stable key holds the last.
func (d *deployment) checkRevisions(t *testing.T, made []samples.Made) {
	t.Helper()
	schema := compileSchema(t)
	layout := manifest.Layout(d.PolicyVars(d.spec).ManifestPrefix)
	for _, s := range made {
		head := d.head(t, s.ImageID)
		keys, _, err := d.store.List(t.Context(), layout.Journal(d.at, s.ImageID), "", 1000)
		if err != nil || len(keys) != head.Revision {
			t.Errorf("%s: %d revisions are listed (%v), the newest is %d", s.Name, len(keys), err, head.Revision)
		}
		for _, key := range keys {
			data, err := d.store.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		published, err := d.journal.Published(t.Context(), d.at, s.ImageID)
		if err != nil || published.Revision != head.Revision {
			t.Errorf("%s: the manifest is stale: %v %v", s.Name, published, err)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(manifest.Schema())))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("manifest.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestDuplicateEvents delivers every event twice, and one of them a hundred times more at once.
func TestDuplicateEvents(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{})
	d.Bus.SetDuplicate(true)
	id := d.createImage(t)
	d.wait(t, id, manifest.Exporting, manifest.Exported)
	for range 50 {
		d.Bus.ImageStateChanged(id, ecsd.StatusAvailable)
	}
	d.wait(t, id, manifest.Exported)
	idle(t, d)
	if n := d.calls("ecs:ExportImage"); n != 1 {
		t.Errorf("ExportImage was called %d times", n)
	}
}

func idle(t *testing.T, d *deployment) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := d.FC.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestKilledMidExport kills the function's process while ECS exports; the next timer finishes the export.
func TestKilledMidExport(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{Options: localcloud.Options{Speed: 200}})
	id := d.createImage(t)
	d.wait(t, id, manifest.Exporting)
	d.FC.Kill()
	m := d.wait(t, id, manifest.Exported, manifest.Failed)
	if n := d.calls("ecs:ExportImage"); m.State != manifest.Exported || n != 1 {
		t.Errorf("the export is %s %s after %d calls of ExportImage", m.State, m.Detail, n)
	}
}

// TestKilledAtExportImage kills the process while ECS has accepted the export and the answer is on its way: the task is
// found and adopted once the lease is over.
func TestKilledAtExportImage(t *testing.T) {
	t.Parallel()
	// With 8 seconds for an invocation a submit has a lease of five.
	d := deploy(t, setup{timeout: 8 * time.Second})
	var killed atomic.Bool
	d.Tap.Inject(func(c trace.Call) trace.Fault {
		if c.Action == "ecs:ExportImage" && killed.CompareAndSwap(false, true) {
			return trace.Fault{Cut: trace.CutAfter, Mangle: nil, AnswerDelay: 200 * time.Millisecond}
		}
		return trace.Fault{}
	})
	var once atomic.Bool
	d.Tap.Watch(func(c trace.Call) {
		if c.Action == "ecs:ExportImage" && once.CompareAndSwap(false, true) {
			d.FC.Kill()
		}
	})
	id := d.createImage(t)
	m := d.wait(t, id, manifest.Exported, manifest.Failed)
	if n := len(d.ECS.Tasks()); m.State != manifest.Exported || n != 1 {
		t.Fatalf("the export is %s %s with %d tasks", m.State, m.Detail, n)
	}
	if a := m.Attempts[len(m.Attempts)-1]; a.TaskID != m.Task.ID {
		t.Errorf("the task was not adopted: %+v", a)
	}
	for _, r := range d.revisions(t, id) {
		if r.State == manifest.Exporting && r.Attempts[len(r.Attempts)-1].Outcome == manifest.Adopted {
			return
		}
	}
	t.Error("no revision says that a task was adopted")
}

// revisions reads the whole journal of an export.
func (d *deployment) revisions(t *testing.T, imageID string) []*manifest.Manifest {
	t.Helper()
	var all []*manifest.Manifest
	for n := 1; n <= d.head(t, imageID).Revision; n++ {
		m, err := d.journal.Revision(t.Context(), d.at, imageID, n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// TestQuota lets ECS run one export at a time: the others wait in the queue and are exported in the end.
func TestQuota(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{Options: localcloud.Options{Quotas: ecsd.Quotas{ConcurrentExports: 1}}})
	plan := samples.Plan(3)[:3]
	made, err := samples.Create(t.Context(), d.Cloud, plan)
	if err != nil {
		t.Fatal(err)
	}
	waited := 0
	for _, s := range made {
		if m := d.wait(t, s.ImageID, manifest.Exported, manifest.Failed, manifest.Skipped); m.State != manifest.Exported {
			t.Errorf("%s is %s %s", s.Name, m.State, m.Detail)
		}
		for _, r := range d.revisions(t, s.ImageID) {
			if r.Reason == "quota-concurrent" {
				waited++
				break
			}
		}
	}
	if waited == 0 {
		t.Error("no export ever waited for the quota")
	}
	if n := len(d.ECS.Tasks()); n != 3 {
		t.Errorf("%d tasks for 3 images", n)
	}
}

// TestFailingTask retries a task that fails, keeps ECS's reason, and gives up in the end.
func TestFailingTask(t *testing.T) {
	t.Parallel()
	for name, failures := range map[string]int{"once": 1, "always": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, setup{})
			id := d.ECS.AddImage(ecsd.Image{Name: "fails-" + name})
			var left atomic.Int32
			left.Store(int32(failures))
			d.Tap.Watch(func(c trace.Call) {
				if c.Action == "ecs:ExportImage" && left.Add(-1) >= 0 {
					d.ECS.FailNextExport(id, "InternalError", "The snapshot could not be read.")
				}
			})
			d.Bus.ImageStateChanged(id, ecsd.StatusAvailable)
			m := d.wait(t, id, manifest.Exported, manifest.Failed)
			if failures == 1 {
				if m.State != manifest.Exported || len(m.Attempts) != 2 {
					t.Errorf("the export is %s %s after %d attempts", m.State, m.Detail, len(m.Attempts))
				}
				return
			}
			if m.State != manifest.Failed || m.Reason != "task-failed" || !strings.Contains(m.Detail, "The snapshot could not be read.") {
				t.Errorf("the export is %s %s %q", m.State, m.Reason, m.Detail)
			}
		})
	}
}

// TestUnreadableEvent is refused, retried and finally sent to the failure destination.
func TestUnreadableEvent(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{})
	d.FC.InvokeAsync([]byte(`{"imageId": 7}`), "test")
	idle(t, d)
	failures := d.FC.Failures()
	if len(failures) != 1 || failures[0].Attempts != 4 || !failures[0].Delivered {
		t.Fatalf("failures: %+v", failures)
	}
	if text := string(failures[0].Message); !strings.Contains(text, "imageId") {
		t.Errorf("the message does not say what was wrong: %s", text)
	}
	var message map[string]any
	if err := json.Unmarshal(failures[0].Message, &message); err != nil {
		t.Errorf("the message is no JSON: %v", err)
	}
}
