package export

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"imageferry/internal/manifest"
)

// The names of a fakeCloud's calls; those of ECS are the API's, because an attempt is refused by "ExportImage" alone.
const (
	opImage  = "DescribeImages"
	opImages = "DescribeImages page"
	opExport = "ExportImage"
	opTasks  = "DescribeTasks"
	opTaskOf = "DescribeTasks of image"
	opDetail = "DescribeTaskAttribute"
	opCancel = "CancelTask"
	opBucket = "GetBucketInfo"
	opObject = "HeadObject"
	opRead   = "GetObject"
)

// A fakeCloud is ECS and OSS in memory, over (fake) time.
type fakeCloud struct {
	mu      sync.Mutex
	images  map[string][]imageVersion
	tasks   []*fakeTask
	buckets map[string]Bucket
	objects map[string]fakeObject
	calls   map[string]int
	tokens  []string

	// fault is asked before every call: an error is returned in its place, after it was applied if apply is set. It may
	// block.
	fault func(op, id string) (apply bool, err error)
	// quota is how many tasks may run at once.
	quota int
	// duration is how long a new task runs, and onAccept changes it before it starts.
	duration time.Duration
	onAccept func(*fakeTask)
	// anonymous: ExportImage is answered without a task id.
	anonymous bool
	// beforeExport is told of every call to ExportImage that reaches ECS.
	beforeExport func(Request)
}

// An imageVersion is what DescribeImages says from a time on.
type imageVersion struct {
	from  time.Time
	image manifest.Image
}

type fakeTask struct {
	id          string
	imageID     string
	destination manifest.Destination
	created     time.Time
	ends        time.Time
	// end is the status from ends on; status overrides it, from the beginning.
	end, status string
	// hidden keeps the task out of every list, unknown even from DescribeTaskAttribute.
	hidden, unknown bool
	// told: the related items are known while the task runs.
	told bool
	// code and message are the subtasks' error.
	code, message string
	failed        int
	// subtasks replaces what would be reported.
	subtasks []Subtask
	// ours: it was accepted by ExportImage, not planted.
	ours  bool
	wrote bool
}

func newCloud() *fakeCloud {
	return &fakeCloud{
		images:   map[string][]imageVersion{},
		buckets:  map[string]Bucket{},
		objects:  map[string]fakeObject{},
		calls:    map[string]int{},
		quota:    1000,
		duration: 30 * time.Minute,
	}
}

