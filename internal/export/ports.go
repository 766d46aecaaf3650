package export

import (
	"context"
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

// Images is what the domain reads of ECS's images. Calls are idempotent: implementations retry transport failures and
// 5xx answers within ctx, never a throttled call. Errors are *CallError. Safe for concurrent use.
type Images interface {
	// Image finds an image whatever its status; an image that ECS does not know is found == false, not an error.
	Image(ctx context.Context, id string) (image manifest.Image, found bool, err error)
	// Images returns one page, counted from 1, of the account's own Available images created at or after since (zero: all),
	// with the total over all pages.
	Images(ctx context.Context, since time.Time, page int) (images []manifest.Image, total int, err error)
}

// ImagePageSize is how many images a full page of Images.Images has: the API's maximum.
const ImagePageSize = 100

// Tasks is what the domain asks of ECS's export tasks. Errors are *CallError. Safe for concurrent use.
type Tasks interface {
	// Export calls ExportImage at most once: it is not idempotent. A CallError with Ambiguous set leaves open whether ECS
	// has accepted a task; without it nothing was started. An empty task id with a nil error means: accepted, id unknown.
	Export(ctx context.Context, request Request) (Accepted, error)
	// Tasks describes up to MaxTasksPerCall tasks with one call; unknown ids are left out. Retried like Images.
	Tasks(ctx context.Context, ids []string) ([]Task, error)
	// TasksOf lists the export tasks of an image created at or after since, in every status. Retried like Images.
	TasksOf(ctx context.Context, imageID string, since time.Time) ([]Task, error)
	// Detail describes one task; an unknown id is found == false. Retried like Images.
	Detail(ctx context.Context, taskID string) (detail TaskDetail, found bool, err error)
	// Cancel asks ECS to stop a task; repeating it does no harm.
	Cancel(ctx context.Context, taskID string) error
}

// MaxTasksPerCall is the API's limit on DescribeTasks' TaskIds.
const MaxTasksPerCall = 100

// Objects is what the domain reads of OSS, beside its own manifests. Calls are retried within ctx. Errors are *CallError.
// Safe for concurrent use.
type Objects interface {
	// Bucket describes a bucket of any region; a bucket that does not exist is found == false.
	Bucket(ctx context.Context, name string) (bucket Bucket, found bool, err error)
	// Object describes an object; one that does not exist is found == false.
	Object(ctx context.Context, bucket, key string) (object ObjectInfo, found bool, err error)
	// Read returns length bytes from offset, fewer at the end of the object. A negative offset counts from the end.
	Read(ctx context.Context, bucket, key string, offset, length int64) ([]byte, error)
}

// A Request asks ECS for one export.
type Request struct {
	ImageID     string
	Destination manifest.Destination
	// Role is the RAM role that ECS writes the objects with.
	Role string
	// ClientToken is deterministic per attempt, at most 64 ASCII characters. Today's API ignores it, the older one
	// honours it.
	ClientToken string
}

// Accepted is ECS's answer to ExportImage.
type Accepted struct {
	TaskID    string
	RequestID string
}

// A Task is one line of DescribeTasks. CreatedAt may lack seconds.
type Task struct {
	ID         string
	Action     string
	Status     string
	ImageID    string
	CreatedAt  time.Time
	FinishedAt time.Time
}

// A TaskDetail is what DescribeTaskAttribute tells, one Subtask a disk.
type TaskDetail struct {
	Task
	Progress string // "42%"
	Failed   int    // FailedCount
	Subtasks []Subtask
}

// A Subtask is one entry of OperationProgressSet; Bucket, Object and Format are its related items, empty when not told.
type Subtask struct {
	Status    string
	ErrorCode string
	Message   string
	Bucket    string
	Object    string
	Format    string
}

// A Notifier tells people how an export has ended. Implementations MUST be safe for concurrent use.
type Notifier interface {
	// Wants tells whether anybody is to be told of a terminal revision. It calls nobody.
	Wants(m *manifest.Manifest) bool
	// Send tells of one, once, within a few seconds and ctx. An error is a *NoticeError, or one that may go away; it has no
	// secret in its text. The same revision may come again, even after it was taken.
	Send(ctx context.Context, m *manifest.Manifest) error
}

// A Bucket is what GetBucketInfo tells.
type Bucket struct {
	Name         string
	Location     string // "oss-" + region
	OwnerID      string
	ACL          string // private, public-read or public-read-write
	Versioning   string // "", Enabled or Suspended
	SSEAlgorithm string // "" when objects are not encrypted by default
	StorageClass string // Standard, IA, Archive, …
}

// An ObjectInfo is what HeadObject tells.
type ObjectInfo struct {
	Size         int64
	CRC64        string
	ETag         string
	StorageClass string
	LastModified time.Time
}

// A CallError is a call to ECS or OSS that did not succeed. It never holds a key, a token or a signed URL.
type CallError struct {
	// Op is the API's name, such as ExportImage.
	Op string
	// Code is the service's error code, empty when the answer had none or there was no answer.
	Code string
	// Status is the HTTP status, 0 without an answer.
	Status int
	// Message is the service's text, or what went wrong on the way, redacted.
	Message   string
	RequestID string
	// Ambiguous: the call may have been applied (no answer, an unreadable one, or a 5xx).
	Ambiguous bool
	// Cause is what lies beneath, for errors.Is; such as context.DeadlineExceeded. It is not printed.
	Cause error
}

func (e *CallError) Error() string {
	what := e.Code
	if what == "" {
		what = "no answer"
		if e.Status != 0 {
			what = fmt.Sprintf("status %d", e.Status)
		}
	}
	s := fmt.Sprintf("%s: %s: %s", e.Op, what, e.Message)
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Unwrap gives errors.Is the cause.
func (e *CallError) Unwrap() error { return e.Cause }
