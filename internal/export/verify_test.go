package export

import (
	"strings"
	"testing"
	"time"

	"imageferry/internal/manifest"
)

const (
	systemObject = "golden-images/nightly_m-1_system.raw.tar.gz"
	dataObject   = "golden-images/nightly_m-1_data_xvdb.raw.tar.gz"
)

func TestVerification(t *testing.T) {
	t.Parallel()
	change := func(key string, f func(*fakeObject)) func(*world) {
		return func(w *world) {
			o := w.cloud.objects[key]
			f(&o)
			w.cloud.objects[key] = o
		}
	}
	report := func(subtasks ...Subtask) func(*world) {
		return func(w *world) { w.cloud.tasks[0].subtasks = subtasks }
	}
	raw := func(object string) Subtask {
		return Subtask{Status: "Finished", Bucket: "golden-images", Object: strings.TrimPrefix(object, "golden-images/"), Format: "raw"}
	}
	for name, c := range map[string]struct {
		change func(*world)
		state  manifest.State
		reason string
		detail string
	}{
		"good":                   {func(*world) {}, manifest.Exported, "", ""},
		"no checksum":            {change(systemObject, func(o *fakeObject) { o.info.CRC64 = "" }), manifest.Exported, "", ""},
		"format not told":        {func(w *world) { w.respell(func(s *Subtask) { s.Format = "" }) }, manifest.Exported, "", ""},
		"format in capitals":     {func(w *world) { w.respell(func(s *Subtask) { s.Format = "RAW" }) }, manifest.Exported, "", ""},
		"bucket not told":        {func(w *world) { w.respell(func(s *Subtask) { s.Bucket = "" }) }, manifest.Exported, "", ""},
		"system disk is missing": {func(w *world) { delete(w.cloud.objects, systemObject) }, manifest.Queued, verifyMissing, systemObject},
		"data disk is missing":   {func(w *world) { delete(w.cloud.objects, dataObject) }, manifest.Queued, verifyMissing, dataObject},
		"empty":                  {change(dataObject, func(o *fakeObject) { o.info.Size = 0 }), manifest.Queued, verifyEmpty, dataObject},
		"no archive":             {change(systemObject, func(o *fakeObject) { clear(o.head) }), manifest.Queued, verifyContent, systemObject},
		"an error page":          {change(systemObject, func(o *fakeObject) { o.head, o.info.Size = []byte("<Error>"), 7 }), manifest.Queued, verifyContent, systemObject},
		"another format":         {change(systemObject, func(o *fakeObject) { copy(o.head, "QFI\xfb") }), manifest.Queued, verifyContent, "qcow2"},
		"nothing known, not told": {func(w *world) {
			w.respell(func(s *Subtask) { s.Format = "" })
			change(systemObject, func(o *fakeObject) { clear(o.head) })(w)
		}, manifest.Queued, verifyContent, "unknown"},
		"fewer objects than disks":  {report(raw(systemObject)), manifest.Failed, verifyDisks, "2 disks"},
		"no objects":                {report(Subtask{Status: "Finished"}), manifest.Failed, verifyNoObjects, "t-1"},
		"no system disk among them": {report(raw(dataObject), raw(dataObject)), manifest.Failed, verifyDisks, "system disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.finished()
				c.change(w)
				w.follow()
				head := w.wantHead("m-1", c.state, c.reason)
				if !strings.Contains(head.Detail, c.detail) {
					t.Errorf("detail is %q, want %q", head.Detail, c.detail)
				}
				if c.state != manifest.Exported && (len(head.Objects) != 0 || head.Verification != nil || head.Attempts[0].Outcome != manifest.Broken) {
					t.Errorf("head is %+v", head)
				}
				w.wantMarkers("m-1")
			})
		})
	}
}

