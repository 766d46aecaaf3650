package exporttest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/export"
)

const noTask = "t-bp1imageferrynosuchtask"

func missesTasks(t *testing.T, a Account) {
	tasks, err := a.Tasks.Tasks(t.Context(), []string{noTask})
	if err != nil || len(tasks) != 0 {
		t.Errorf("tasks are %+v (%v)", tasks, err)
	}
	tasks, err = a.Tasks.TasksOf(t.Context(), noImage, time.Now().Add(-time.Hour))
	if err != nil || len(tasks) != 0 {
		t.Errorf("tasks of no image are %+v (%v)", tasks, err)
	}
	detail, found, err := a.Tasks.Detail(t.Context(), noTask)
	if found || err != nil {
		t.Errorf("detail is %+v, found is %t (%v)", detail, found, err)
	}
}

func refusesExports(t *testing.T, a Account) {
	for name, c := range map[string]struct {
		change func(*export.Request)
		codes  []string // today's and that of 2017
		skip   bool
	}{
		"no such image":  {func(r *export.Request) { r.ImageID = noImage }, []string{"InvalidImageId.NotFound", "ImageId.NotFound"}, false},
		"no such bucket": {func(r *export.Request) { r.Destination.Bucket = noBucket }, []string{"InvalidOSSBucket.NotFound", "OssBucket.NotFound"}, false},
		"bucket elsewhere": {
			func(r *export.Request) { r.Destination.Bucket = a.Elsewhere },
			[]string{"InvalidOSSBucket.NotMatched", "InvalidOSSBucket.NotFound", "OssBucket.NotFound"}, a.Elsewhere == "",
		},
		"not available": {func(r *export.Request) { r.ImageID = a.Creating }, []string{"IncorrectImageStatus"}, a.Creating == ""},
	} {
		if c.skip {
			continue
		}
		r := a.request()
		c.change(&r)
		accepted, err := a.Tasks.Export(t.Context(), r)
		if err == nil {
			a.cancelAfter(t, accepted.TaskID)
		}
		wantRefusal(t, name, err, "ExportImage", c.codes...)
	}
}

// wantRefusal: the call has an error code, and has certainly not been applied.
func wantRefusal(t *testing.T, name string, err error, op string, codes ...string) {
	t.Helper()
	var call *export.CallError
	if !errors.As(err, &call) || call.Op != op || !slices.Contains(codes, call.Code) || call.Ambiguous {
		t.Errorf("%s: %v (%+v), want one of %q", name, err, call, codes)
	}
}

// cancelAfter sees to it that no task outlives the test.
func (a Account) cancelAfter(t *testing.T, taskID string) {
	t.Cleanup(func() { _ = a.Tasks.Cancel(context.WithoutCancel(t.Context()), taskID) })
}

// start exports the account's image.
func (a Account) start(t *testing.T) string {
	t.Helper()
	accepted, err := a.Tasks.Export(t.Context(), a.request())
	must(t, err)
	if accepted.TaskID == "" {
		t.Fatalf("accepted without a task: %+v", accepted)
	}
	a.cancelAfter(t, accepted.TaskID)
	return accepted.TaskID
}

func exportsAndCancels(t *testing.T, a Account) {
	began := time.Now().Add(-time.Minute) // clocks differ
	task := a.start(t)
	a.isListed(t, task, began)
	again := a.request()
	again.ClientToken = "another"
	_, err := a.Tasks.Export(t.Context(), again)
	wantRefusal(t, "a second export of the image", err, "ExportImage", "ImageIsExporting", "OperationDenied.ImageExporting")

	must(t, a.Tasks.Cancel(t.Context(), task))
	ended := a.ends(t, task, 10*time.Minute)
	if ended == "Finished" {
		t.Errorf("the task is %s", ended)
	}
	// Repeating it does no harm, whatever it is told.
	if err := a.Tasks.Cancel(t.Context(), task); err != nil {
		wantRefusal(t, "a second cancel", err, "CancelTask", "InvalidTaskId.IncorrectTaskStatus", "IncorrectTaskStatus", "InvalidTaskId.NotFound")
	}
}

