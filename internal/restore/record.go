package restore

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"imageferry/internal/manifest"
)

// SchemaV1 names the form of what this package writes into the journal.
const SchemaV1 = "imageferry.restore/v1"

// A State is where a restore stands.
type State string

// The states of a restore. The last four are terminal: only an explicit request leaves them.
const (
	Queued     State = "queued"     // waits, with a reason, until DueAt
	Preparing  State = "preparing"  // somebody checks, unpacks or copies the objects until Lease.Until
	Submitting State = "submitting" // somebody asks ECS for the import until Lease.Until
	Importing  State = "importing"  // ECS has accepted it
	Cleaning   State = "cleaning"   // it is decided how it ends; what is not to stay is being removed
	Restored   State = "restored"   // the image is Available and was compared with the manifest
	Rehearsed  State = "rehearsed"  // it was, and was deleted again
	Failed     State = "failed"     // given up, for the reason given
	Cancelled  State = "cancelled"  // stopped by a request or in ECS
)

// Terminal tells whether nothing further happens by itself.
func (s State) Terminal() bool {
	return s == Restored || s == Rehearsed || s == Failed || s == Cancelled
}

// Valid tells whether s is one of the states above.
func (s State) Valid() bool {
	return s.Terminal() || s == Queued || s == Preparing || s == Submitting || s == Importing || s == Cleaning
}

// leased tells whether the state belongs to whoever holds the lease.
func (s State) leased() bool { return s == Preparing || s == Submitting }

// A Record is one revision of the record of the restores that make an image of one name in one region. Times are UTC.
type Record struct {
	Schema   string `json:"schema"`
	Revision int    `json:"revision"` // counts from 1 without gaps
	State    State  `json:"state"`
	// Reason is the stable code of the decision behind the state, Remedy what to do about it, Detail what was seen.
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	Detail string `json:"detail,omitempty"`

	CreatedAt time.Time       `json:"createdAt"` // of revision 1
	UpdatedAt time.Time       `json:"updatedAt"` // of this revision
	DueAt     *time.Time      `json:"dueAt,omitempty"`
	Lease     *manifest.Lease `json:"lease,omitempty"`
	Writer    string          `json:"writer"`
	Program   string          `json:"program,omitempty"`

	Region string `json:"region"`
	Name   string `json:"name"` // of the image to be made
	// ID names this restore among those that the name has had: its temporary objects lie under it. BegunAt is when it began.
	ID      string    `json:"id"`
	BegunAt time.Time `json:"begunAt"`
	// Rehearsal: the image is deleted again once it was compared.
	Rehearsal     bool             `json:"rehearsal,omitempty"`
	KeepTemporary bool             `json:"keepTemporary,omitempty"`
	Trigger       manifest.Trigger `json:"trigger"`

	// Source is the manifest that the image is restored from.
	Source *manifest.Manifest `json:"source"`
	// Disks are those of the image, in the order of ImportImage: the system disk first. Temporary objects lie in the bucket of
	// their source.
	Disks []Disk `json:"disks"`
	// Request is what ECS is asked for.
	Request Request `json:"request"`
	// After is what ImportImage cannot set.
	After    Change   `json:"after,omitzero"`
	Warnings []string `json:"warnings,omitempty"`

	Attempts []manifest.Attempt `json:"attempts,omitempty"`
	// Waits counts how often the restore was queued in a row.
	Waits int       `json:"waits,omitempty"`
	Image *Imported `json:"image,omitempty"`
	// Ends is how a restore ends that is being cleaned up.
	Ends         *Ends         `json:"ends,omitempty"`
	Verification *Verification `json:"verification,omitempty"`
}

