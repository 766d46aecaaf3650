package alicloud_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/restore"
)

// importOf asks for an image of the two objects that newImport has made.
func importOf(name string) restore.Request {
	return restore.Request{
		Name: name, Description: "restored", Architecture: "x86_64", OSType: "linux", Platform: "Ubuntu", BootMode: "UEFI",
		NvmeSupport: "supported", ImdsSupport: "v2", Role: localcloud.ImportRole, Tags: map[string]string{"team": "red", "of": "x"},
		Disks:       []restore.Mapping{{Bucket: bucket, Key: "a.raw", Format: "RAW", SizeGiB: 2}, {Bucket: bucket, Key: "b.raw", Format: "RAW", SizeGiB: 1}},
		ClientToken: "token-" + name,
	}
}

func newImport(t *testing.T) embedded {
	t.Helper()
	e := start(t, localcloud.Options{ImportRole: true})
	for _, key := range []string{"a.raw", "b.raw"} {
		if err := e.Cloud.OSS.PutContentAs(t.Context(), e.Administrator, bucket, key, ecsd.SampleDisk(key, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// TestImport takes an image from ImportImage to its deletion.
func TestImport(t *testing.T) {
	t.Parallel()
	e := newImport(t)
	began := time.Now()
	answer, err := e.Session.ECS.Import(t.Context(), importOf("web-01"))
	if err != nil || answer.ImageID == "" || answer.TaskID == "" || answer.RequestID == "" {
		t.Fatalf("answer %+v (%v)", answer, err)
	}
	again, err := e.Session.ECS.Import(t.Context(), importOf("web-01"))
	if err != nil || again.ImageID != answer.ImageID {
		t.Errorf("the token again: %+v (%v)", again, err)
	}
	task, found, err := e.Session.ECS.ImportOf(t.Context(), answer.ImageID, began.Add(-time.Minute))
	if err != nil || !found || task.ID != answer.TaskID {
		t.Errorf("task %+v, found %t (%v)", task, found, err)
	}
	if _, found, err := e.Session.ECS.ImportOf(t.Context(), "m-none", began); found || err != nil {
		t.Errorf("the task of no image: found %t (%v)", found, err)
	}
	for {
		image, found, err := e.Session.ECS.Image(t.Context(), answer.ImageID)
		if err != nil || !found {
			t.Fatalf("found %t (%v)", found, err)
		}
		if image.Status != "Available" {
			continue
		}
		if image.Name != "web-01" || image.Platform != "Ubuntu" || image.BootMode != "UEFI" || image.NvmeSupport != "supported" ||
			image.ImdsSupport != "v2" || image.Tags["team"] != "red" || len(image.Disks) != 2 || image.Disks[0].SizeGiB != 2 {
			t.Errorf("image %+v", image)
		}
		break
	}
	if err := e.Session.ECS.Modify(t.Context(), answer.ImageID, restore.Change{Family: "golden", BootMode: "UEFI-Preferred"}); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{"web-01": true, "web-0": false, "web-011": false} { // ECS searches for parts of names
		image, found, err := e.Session.ECS.Named(t.Context(), name)
		if err != nil || found != want || want && (image.Family != "golden" || image.BootMode != "UEFI-Preferred") {
			t.Errorf("%s: found %t, %+v (%v)", name, found, image, err)
		}
	}
	for range 2 { // repeating it is no error
		if err := e.Session.ECS.Delete(t.Context(), answer.ImageID); err != nil {
			t.Error(err)
		}
	}
}

// TestImportIsSentOnce: an answer that is lost leaves open whether there is an image, and nothing is repeated.
func TestImportIsSentOnce(t *testing.T) {
	t.Parallel()
	e := newImport(t)
	refused := importOf("refused")
	refused.Role = "another"
	_, err := e.Session.ECS.Import(t.Context(), refused)
	call, ok := errors.AsType[*export.CallError](err)
	if !ok || !strings.HasPrefix(call.Code, "NoSetRoletoECSServiceAc") || call.Ambiguous {
		t.Errorf("error %v", err)
	}
	before := len(e.Tap.Calls())
	e.Tap.Inject(func(call trace.Call) trace.Fault {
		if call.Operation == "ImportImage" {
			return trace.Fault{Cut: trace.CutAfter}
		}
		return trace.Fault{}
	})
	_, err = e.Session.ECS.Import(t.Context(), importOf("web-01"))
	if call, ok = errors.AsType[*export.CallError](err); !ok || !call.Ambiguous {
		t.Errorf("error %v", err)
	}
	sent := 0
	for _, c := range e.Tap.Calls()[before:] {
		if c.Operation == "ImportImage" {
			sent++
		}
	}
	if sent != 1 {
		t.Errorf("it was sent %d times", sent)
	}
	if _, found, err := e.Session.ECS.Named(t.Context(), "web-01"); !found || err != nil {
		t.Errorf("the image is found: %t (%v)", found, err)
	}
}
