package ecsd_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
)

func twoDisks(id string) ecsd.Image {
	return ecsd.Image{ID: id, Disks: []ecsd.Disk{
		{Device: "/dev/xvda", Type: "system", SizeGiB: 40}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 40}}}
}

func TestExportWritesOneObjectPerDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.AddImage(twoDisks("m-1"))
		task := w.export("m-1", "OSSPrefix", "nightly")
		w.fails(403, "ImageIsExporting", "ExportImage", "ImageId", "m-1", "OSSBucket", "images")
		time.Sleep(10 * time.Minute) // of the 20 that 80 GiB take
		a := w.do("DescribeTaskAttribute", "TaskId", task)
		if a.text("TaskStatus") != "Processing" || a.text("TaskProcess") != "49%" || len(w.buckets.keys()) != 0 {
			t.Errorf("half way: %v, objects %v", a, w.buckets.keys())
		}
		if a.at("OperationProgressSet", "OperationProgress", 1, "RelatedItemSet", "RelatedItem", 0, "Value") != "images" {
			t.Errorf("half way: %v", a)
		}
		time.Sleep(10*time.Minute + time.Second)
		a = w.do("DescribeTaskAttribute", "TaskId", task)
		if a.text("TaskStatus") != "Finished" || a.text("TaskProcess") != "100%" || a.at("TotalCount") != 2.0 ||
			a.at("SuccessCount") != 2.0 || a.at("FailedCount") != 0.0 || a.at("SupportCancel") != true ||
			a.text("CreationTime") != "2000-01-01T00:00Z" || a.text("FinishedTime") != "2000-01-01T00:20Z" {
			t.Errorf("at the end: %v", a)
		}
		operation := a.at("OperationProgressSet", "OperationProgress", 1).(map[string]any)
		items := answer(operation)
		if operation["OperationStatus"] != "Success" || items.text("RelatedItemSet", "RelatedItem", 1, "Name") != "OSSObject" ||
			items.text("RelatedItemSet", "RelatedItem", 1, "Value") != "nightly_m-1_data_xvdb.raw.tar.gz" {
			t.Errorf("data disk: %v", operation)
		}
		want := []string{"images/nightly_m-1_data_xvdb.raw.tar.gz", "images/nightly_m-1_system.raw.tar.gz"}
		if got := w.buckets.keys(); !slices.Equal(got, want) {
			t.Errorf("objects %v, want %v", got, want)
		}
		w.export("m-1") // no longer exporting
	})
}

func TestArtefacts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *ecsd.Options) { o.Region = "ap-southeast-1" })
		w.buckets.info["images"] = ecsd.BucketInfo{Region: "ap-southeast-1"}
		magic := map[string]struct {
			offset int
			bytes  string
		}{"qcow2": {0, "QFI\xfb"}, "vmdk": {0, "KDMV"}, "vhd": {0, "conectix"}, "vdi": {64, "\x7f\x10\xda\xbe"}}
		w.server.AddImage(twoDisks("m-1"))
		w.server.AddImage(twoDisks("m-2"))
		formats := []string{"raw", "qcow2", "vmdk", "vhd", "vdi"}
		for _, image := range []string{"m-1", "m-2"} {
			for _, format := range formats {
				w.export(image, "ImageFormat", strings.ToUpper(format), "RegionId", "ap-southeast-1")
				time.Sleep(time.Hour)
			}
		}
		objects := w.buckets.all()
		if got := len(objects); got != 2*2*len(formats) {
			t.Fatalf("%d objects: %v", got, w.buckets.keys())
		}
		seen := map[string]string{}
		for key, body := range objects {
			if other, ok := seen[string(body)]; ok {
				t.Errorf("%s and %s are the same", key, other)
			}
			seen[string(body)] = key
			if m, ok := magic[key[strings.LastIndexByte(key, '.')+1:]]; ok {
				if !bytes.HasPrefix(body[m.offset:], []byte(m.bytes)) {
					t.Errorf("%s has no magic number", key)
				}
				continue
			}
			checkArchive(t, strings.TrimPrefix(key, "images/"), body)
		}
		before := objects["images/m-1_system.raw.tar.gz"]
		w.export("m-1", "RegionId", "ap-southeast-1")
		time.Sleep(time.Hour)
		if !bytes.Equal(before, w.buckets.all()["images/m-1_system.raw.tar.gz"]) {
			t.Error("the second export differs from the first")
		}
	})
}

