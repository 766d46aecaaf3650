// Package manifest is the record of an export and the protocol that keeps it in an object store: a journal of immutable
// revisions, a projection of the newest one under a stable key, and an index of the exports that are still at work.
package manifest

import "time"

// SchemaV1 names the published schema (manifest.schema.json) that this package writes.
const SchemaV1 = "imageferry.manifest/v1"

// A State is where an export stands.
type State string

// The states of an export. The last four are terminal: only an explicit request leaves them.
const (
	Queued     State = "queued"     // waits, with a reason, until DueAt or until the hold that all exports share ends
	Submitting State = "submitting" // an invocation is at it until Lease.Until
	Exporting  State = "exporting"  // ECS has accepted a task
	Exported   State = "exported"   // the task is finished and every object was verified
	Skipped    State = "skipped"    // this image can never be exported, for the reason given
	Failed     State = "failed"     // given up, for the reason given
	Cancelled  State = "cancelled"  // stopped by a request or in ECS
)

// Terminal tells whether nothing further happens by itself.
func (s State) Terminal() bool {
	return s == Exported || s == Skipped || s == Failed || s == Cancelled
}

// Valid tells whether s is one of the states above.
func (s State) Valid() bool {
	return s.Terminal() || s == Queued || s == Submitting || s == Exporting
}

// A Manifest is one revision of the record of one export: one image to one destination. Times are UTC.
type Manifest struct {
	Schema string `json:"schema"`
	// Revision counts from 1 without gaps.
	Revision int   `json:"revision"`
	State    State `json:"state"`
	// Reason is the stable code of the decision behind the state; Remedy says what to do about it; Detail is what was seen,
	// in ECS's or OSS's own words. All three are empty when all is well.
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	Detail string `json:"detail,omitempty"`

	CreatedAt time.Time `json:"createdAt"` // of revision 1
	UpdatedAt time.Time `json:"updatedAt"` // of this revision
	// DueAt is when a queued export is worked on again, and where a submitting one's marker stands in the queue.
	DueAt *time.Time `json:"dueAt,omitempty"`
	// Lease tells, while submitting, until when the writer of this revision may act.
	Lease *Lease `json:"lease,omitempty"`
	// Writer is a nonce of the invocation that wrote this revision: it recognizes its own write after a lost answer.
	Writer string `json:"writer"`
	// Program is the version of imageferry that wrote this revision.
	Program string `json:"program,omitempty"`

	Destination Destination `json:"destination"`
	Image       Image       `json:"image"`
	Trigger     Trigger     `json:"trigger"`

	// Attempts are the submissions, oldest first, at most MaxAttemptsKept of them: those with a task are kept the longest.
	Attempts []Attempt `json:"attempts,omitempty"`
	// Failures counts the attempts that failed for reasons of this export alone since it was created or retried.
	Failures int `json:"failures,omitempty"`
	// Waits counts how often the export was queued in a row: its due time grows with it.
	Waits int `json:"waits,omitempty"`

	Task         *Task         `json:"task,omitempty"`
	Objects      []Object      `json:"objects,omitempty"`
	Verification *Verification `json:"verification,omitempty"`
}

// Stamp tells which revision of its export this is.
func (m *Manifest) Stamp() Stamp {
	return Stamp{Revision: m.Revision, Writer: m.Writer, CreatedAt: m.CreatedAt}
}

// MaxAttemptsKept bounds Manifest.Attempts.
const MaxAttemptsKept = 20

// A Lease is the time that a submit has given itself.
type Lease struct {
	Until time.Time `json:"until"`
}

// A Destination is where exports go. Two exports of one image with different destinations are different exports.
type Destination struct {
	Region string `json:"region"`
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix,omitempty"` // ExportImage's OSSPrefix: 1 to 30 letters or digits, or none
	Format string `json:"format"`           // raw, vhd, qcow2, vmdk or vdi
}

