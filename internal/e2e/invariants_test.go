package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"slices"
	"strconv"
	"strings"
	"testing"

	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// wanted is what is to become of an image.
type wanted struct {
	imageID string
	state   manifest.State
	reasons []string // allowed; none: no reason
	again   int      // how often somebody asked to start again
}

var (
	exported  = wanted{state: manifest.Exported}
	cancelled = wanted{state: manifest.Cancelled, reasons: []string{"cancelled-by-request", "task-cancelled"}}
)

func skipped(reason string) wanted {
	return wanted{state: manifest.Skipped, reasons: []string{reason}}
}

// audit checks the invariants of the design on a cloud that has come to rest.
func (d *deployment) audit(t *testing.T, images []wanted, output string) {
	t.Helper()
	a := audit{deployment: d, T: t, layout: manifest.Layout(d.PolicyVars(d.spec).ManifestPrefix), calls: d.Tap.Calls()}
	for _, w := range images {
		history := a.history(w.imageID)
		if len(history) == 0 {
			t.Errorf("invariant 6: nobody has decided about %s", w.imageID)
			continue
		}
		head := history[len(history)-1]
		a.oneTask(w)
		a.tasksKnown(w, history)
		a.objects(head)
		a.terminalStatesStay(w, history)
		a.decided(w, head)
		a.published(head)
	}
	a.intentsFirst()
	a.writesWithin()
	a.noSecrets(output)
	a.atRest(images)
}

type audit struct {
	*deployment
	*testing.T
	layout manifest.Layout
	calls  []trace.Call
}

// history reads every revision of an export: dense, and valid against the published schema.
func (a *audit) history(imageID string) []*manifest.Manifest {
	a.Helper()
	prefix := a.layout.Journal(a.at, imageID)
	var all []*manifest.Manifest
	for i, key := range a.list(prefix) {
		if want := fmt.Sprintf("%s%08d.json", prefix, i+1); key != want {
			a.Errorf("invariant 5: revision %s stands where %s should", key, want)
		}
		data := a.read(key)
		if err := manifesttest.Validate(data); err != nil {
			a.Errorf("invariant 5: %s: %v", key, err)
		}
		m, err := manifest.Decode(data)
		if err != nil {
			a.Fatalf("invariant 5: %s: %v", key, err)
		}
		all = append(all, m)
	}
	return all
}

// oneTask finds at most one task that lives or has brought objects, for each time that somebody asked for it.
func (a *audit) oneTask(w wanted) {
	a.Helper()
	good := 0
	for _, task := range a.tasks(w.imageID) {
		if task.Status == ecsd.TaskProcessing || task.Status == ecsd.TaskFinished {
			good++
		}
	}
	if good > 1+w.again {
		a.Errorf("invariant 1: %s has %d tasks that live or are finished", w.imageID, good)
	}
}

// tasks are those of an image.
func (a *audit) tasks(imageID string) []ecsd.Task {
	return slices.DeleteFunc(a.ECS.Tasks(), func(task ecsd.Task) bool { return task.ImageID != imageID })
}

// tasksKnown looks for each task in the journal.
func (a *audit) tasksKnown(w wanted, history []*manifest.Manifest) {
	a.Helper()
	known := map[string]bool{}
	for _, m := range history {
		if m.Task != nil {
			known[m.Task.ID] = true
		}
		for _, attempt := range m.Attempts {
			known[attempt.TaskID] = true
		}
	}
	for _, task := range a.tasks(w.imageID) {
		if !known[task.ID] {
			a.Errorf("invariant 2: the journal of %s never learned of task %s, which is %s", w.imageID, task.ID, task.Status)
		}
	}
}

// intentsFirst finds, for each ExportImage, a revision of the image that the same request had written before: its own.
func (a *audit) intentsFirst() {
	a.Helper()
	journals := a.manifests() + "journal/"
	for _, export := range a.calls {
		if export.Action != "ecs:ExportImage" || !a.byFunction(export) {
			continue
		}
		imageID := export.Resource[strings.LastIndexByte(export.Resource, '/')+1:]
		balance := 0 // of revisions over ExportImages, by this request, before this one
		for _, c := range a.calls {
			switch {
			case c.Seq >= export.Seq || c.Principal != export.Principal:
			case c.Action == "ecs:ExportImage" && c.Resource == export.Resource:
				balance--
			case c.Action == "oss:PutObject" && c.Applied && strings.HasPrefix(relative(c.Resource), journals) &&
				strings.Contains(c.Resource, "/"+imageID+"/"):
				balance++
			}
		}
		if balance < 1 {
			a.Errorf("invariant 2: call %d, ExportImage of %s, has no revision of its own before it", export.Seq, imageID)
		}
	}
}

// objects compares what a manifest says of its objects with OSS.
func (a *audit) objects(m *manifest.Manifest) {
	a.Helper()
	if m.State != manifest.Exported {
		return
	}
	systems := 0
	for _, o := range m.Objects {
		if o.Role == "system" {
			systems++
		}
		data, err := a.open(o.Bucket).Get(a.Context(), o.Key)
		if err != nil {
			a.Errorf("invariant 3: %v", err)
			continue
		}
		digest := md5.Sum(data)
		etag := strings.ToUpper(hex.EncodeToString(digest[:]))
		sum := strconv.FormatUint(crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)), 10)
		if int64(len(data)) != o.Size || sum != o.CRC64 || etag != o.ETag {
			a.Errorf("invariant 3: %s has %d bytes, CRC-64 %s and ETag %s; recorded are %d, %s and %s", o.Key, len(data), sum, etag, o.Size, o.CRC64, o.ETag)
		}
	}
	image, _ := a.ECS.Image(m.Image.ID)
	if systems != 1 || len(m.Objects) != len(image.Disks) {
		a.Errorf("invariant 3: %s has %d disks and %d objects, %d of them of a system disk", m.Image.ID, len(image.Disks), len(m.Objects), systems)
	}
}