func checkArchive(t *testing.T, key string, body []byte) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	files := tar.NewReader(unzipped)
	header, err := files.Next()
	if err != nil || header.Typeflag != tar.TypeReg || header.Name != strings.TrimSuffix(key, ".tar.gz") {
		t.Fatalf("%s holds %+v (%v)", key, header, err)
	}
	if content, err := io.ReadAll(files); err != nil || len(content) != int(header.Size) || len(content) == 0 {
		t.Errorf("%s: %d bytes (%v)", key, len(content), err)
	}
	if _, err := files.Next(); err != io.EOF {
		t.Errorf("%s holds more: %v", key, err)
	}
}

func TestExportNeedsEveryRightOfTheRole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, missing := range roleActions {
			w := newWorld(t)
			w.server.AddImage(twoDisks("m-1"))
			w.setRole(slices.DeleteFunc(slices.Clone(roleActions), func(a string) bool { return a == missing })...)
			status, a := w.as(w.caller, "ExportImage", "ImageId", "m-1", "OSSBucket", "images")
			if status != 200 {
				if a.text("Code") != "InvalidOSS.NotAuthorized" {
					t.Errorf("without %s: %v", missing, a)
				}
				continue
			}
			time.Sleep(time.Hour)
			a = w.do("DescribeTaskAttribute", "TaskId", a.text("TaskId"))
			first := answer(a.at("OperationProgressSet", "OperationProgress", 0).(map[string]any))
			if a.text("TaskStatus") != "Failed" || first.text("ErrorCode") != "InvalidOSS.NotAuthorized" || a.at("FailedCount") != 2.0 {
				t.Errorf("without %s: %v", missing, a)
			}
		}
	})
}

func TestExportRoleIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.AddImage(ecsd.Image{ID: "m-1"})
		w.export("m-1")
		time.Sleep(time.Hour)
		want := []string{"oss:GetBucketLocation", "oss:ListMultipartUploads", "oss:AbortMultipartUpload", "oss:DeleteObject",
			"oss:ListParts", "oss:GetObject"} // the others are recorded by OSS
		if got := w.made(); !slices.Equal(got, want) {
			t.Errorf("calls %v, want %v", got, want)
		}
	})
}

func TestTasksThatFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*world)
		code   string
	}{
		{"image removed", func(w *world) { w.server.RemoveImage("m-1") }, "InvalidImageId.NotFound"},
		{"asked for", func(w *world) { w.server.FailNextExport("m-1", "InternalError", "told to") }, "InternalError"},
		{"role deleted", func(w *world) { w.dir.DeleteRole(exportRole) }, "NoSetRoletoECSServiceAcount"},
		{"OSS refuses", func(w *world) {
			w.tap.Inject(func(c trace.Call) trace.Fault {
				if c.Action == "oss:GetObject" {
					return trace.Fault{Refuse: &trace.Refusal{Status: 503, Code: "ServiceUnavailable"}}
				}
				return trace.Fault{}
			})
		}, "ServiceUnavailable"},
		{"OSS breaks off", func(w *world) {
			w.tap.Inject(func(c trace.Call) trace.Fault {
				if c.Action == "oss:DeleteObject" {
					return trace.Fault{Cut: trace.CutAfter}
				}
				return trace.Fault{}
			})
		}, "ExportImageFailed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.AddImage(ecsd.Image{ID: "m-1"})
				task := w.export("m-1")
				test.change(w)
				time.Sleep(time.Hour)
				if got := w.status(task); got != "Failed" {
					t.Fatalf("status %s", got)
				}
				if sub := w.server.Tasks()[0].Subtasks[0]; sub.ErrorCode != test.code {
					t.Errorf("failed with %s, want %s", sub.ErrorCode, test.code)
				}
				reason := w.do("DescribeTasks", "TaskIds", task).text("TaskSet", "Task", 0, "FailedReason")
				if !strings.HasPrefix(reason, test.code) {
					t.Errorf("reason %q", reason)
				}
			})
		})
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *ecsd.Options) { o.Quotas = ecsd.Quotas{ConcurrentExports: 2} })
		for _, id := range []string{"m-1", "m-2", "m-3", "m-4"} {
			w.server.AddImage(ecsd.Image{ID: id})
		}
		w.export("m-1")
		second := w.export("m-2")
		w.fails(403, "ConcurrentQuotaExceed.ExportImage", "ExportImage", "ImageId", "m-3", "OSSBucket", "images")
		w.do("CancelTask", "TaskId", second)
		w.export("m-3")
		time.Sleep(time.Hour)
		w.server.SetQuotas(ecsd.Quotas{WeeklyExports: 3})
		w.fails(403, "WeeklyQuotaExceed.ExportImage", "ExportImage", "ImageId", "m-4", "OSSBucket", "images")
		time.Sleep(7 * 24 * time.Hour)
		w.export("m-4")
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.AddImage(ecsd.Image{ID: "m-1"})
		task := w.export("m-1")
		w.do("CancelTask", "TaskId", task)
		if got := w.status(task); got != "Deleted" {
			t.Errorf("status %s", got)
		}
		w.fails(403, "InvalidTaskId.IncorrectTaskStatus", "CancelTask", "TaskId", task)
		w.fails(400, "InvalidTaskId.NotFound", "CancelTask", "TaskId", "t-none")
		w.fails(400, "InvalidTaskId.NotFound", "DescribeTaskAttribute", "TaskId", "t-none")
		w.fails(400, "MissingParameter", "CancelTask")
		time.Sleep(time.Hour)
		if keys := w.buckets.keys(); len(keys) != 0 {
			t.Errorf("objects %v", keys)
		}
		w.export("m-1")
	})
}

func TestCloseStopsTasks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.AddImage(ecsd.Image{ID: "m-1"})
		task := w.export("m-1")
		w.server.Close()
		time.Sleep(time.Hour)
		if got := w.status(task); got != "Processing" || len(w.buckets.keys()) != 0 {
			t.Errorf("status %s, objects %v", got, w.buckets.keys())
		}
	})
}

func TestSeedDialect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *ecsd.Options) { o.SeedDialect = true })
		w.server.AddImage(ecsd.Image{ID: "m-1"})
		ask := func(token string) (int, answer) {
			return w.as(w.caller, "ExportImage", "ImageId", "m-1", "OssBucket", "images", "OssPrefix", "p", "ClientToken", token)
		}
		status, first := ask("a")
		if status != 200 || first.text("ExportTaskId") == "" || first.text("TaskId") != "" || first.text("RegionId") != "cn-hangzhou" {
			t.Fatalf("%d %v", status, first)
		}
		if status, again := ask("a"); status != 200 || again.text("ExportTaskId") != first.text("ExportTaskId") {
			t.Errorf("repeated: %d %v", status, again)
		}
		if status, other := ask("b"); status != 403 || other.text("Code") != "OperationDenied.ImageExporting" {
			t.Errorf("other token: %d %v", status, other)
		}
		time.Sleep(time.Hour)
		if got := w.buckets.keys(); !slices.Equal(got, []string{"images/p_m-1_system.raw.tar.gz"}) {
			t.Errorf("objects %v", got)
		}
	})
}

func TestConcurrentExportsOfAnImageStartOneTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(ecsd.Image{ID: "m-1"})
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if status, _ := w.as(w.caller, "ExportImage", "ImageId", "m-1", "OSSBucket", "images"); status == 200 {
				accepted.Add(1)
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 || len(w.server.Tasks()) != 1 {
		t.Errorf("%d calls were accepted, %d tasks", n, len(w.server.Tasks()))
	}
}

func TestExportIsRefusedWhenOSSFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.AddImage(ecsd.Image{ID: "m-1"})
	w.tap.Inject(func(c trace.Call) trace.Fault {
		if c.Action == "oss:GetBucketLocation" {
			return trace.Fault{Cut: trace.CutBefore}
		}
		return trace.Fault{}
	})
	w.fails(403, "ExportImageFailed", "ExportImage", "ImageId", "m-1", "OSSBucket", "images")
}