// do counts a call, asks the fault and applies it under the lock.
func (c *fakeCloud) do(ctx context.Context, op, id string, apply func() error) error {
	c.mu.Lock()
	c.calls[op]++
	fault := c.fault
	c.mu.Unlock()
	applied, failure := false, error(nil)
	if fault != nil {
		applied, failure = fault(op, id)
	}
	if err := ctx.Err(); err != nil && failure == nil {
		return &CallError{Op: op, Message: "cancelled", Ambiguous: true, Cause: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	if failure == nil {
		return apply()
	}
	if applied {
		_ = apply()
	}
	return failure
}

// settle lets the finished tasks write their objects.
func (c *fakeCloud) settle() {
	for _, t := range c.tasks {
		if !t.wrote && t.statusNow() == "Finished" {
			t.wrote = true
			for _, s := range c.subtasksOf(t) {
				c.objects[s.Bucket+"/"+s.Object] = newObject(s.Format)
			}
		}
	}
}

func (t *fakeTask) statusNow() string {
	switch {
	case t.status != "":
		return t.status
	case time.Now().Before(t.ends):
		return "Processing"
	case t.end != "":
		return t.end
	}
	return "Finished"
}

func (t *fakeTask) line() Task {
	line := Task{ID: t.id, Action: "ExportImage", Status: t.statusNow(), ImageID: t.imageID, CreatedAt: t.created}
	if line.Status != "Processing" {
		line.FinishedAt = t.ends
	}
	return line
}

func (c *fakeCloud) subtasksOf(t *fakeTask) []Subtask {
	if t.subtasks != nil {
		return t.subtasks
	}
	start := t.imageID
	if t.destination.Prefix != "" {
		start = t.destination.Prefix + "_" + start
	}
	suffix := "." + t.destination.Format
	if t.destination.Format == "raw" {
		suffix = ".raw.tar.gz"
	}
	image, _ := c.imageNow(t.imageID)
	var subtasks []Subtask
	for _, d := range image.Disks {
		name := start + "_system" + suffix
		if d.Type == "data" {
			name = start + "_data_" + strings.TrimPrefix(d.Device, "/dev/") + suffix
		}
		subtasks = append(subtasks, Subtask{Status: t.statusNow(), Bucket: t.destination.Bucket, Object: name, Format: t.destination.Format})
	}
	return subtasks
}

func (c *fakeCloud) imageNow(id string) (manifest.Image, bool) {
	for _, v := range slices.Backward(c.images[id]) {
		if !time.Now().Before(v.from) {
			return v.image, v.image.ID != ""
		}
	}
	return manifest.Image{}, false
}

func (c *fakeCloud) Image(ctx context.Context, id string) (image manifest.Image, found bool, err error) {
	err = c.do(ctx, opImage, id, func() error { image, found = c.imageNow(id); return nil })
	return image, found, err
}

func (c *fakeCloud) Images(ctx context.Context, since time.Time, page int) (images []manifest.Image, total int, err error) {
	err = c.do(ctx, opImages, fmt.Sprint(page), func() error {
		var all []manifest.Image
		for _, id := range slices.Sorted(maps.Keys(c.images)) {
			image, ok := c.imageNow(id)
			if ok && image.Status == "Available" && !image.CreationTime.Before(since) {
				all = append(all, image)
			}
		}
		from := min((page-1)*ImagePageSize, len(all))
		images, total = all[from:min(from+ImagePageSize, len(all))], len(all)
		return nil
	})
	return images, total, err
}

func (c *fakeCloud) Export(ctx context.Context, r Request) (accepted Accepted, err error) {
	if c.beforeExport != nil {
		c.beforeExport(r)
	}
	err = c.do(ctx, opExport, r.ImageID, func() error {
		c.tokens = append(c.tokens, r.ClientToken)
		if err := c.refuse(r); err != nil {
			return err
		}
		t := &fakeTask{id: fmt.Sprintf("t-%d", len(c.tasks)+1), imageID: r.ImageID, destination: r.Destination,
			created: time.Now(), ends: time.Now().Add(c.duration), ours: true}
		if c.onAccept != nil {
			c.onAccept(t)
		}
		c.tasks = append(c.tasks, t)
		if accepted.RequestID = "request-" + t.id; !c.anonymous {
			accepted.TaskID = t.id
		}
		return nil
	})
	if err != nil {
		return Accepted{}, err
	}
	return accepted, nil
}

func (c *fakeCloud) refuse(r Request) error {
	running := 0
	for _, t := range c.tasks {
		if t.statusNow() == "Processing" {
			running++
			if t.imageID == r.ImageID {
				return refusal(403, "ImageIsExporting", "The specified Image is being exported.")
			}
		}
	}
	image, ok := c.imageNow(r.ImageID)
	bucket, bucketThere := c.buckets[r.Destination.Bucket]
	switch {
	case !ok:
		return refusal(404, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
	case image.Status != "Available":
		return refusal(400, "IncorrectImageStatus", "The specified Image is not available.")
	case !bucketThere:
		return refusal(400, "InvalidOSSBucket.NotFound", "The specified OSS bucket does not exist in this region.")
	case bucket.Location != "" && bucket.Location != "oss-"+r.Destination.Region:
		return refusal(400, "InvalidOSSBucket.NotMatched", "The specified OSS bucket is in another region.")
	case running >= c.quota:
		return refusal(403, "ConcurrentQuotaExceed.ExportImage", "The concurrent quota is exceeded.")
	}
	return nil
}

func (c *fakeCloud) Tasks(ctx context.Context, ids []string) (tasks []Task, err error) {
	err = c.do(ctx, opTasks, strings.Join(ids, ","), func() error {
		if len(ids) == 0 || len(ids) > MaxTasksPerCall {
			return &CallError{Op: opTasks, Code: "InvalidParameter", Status: 400, Message: "too many ids"}
		}
		for _, t := range c.tasks {
			if !t.hidden && slices.Contains(ids, t.id) {
				tasks = append(tasks, t.line())
			}
		}
		return nil
	})
	return tasks, err
}

func (c *fakeCloud) TasksOf(ctx context.Context, imageID string, since time.Time) (tasks []Task, err error) {
	err = c.do(ctx, opTaskOf, imageID, func() error {
		for _, t := range c.tasks {
			if !t.hidden && t.imageID == imageID && !t.created.Before(since) {
				tasks = append(tasks, t.line())
			}
		}
		return nil
	})
	return tasks, err
}

func (c *fakeCloud) Detail(ctx context.Context, id string) (detail TaskDetail, found bool, err error) {
	err = c.do(ctx, opDetail, id, func() error {
		for _, t := range c.tasks {
			if t.id != id || t.unknown {
				continue
			}
			detail, found = TaskDetail{Task: t.line(), Failed: t.failed}, true
			if t.told || t.statusNow() != "Processing" {
				detail.Subtasks = slices.Clone(c.subtasksOf(t))
			}
			if t.code != "" || t.message != "" {
				detail.Subtasks = []Subtask{{Status: "Failed", ErrorCode: t.code, Message: t.message}}
			}
		}
		return nil
	})
	return detail, found, err
}

func (c *fakeCloud) Cancel(ctx context.Context, id string) error {
	return c.do(ctx, opCancel, id, func() error {
		for _, t := range c.tasks {
			if t.id == id {
				if t.statusNow() != "Processing" {
					return &CallError{Op: opCancel, Status: 403, Code: "InvalidTaskId.IncorrectTaskStatus", Message: "The specified task status is invalid."}
				}
				t.status = "Deleted"
			}
		}
		return nil
	})
}

// refusal is an answer of ExportImage that refuses.
func refusal(status int, code, message string) *CallError {
	return &CallError{Op: opExport, Status: status, Code: code, Message: message, RequestID: "C8B26B44"}
}

// lost is a call to which no answer came.
func lost(op string) *CallError {
	return &CallError{Op: op, Message: "connection reset", Ambiguous: true}
}