// finished brings the export of an image with two disks to where its task has ended.
func (w *world) finished() {
	w.add("m-1", func(i *manifest.Image) {
		i.Disks = append(i.Disks, manifest.Disk{Device: "/dev/xvdb", Type: "data", SizeGiB: 100})
	})
	w.submit("m-1")
	time.Sleep(w.cloud.duration)
	w.cloud.mu.Lock()
	defer w.cloud.mu.Unlock()
	w.cloud.settle()
}

// respell changes what ECS reports of the first task.
func (w *world) respell(change func(*Subtask)) {
	task := w.cloud.tasks[0]
	task.subtasks = w.cloud.subtasksOf(task)
	for i := range task.subtasks {
		change(&task.subtasks[i])
	}
}

// OSS in trouble says nothing about the objects: the next tick looks again.
func TestVerificationThatCannotLook(t *testing.T) {
	t.Parallel()
	for _, op := range []string{opObject, opRead} {
		inWorld(t, func(w *world) {
			w.finished()
			w.fault(op, false, &CallError{Op: op, Status: 503, Code: "ServiceUnavailable", Message: "later"}, 0)
			w.follow()
			w.follow()
			w.wantHead("m-1", manifest.Exporting, "")
			w.wantMarkers("m-1")
			w.noFault()
			w.follow()
			w.wantHead("m-1", manifest.Exported, "")
		})
	}
}

func TestEveryFormat(t *testing.T) {
	t.Parallel()
	for format, content := range map[string]string{"raw": "gzip", "vhd": "vhd", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				w.settings.Destination.Format = format
				w.finished()
				w.follow()
				head := w.wantHead("m-1", manifest.Exported, "")
				for _, o := range head.Objects {
					if o.Content != content {
						t.Errorf("%s is %q, want %q", o.Key, o.Content, content)
					}
				}
			})
		})
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head string
		want string
	}{
		"gzip":            {"\x1f\x8b\x08\x00", "gzip"},
		"qcow2":           {"QFI\xfb\x00\x00\x00\x03", "qcow2"},
		"sparse vmdk":     {"KDMV\x01", "vmdk"},
		"described vmdk":  {"# Disk DescriptorFile\nversion=1", "vmdk"},
		"dynamic vhd":     {"conectix\x00", "vhd"},
		"vdi":             {strings.Repeat("\x00", 64) + "\x7f\x10\xda\xbe", "vdi"},
		"vdi, too early":  {strings.Repeat("\x00", 60) + "\x7f\x10\xda\xbe", unknownContent},
		"vdi, cut":        {strings.Repeat("\x00", 64) + "\x7f\x10\xda", unknownContent},
		"half of a magic": {"\x1f", unknownContent},
		"empty":           {"", unknownContent},
	} {
		if got := contentOf([]byte(c.head)); got != c.want {
			t.Errorf("%s is %q, want %q", name, got, c.want)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys, want []string
	}{
		"documented":   {[]string{"m-1_data_xvdb.raw.tar.gz", "m-1_system.raw.tar.gz"}, []string{"data xvdb", "system "}},
		"prefix":       {[]string{"p_m-1_system.qcow2", "p_m-1_data_vdc.qcow2"}, []string{"system ", "data vdc"}},
		"old, alone":   {[]string{"MYOSSPRE_m-23f8tcp8y_t-23ym6mvro.vhd"}, []string{"system "}},
		"old, several": {[]string{"m-1_t-1.vhd", "m-1_t-2.vhd"}, []string{"system ", "data "}},
		"mixed":        {[]string{"m-1_t-1.vhd", "m-1_system.vhd"}, []string{"data ", "system "}},
		"data alone":   {[]string{"m-1_data_xvdb.vhd"}, []string{"data xvdb"}},
	} {
		objects := make([]manifest.Object, len(c.keys))
		for i, key := range c.keys {
			objects[i].Key = key
		}
		assignRoles(objects)
		for i, o := range objects {
			if got := o.Role + " " + o.Device; got != c.want[i] {
				t.Errorf("%s: %s is %q, want %q", name, o.Key, got, c.want[i])
			}
		}
	}
}
