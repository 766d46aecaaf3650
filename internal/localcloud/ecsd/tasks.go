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

const actionExport = "ExportImage"

// A Task is an export of an image.
type Task struct {
	ID, ImageID            string
	Bucket, Prefix, Format string
	// RoleName is the export role.
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

// A Subtask is the export of one disk.
type Subtask struct {
	// Device is the disk's mount point.
	Device string
	// Status is Processing, Success or Failed.
	Status string
	// Object is the key that the disk is written to.
	Object string
	// ErrorCode and ErrorMessage are set after a failure.
	ErrorCode, ErrorMessage string
}

// task is a Task on its way; the server's lock guards it.
type task struct {
	Task
	duration time.Duration // real time from creation to writing
	writing  bool          // too late to cancel
	stop     func()
}

func newTask(order exportOrder, image *Image, now time.Time, duration time.Duration) *task {
	t := &task{duration: duration, Task: Task{
		ID: newID("t-bp1"), ImageID: image.ID, Bucket: order.bucket, Prefix: order.prefix, Format: order.format,
		RoleName: order.role, Status: TaskProcessing, Created: now,
	}}
	for _, disk := range image.Disks {
		t.Subtasks = append(t.Subtasks, Subtask{Device: disk.Device, Status: TaskProcessing,
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
	byID       map[string]*task
	byImage    map[string][]*task // oldest first
	all        []*task            // oldest first
	processing int
}

func (st *taskStore) put(t *task) {
	st.byID[t.ID] = t
	st.byImage[t.ImageID] = append(st.byImage[t.ImageID], t)
	st.all = append(st.all, t)
	st.processing++
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
	st.processing--
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
