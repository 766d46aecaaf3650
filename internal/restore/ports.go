package restore

import (
	"context"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Images is what a restore asks of ECS's images. Reads are retried within ctx on transport failures and 5xx answers, never
// on throttling. Errors are *export.CallError. Safe for concurrent use.
type Images interface {
	// Image finds an image whatever its status; an image that ECS does not know is found == false.
	Image(ctx context.Context, id string) (image manifest.Image, found bool, err error)
	// Named finds the account's own image with exactly this name, whatever its status. A region has at most one.
	Named(ctx context.Context, name string) (image manifest.Image, found bool, err error)
	// Modify sets attributes of an image; repeating it does no harm, and it is retried like a read.
	Modify(ctx context.Context, id string, change Change) error
	// Delete removes an image that nobody uses, never by force; its snapshots stay. One that is not there is no error. It is
	// retried like a read.
	Delete(ctx context.Context, id string) error
	// DeleteSnapshot removes a snapshot that no image and no disk needs, never by force. One that is not there is no error. It
	// is retried like a read.
	DeleteSnapshot(ctx context.Context, id string) error
}

// Tasks is what a restore asks of ECS's import tasks. Reads are retried like those of Images. Errors are *export.CallError.
// Safe for concurrent use.
type Tasks interface {
	// Import calls ImportImage, once. A CallError with Ambiguous set leaves open whether ECS has begun; without it nothing
	// was begun. Repeating a request with its ClientToken makes no second image for as long as ECS remembers the token, which
	// nobody documents.
	Import(ctx context.Context, request Request) (Accepted, error)
	// ImportOf finds the newest import task of an image; none is found == false.
	ImportOf(ctx context.Context, imageID string, since time.Time) (task export.Task, found bool, err error)
	// Detail describes one task; an unknown id is found == false.
	Detail(ctx context.Context, taskID string) (detail export.TaskDetail, found bool, err error)
	// Cancel asks ECS to stop a task; repeating it does no harm.
	Cancel(ctx context.Context, taskID string) error
}

// Objects is what a restore reads of OSS, beside its journal. Calls are retried within ctx. Errors are *export.CallError. Safe
// for concurrent use.
type Objects interface {
	// Bucket describes a bucket of any region; one that does not exist is found == false.
	Bucket(ctx context.Context, name string) (bucket export.Bucket, found bool, err error)
	// Object describes an object; one that does not exist is found == false.
	Object(ctx context.Context, bucket, key string) (object export.ObjectInfo, found bool, err error)
	// Read returns length bytes from offset, fewer at the end of the object. A negative offset counts from the end.
	Read(ctx context.Context, bucket, key string, offset, length int64) ([]byte, error)
}

// A Request is what ImportImage is asked, once every value is decided. The same request has the same values: ECS refuses a
// ClientToken that comes with others.
type Request struct {
	Name            string            `json:"name"`
	Description     string            `json:"description,omitempty"`
	Architecture    string            `json:"architecture"`
	OSType          string            `json:"osType"`
	Platform        string            `json:"platform"`
	BootMode        string            `json:"bootMode"`
	LicenseType     string            `json:"licenseType,omitempty"`
	NvmeSupport     string            `json:"nvmeSupport,omitempty"`
	ImdsSupport     string            `json:"imdsSupport,omitempty"`
	Role            string            `json:"role"`
	ResourceGroupID string            `json:"resourceGroupId,omitempty"`
	Tags            map[string]string `json:"tags,omitempty"`
	// Disks are the mappings in order, the system disk first.
	Disks []Mapping `json:"disks"`
	// ClientToken is deterministic per attempt, at most 64 ASCII characters.
	ClientToken string `json:"clientToken,omitempty"`
}

// A Mapping is one DiskDeviceMapping.
type Mapping struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Format  string `json:"format"` // RAW, QCOW2, VHD or VMDK
	SizeGiB int    `json:"sizeGiB"`
}

// Accepted is ECS's answer to ImportImage. TaskID may be empty.
type Accepted struct {
	ImageID   string
	TaskID    string
	RequestID string
}

// A Change is what ModifyImageAttribute sets; what is empty stays as it is.
type Change struct {
	Family   string `json:"family,omitempty"`
	BootMode string `json:"bootMode,omitempty"`
}

// Empty tells whether there is nothing to set.
func (c Change) Empty() bool { return c == Change{} }