// isListed: a running task is seen in every way in which it can be asked for.
func (a Account) isListed(t *testing.T, task string, began time.Time) {
	t.Helper()
	tasks, err := a.Tasks.Tasks(t.Context(), []string{noTask, task})
	if err != nil || len(tasks) != 1 || !a.isOurs(tasks[0], task) {
		t.Errorf("tasks are %+v (%v)", tasks, err)
	}
	tasks, err = a.Tasks.TasksOf(t.Context(), a.Image, began)
	if err != nil || !slices.ContainsFunc(tasks, func(found export.Task) bool { return a.isOurs(found, task) }) {
		t.Errorf("tasks of the image are %+v (%v)", tasks, err)
	}
	tasks, err = a.Tasks.TasksOf(t.Context(), a.Image, time.Now().Add(time.Hour))
	if err != nil || len(tasks) != 0 {
		t.Errorf("tasks of the future are %+v (%v)", tasks, err)
	}
	detail, found, err := a.Tasks.Detail(t.Context(), task)
	if err != nil || !found || detail.ID != task || detail.Status == "" {
		t.Errorf("detail is %+v, found is %t (%v)", detail, found, err)
	}
	for _, s := range detail.Subtasks { // what is told of them, and when, is ECS's affair
		if s.Bucket != "" && s.Bucket != a.Destination.Bucket {
			t.Errorf("a disk is written to %s", s.Bucket)
		}
	}
}

func (a Account) isOurs(found export.Task, task string) bool {
	return found.ID == task && found.Action == "ExportImage" && found.ImageID == a.Image && found.Status != "" && !found.CreatedAt.IsZero()
}

// ends waits until a task runs no longer, and returns its status.
func (a Account) ends(t *testing.T, task string, within time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	pause := time.NewTicker(a.Poll)
	defer pause.Stop()
	for {
		detail, found, err := a.Tasks.Detail(ctx, task)
		must(t, err)
		if !found {
			return ""
		}
		if detail.Status != "Processing" {
			return detail.Status
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			t.Fatalf("after %v the task is %+v", within, detail)
		}
	}
}

func exportsToTheEnd(t *testing.T, a Account) {
	if a.Finish <= 0 {
		t.Skip("no export is to run to its end")
	}
	task := a.start(t)
	if status := a.ends(t, task, a.Finish); status != "Finished" {
		t.Fatalf("the task is %s", status)
	}
	detail, found, err := a.Tasks.Detail(t.Context(), task)
	must(t, err)
	image, _, err := a.Images.Image(t.Context(), a.Image)
	must(t, err)
	if !found || detail.Failed != 0 || len(detail.Subtasks) != len(image.Disks) {
		t.Fatalf("found is %t, detail is %+v of the disks %+v", found, detail, image.Disks)
	}
	for _, s := range detail.Subtasks {
		a.deleteAfter(t, s.Object)
		start := a.Image
		if a.Destination.Prefix != "" {
			start = a.Destination.Prefix + "_" + start
		}
		if s.Bucket != a.Destination.Bucket || !strings.HasPrefix(s.Object, start) || s.Format == "" || s.ErrorCode != "" {
			t.Errorf("a disk is reported as %+v", s)
		}
		info, found, err := a.Objects.Object(t.Context(), s.Bucket, s.Object)
		if err != nil || !found || info.Size == 0 {
			t.Errorf("found is %t, %s is %+v (%v)", found, s.Object, info, err)
		}
		head, err := a.Objects.Read(t.Context(), s.Bucket, s.Object, 0, 2)
		if err != nil || strings.EqualFold(s.Format, "raw") && string(head) != "\x1f\x8b" {
			t.Errorf("%s begins with %x (%v)", s.Object, head, err)
		}
	}
}