// An Image is what DescribeImages said about the image when the export was decided, and all that a later import needs.
// Only ID is known before the first look. Sizes are in GiB.
type Image struct {
	ID                     string            `json:"id"`
	Name                   string            `json:"name,omitempty"`
	Description            string            `json:"description,omitempty"`
	Family                 string            `json:"family,omitempty"`
	Version                string            `json:"version,omitempty"`
	Status                 string            `json:"status,omitempty"`
	Region                 string            `json:"region,omitempty"`
	AccountID              string            `json:"accountId,omitempty"`  // the owner
	OwnerAlias             string            `json:"ownerAlias,omitempty"` // self, system, others or marketplace
	ProductCode            string            `json:"productCode,omitempty"`
	OSType                 string            `json:"osType,omitempty"`
	OSName                 string            `json:"osName,omitempty"`
	Platform               string            `json:"platform,omitempty"`
	Architecture           string            `json:"architecture,omitempty"`
	BootMode               string            `json:"bootMode,omitempty"`
	NvmeSupport            string            `json:"nvmeSupport,omitempty"`
	ImdsSupport            string            `json:"imdsSupport,omitempty"`
	LicenseType            string            `json:"licenseType,omitempty"`
	ResourceGroupID        string            `json:"resourceGroupId,omitempty"`
	IsSupportCloudinit     bool              `json:"isSupportCloudinit,omitempty"`
	LoginAsNonRootSupport  bool              `json:"loginAsNonRootSupported,omitempty"`
	IsCopied               bool              `json:"isCopied,omitempty"`
	SizeGiB                int               `json:"sizeGiB,omitempty"` // of the system disk
	CreationTime           *time.Time        `json:"creationTime,omitempty"`
	Disks                  []Disk            `json:"disks,omitempty"`
	Tags                   map[string]string `json:"tags,omitempty"`
	DetectionStatus        string            `json:"detectionStatus,omitempty"`
	DetectionItems         map[string]string `json:"detectionItems,omitempty"`
	ImportedFromOSSBucket  string            `json:"importedFromOssBucket,omitempty"`
	ImportedFromOSSObjects []string          `json:"importedFromOssObjects,omitempty"`
}

// A Disk is one disk of an image.
type Disk struct {
	Device     string `json:"device"` // such as /dev/xvda
	Type       string `json:"type"`   // system or data
	SizeGiB    int    `json:"sizeGiB"`
	SnapshotID string `json:"snapshotId,omitempty"`
	Format     string `json:"format,omitempty"`
	Encrypted  bool   `json:"encrypted,omitempty"`
}

// A Trigger is what first asked for the export, or asked for it again.
type Trigger struct {
	Kind   string     `json:"kind"`             // event, timer, http or cli
	Source string     `json:"source,omitempty"` // such as ecs:Image:StateChange, or the timer's name
	ID     string     `json:"id,omitempty"`     // of the event
	Time   *time.Time `json:"time,omitempty"`   // of the event
	// RequestID is the invocation's.
	RequestID string `json:"requestId,omitempty"`
}

// An Outcome is how an attempt ended; an attempt without one is still open, or its end is unknown.
type Outcome string

// The outcomes of an attempt.
const (
	Accepted Outcome = "accepted" // ECS answered with a task
	Adopted  Outcome = "adopted"  // its answer was lost, or another caller was first: the task was found
	Refused  Outcome = "refused"  // ECS refused; nothing was started
	Lost     Outcome = "lost"     // no answer, and no task was found later
	Finished Outcome = "finished" // the task finished and its objects were verified
	Broken   Outcome = "failed"   // the task or the verification failed
	Stopped  Outcome = "cancelled"
)

// An Attempt is one submission and what became of it.
type Attempt struct {
	Number    int        `json:"number"`
	StartedAt time.Time  `json:"startedAt"` // the intent, before ExportImage
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	Outcome   Outcome    `json:"outcome,omitempty"`
	TaskID    string     `json:"taskId,omitempty"`
	RequestID string     `json:"requestId,omitempty"` // ECS's
	Reason    string     `json:"reason,omitempty"`
	Code      string     `json:"code,omitempty"` // ECS's error code
	Message   string     `json:"message,omitempty"`
}

// A Task is the ECS task that exports the image.
type Task struct {
	ID         string     `json:"id"`
	Status     string     `json:"status,omitempty"` // as ECS spells it
	RecordedAt time.Time  `json:"recordedAt"`
	FinishedAt *time.Time `json:"finishedAt,omitempty"`
}

// An Object is one object that ECS reported for the task, as it was when verified.
type Object struct {
	Bucket       string    `json:"bucket"`
	Key          string    `json:"key"`
	Role         string    `json:"role"`             // system or data
	Device       string    `json:"device,omitempty"` // of a data disk, such as xvdb, where the name tells it
	Size         int64     `json:"size"`             // bytes
	CRC64        string    `json:"crc64,omitempty"`  // x-oss-hash-crc64ecma, decimal; OSS may lack it
	ETag         string    `json:"etag"`
	StorageClass string    `json:"storageClass,omitempty"`
	LastModified time.Time `json:"lastModified"`
	Content      string    `json:"content"` // what the first bytes are: gzip, qcow2, vhd, vmdk, vdi or raw
}

// A Verification tells when the objects were last compared with what ECS reported.
type Verification struct {
	VerifiedAt time.Time `json:"verifiedAt"`
	Objects    int       `json:"objects"`
	Bytes      int64     `json:"bytes"`
}