// A Disk is one disk of the image to be made.
type Disk struct {
	Role    string          `json:"role"`             // system or data
	Device  string          `json:"device,omitempty"` // of the exported image, such as /dev/xvda
	SizeGiB int             `json:"sizeGiB"`
	Source  manifest.Object `json:"source"`
	Work    Work            `json:"work"`
	// Key is of the object to import, in the source's bucket, and Format what it is to ImportImage.
	Key    string `json:"key"`
	Format string `json:"format"`
	// Ready: the object to import is there; Bytes is its size, CRC64 its checksum.
	Ready bool   `json:"ready,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
	CRC64 string `json:"crc64,omitempty"`
	// Sent is how many bytes crossed the wire to OSS for it.
	Sent int64 `json:"sent,omitempty"`
}

// Work is what has to be done to an object before ECS can import it.
type Work string

// The kinds of work.
const (
	Use    Work = "use"    // nothing
	Unpack Work = "unpack" // it is an archive with the disk in it
	Copy   Work = "copy"   // its name does not say what it is
)

// Imported is the image that ECS has begun to make.
type Imported struct {
	ID         string    `json:"id"`
	TaskID     string    `json:"taskId,omitempty"`
	Status     string    `json:"status,omitempty"` // as ECS spells it
	RecordedAt time.Time `json:"recordedAt"`
	// Snapshots are those of the image's disks, once they are known.
	Snapshots []string `json:"snapshots,omitempty"`
}

// Ends is how a restore ends.
type Ends struct {
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// A Verification compares the image that was made with the manifest.
type Verification struct {
	VerifiedAt time.Time `json:"verifiedAt"`
	Facts      []Fact    `json:"facts"`
}

// A Fact is one comparison.
type Fact struct {
	Name string `json:"name"`
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
}

// Same tells whether the image has it as the manifest does.
func (f Fact) Same() bool { return f.Want == f.Got }

// Differences are the facts that are not the same.
func (v *Verification) Differences() []Fact {
	return slices.DeleteFunc(slices.Clone(v.Facts), Fact.Same)
}

// Stamp tells which revision of its series this is.
func (r *Record) Stamp() manifest.Stamp {
	return manifest.Stamp{Revision: r.Revision, Writer: r.Writer, CreatedAt: r.CreatedAt}
}

// clone copies a revision so that the next one can be made from it. What is beneath Source is never changed.
func (r *Record) clone() *Record {
	c := *r
	c.Disks = slices.Clone(r.Disks)
	c.Attempts = slices.Clone(r.Attempts)
	c.Request.Disks = slices.Clone(r.Request.Disks)
	if r.Image != nil {
		image := *r.Image
		c.Image = &image
	}
	return &c
}

// encode renders a revision as it is stored.
func encode(r *Record) ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode restore of %s: %w", r.Name, err)
	}
	return append(data, '\n'), nil
}

// decode reads a stored revision: manifest.ErrUnreadable and manifest.ErrNewer as for manifests.
func decode(data []byte) (*Record, error) {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil || !utf8.Valid(data) {
		return nil, fmt.Errorf("decode restore: %w: it is no JSON in UTF-8", manifest.ErrUnreadable)
	}
	switch head.Schema {
	case SchemaV1:
	case "":
		return nil, fmt.Errorf("decode restore: %w: it names no schema", manifest.ErrUnreadable)
	default:
		return nil, fmt.Errorf("decode restore: %w: schema %.64q, this program knows %q", manifest.ErrNewer, head.Schema, SchemaV1)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("decode restore: %w: %v", manifest.ErrUnreadable, err)
	}
	if problem := r.problem(); problem != "" {
		return nil, fmt.Errorf("decode restore: %w: %s", manifest.ErrUnreadable, problem)
	}
	return &r, nil
}

// problem names the first thing without which the protocol could not go on from this revision.
func (r *Record) problem() string {
	switch {
	case r.Revision < 1:
		return fmt.Sprintf("revision is %d", r.Revision)
	case !r.State.Valid():
		return fmt.Sprintf("state is %.64q", r.State)
	case r.Region == "" || !ValidName(r.Name) || !isID(r.ID):
		return "region, name or id is missing"
	case r.Source == nil || r.Source.Image.ID == "" || len(r.Disks) == 0:
		return "what is restored is missing"
	case r.State.leased() && r.Lease == nil:
		return "it is " + string(r.State) + " without a lease"
	case r.State == Queued && r.DueAt == nil:
		return "it is queued without a due time"
	case r.State == Importing && (r.Image == nil || r.Image.ID == ""):
		return "it is importing without an image"
	case r.State == Cleaning && (r.Ends == nil || !r.Ends.State.Terminal()):
		return "it is cleaning without an end"
	case r.State == Submitting && openAttempt(r) == nil:
		return "it is submitting without an attempt"
	}
	return ""
}

// isID tells whether a text is an id as newID makes them: nothing else may become a part of a key.
func isID(text string) bool {
	if len(text) != idLength {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

const idLength = 16

func newID() string { return manifest.Nonce()[:idLength] }
