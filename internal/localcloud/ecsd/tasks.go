package ecsd

import (
	"fmt"
	"slices"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// Status of a task.
const (
	TaskProcessing = "Processing"
	TaskFinished   = "Finished"
	TaskFailed     = "Failed"
	// TaskDeleted is the state of a cancelled task. Guess: older documents of the platform name it.
	TaskDeleted = "Deleted"
)

// Actions of a task.
const (
	ActionExport = "ExportImage"
	ActionImport = "ImportImage"
)

// A Task is an export or an import of an image.
type Task struct {
	// Action is one of the constants above.
	Action      string
	ID, ImageID string
	// Bucket, Prefix and Format are an export's; an import's are those of its disks.
	Bucket, Prefix, Format string
	// RoleName is the role that ECS calls OSS with.
	RoleName string
	// Status is one of the constants above.
	Status string
	// Progress is a percentage.
	Progress int
	Created  time.Time
	// Finished is zero until the task ends.
	Finished time.Time
	// Subtasks are the disks, in the image's order.
	Subtasks []Subtask
}

// A Subtask is the export or the import of one disk.
type Subtask struct {
	// Device is the disk's mount point.
	Device string
	// Status is Processing, Success or Failed.
	Status string
	// Bucket and Object are where the disk is written to or read from, Format what it is there. An import that was not told
	// the format has none until it is read.
	Bucket, Object, Format string
	// ErrorCode and ErrorMessage are set after a failure.
	ErrorCode, ErrorMessage string

	sizeGiB int // of an imported disk as it was asked for, 0 for what it takes
}

// task is a Task on its way; the server's lock guards it.
type task struct {
	Task
	duration time.Duration // real time from creation to writing or reading
	busy     bool          // writes or reads; too late to cancel
	stop     func()
}

func newTask(order exportOrder, image *Image, now time.Time, duration time.Duration) *task {
	t := &task{duration: duration, Task: Task{
		Action: ActionExport, ID: newID("t-bp1"), ImageID: image.ID, Bucket: order.bucket, Prefix: order.prefix, Format: order.format,
		RoleName: order.role, Status: TaskProcessing, Created: now,
	}}
	for _, disk := range image.Disks {
		t.Subtasks = append(t.Subtasks, Subtask{Device: disk.Device, Status: TaskProcessing, Bucket: order.bucket, Format: order.format,
			Object: objectName(order.prefix, image.ID, disk, order.format)})
	}
	return t
}

// snapshot is the task as it is now. The caller holds the lock.
func (t *task) snapshot(now time.Time) Task {
	c := t.Task
	c.Subtasks = slices.Clone(t.Subtasks)
	if c.Status == TaskProcessing {
		c.Progress = 99
		if elapsed := now.Sub(c.Created); elapsed < t.duration {
			c.Progress = int(99 * elapsed / t.duration)
		}
	}
	return c
}

func (t Task) process() string { return fmt.Sprintf("%d%%", t.Progress) }

// count returns how many subtasks have the status.
func (t Task) count(status string) int {
	n := 0
	for _, sub := range t.Subtasks {
		if sub.Status == status {
			n++
		}
	}
	return n
}

// failure is the first failed subtask's reason, empty when none failed.
func (t Task) failure() string {
	for _, sub := range t.Subtasks {
		if sub.Status == TaskFailed {
			return sub.ErrorCode + ": " + sub.ErrorMessage
		}
	}
	return ""
}

// taskStore holds the tasks, of which none is ever forgotten; the server's lock guards it.
type taskStore struct {
	byID      map[string]*task
	byImage   map[string][]*task // oldest first
	all       []*task            // oldest first
	exporting int
}

func (st *taskStore) put(t *task) {
	st.byID[t.ID] = t
	st.byImage[t.ImageID] = append(st.byImage[t.ImageID], t)
	st.all = append(st.all, t)
	if t.Action == ActionExport {
		st.exporting++
	}
}

// live returns the image's task in progress, or nil.
func (st *taskStore) live(imageID string) *task {
	for _, t := range st.byImage[imageID] {
		if t.Status == TaskProcessing {
			return t
		}
	}
	return nil
}

// end moves a task out of Processing.
func (st *taskStore) end(t *task, status string, now time.Time) {
	t.Status, t.Finished = status, now
	if status == TaskFinished {
		t.Progress = 100
	}
	if t.Action == ActionExport {
		st.exporting--
	}
}

// Tasks returns all tasks, oldest first.
func (s *Server) Tasks() []Task {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	tasks := make([]Task, len(s.tasks.all))
	for i, t := range s.tasks.all {
		tasks[i] = t.snapshot(now)
	}
	return tasks
}

// FailNextExport makes the next export task of the image that would finish fail with the code and message.
func (s *Server) FailNextExport(imageID, code, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[imageID] = openapi.Error{Code: code, Message: message}
}