// terminalStatesStay finds a terminal state left only as often as somebody asked for it, and the request recorded.
func (a *audit) terminalStatesStay(w wanted, history []*manifest.Manifest) {
	a.Helper()
	left := 0
	for i, m := range history[:len(history)-1] {
		if !m.State.Terminal() {
			continue
		}
		left++
		if next := history[i+1]; next.Trigger == m.Trigger {
			a.Errorf("invariant 4: revision %d of %s left %s without a request", next.Revision, w.imageID, m.State)
		}
	}
	if left > w.again {
		a.Errorf("invariant 4: %s left a terminal state %d times, asked for was %d", w.imageID, left, w.again)
	}
}

// decided finds the export in the state, and for the reason, that the image calls for.
func (a *audit) decided(w wanted, head *manifest.Manifest) {
	a.Helper()
	if head.State != w.state || head.Reason != "" && !slices.Contains(w.reasons, head.Reason) {
		a.Errorf("invariant 6: %s is %s %q (%s), want %s %q", w.imageID, head.State, head.Reason, head.Detail, w.state, w.reasons)
	}
	if head.State != manifest.Exported && (head.Reason == "" || head.Remedy == "") {
		a.Errorf("invariant 6: %s is %s for the reason %q with the remedy %q", w.imageID, head.State, head.Reason, head.Remedy)
	}
}

// published finds the newest revision under the stable key.
func (a *audit) published(head *manifest.Manifest) {
	a.Helper()
	stable := a.read(a.layout.Manifest(a.at, head.Image.ID))
	newest, err := manifest.Encode(head)
	if err != nil {
		a.Fatal(err)
	}
	if string(stable) != string(newest) {
		a.Errorf("the manifest of %s is not its newest revision, %d, but %s", head.Image.ID, head.Revision, stable)
	}
}

// manifests is the bucket and the prefix of all that imageferry writes, as resources name it.
func (a *audit) manifests() string {
	return a.PolicyVars(a.spec).ManifestBucket + "/" + string(a.layout)
}

// writesWithin finds the function writing within its prefixes only: journal (each key once, never deleted), manifests
// (never deleted) and active.
func (a *audit) writesWithin() {
	a.Helper()
	created := map[string]bool{}
	for _, c := range a.calls {
		if !a.byFunction(c) || !c.Applied || c.Service != "oss" || reads[c.Action] {
			continue
		}
		key, ours := strings.CutPrefix(relative(c.Resource), a.manifests())
		place, _, _ := strings.Cut(key, "/")
		switch {
		case ours && place == "active" && (c.Action == "oss:PutObject" || c.Action == "oss:DeleteObject"):
		case ours && place == "manifests" && c.Action == "oss:PutObject":
		case ours && place == "journal" && c.Action == "oss:PutObject":
			if created[key] {
				a.Errorf("invariant 5: %s was written twice", key)
			}
			created[key] = true
		default:
			a.Errorf("invariant 8: %s of %s", c.Action, c.Resource)
		}
	}
}

var reads = map[string]bool{"oss:GetObject": true, "oss:ListObjects": true, "oss:GetBucketInfo": true}

// noSecrets looks for what must not be told in what the function printed, and in everything that it wrote.
func (a *audit) noSecrets(output string) {
	a.Helper()
	texts := map[string]string{"the log": output}
	for _, key := range a.list(string(a.layout)) {
		texts[key] = key + string(a.read(key))
	}
	for what, text := range texts {
		for _, leak := range a.leaks(text) {
			a.Errorf("invariant 7: %s has %s", what, leak)
		}
	}
}

// atRest finds nothing left in the index but how the exports ended, and what tells about the index itself.
func (a *audit) atRest(images []wanted) {
	a.Helper()
	ends, missing := map[string]bool{}, map[string]bool{} // of an export that began again, an earlier end may have been left behind
	for _, w := range images {
		newest := ""
		for _, m := range a.history(w.imageID) {
			if ending, over := manifest.EndingOf(m); over {
				newest = a.layout.EndingKey(ending)
				ends[newest] = true
			}
		}
		if newest != "" {
			missing[newest] = true
		}
	}
	for _, key := range a.list(a.layout.Active()) {
		delete(missing, key)
		name := strings.TrimPrefix(key, a.layout.Active())
		if !ends[key] && name != "hold" && name != "complete" && name != "census" && !strings.HasPrefix(name, "seen/") {
			a.Errorf("the index still has %s", key)
		}
	}
	for key := range missing {
		a.Errorf("the index does not have %s", key)
	}
}

func (a *audit) list(prefix string) []string {
	a.Helper()
	keys, _, err := a.store.List(a.Context(), prefix, "", 1000)
	if err != nil {
		a.Fatal(err)
	}
	return keys
}

func (a *audit) read(key string) []byte {
	a.Helper()
	data, err := a.store.Get(a.Context(), key)
	if err != nil {
		a.Fatal(err)
	}
	return data
}
