package doctor

import (
	"context"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// Cloud is what the checks read. Every call is idempotent, is retried inside within ctx, and fails with an
// *export.CallError; all are safe for concurrent use. Nothing but Store can write, and that only in a write probe.
type Cloud struct {
	Identities Identities
	Roles      Roles
	Compute    Compute
	Storage    Storage
	Store      manifest.Store // of the manifest bucket
	Exports    Leftovers      // of the export bucket; nil: it is not looked for what restores have left
}

// Identities is what STS tells.
type Identities interface {
	// Caller tells whom the credentials belong to. It needs no permission.
	Caller(ctx context.Context) (Caller, error)
}

// Roles is what RAM tells of roles.
type Roles interface {
	// Role reads a role with its trust policy; one that does not exist is found == false.
	Role(ctx context.Context, name string) (role Role, found bool, err error)
	// Policies reads the policies attached to a role that exists.
	Policies(ctx context.Context, role string) ([]Policy, error)
}

// Compute is what ECS tells.
type Compute interface {
	// Regions lists the ids of all regions.
	Regions(ctx context.Context) ([]string, error)
	// CountImages counts the account's own Available images.
	CountImages(ctx context.Context) (int, error)
	// CountExporting counts the export tasks at work, whoever started them.
	CountExporting(ctx context.Context) (int, error)
}

// Storage is what OSS tells, beside the manifests.
type Storage interface {
	// Bucket describes a bucket of any region; one that does not exist is found == false.
	Bucket(ctx context.Context, name string) (bucket export.Bucket, found bool, err error)
	// Retention reads a bucket's retention policy; no policy is found == false.
	Retention(ctx context.Context, bucket string) (retention Retention, found bool, err error)
	// Object describes an object; one that does not exist is found == false.
	Object(ctx context.Context, bucket, key string) (object export.ObjectInfo, found bool, err error)
	// Time is OSS's clock, to the second. Refusals tell it, too.
	Time(ctx context.Context, bucket string) (time.Time, error)
}

// A Caller is who signs.
type Caller struct {
	AccountID string
	ARN       string
}

// A Role is a RAM role.
type Role struct {
	Name  string
	ARN   string
	Trust []byte // who may assume it, as JSON
}

// A Policy is one that is attached to a role, in its default version.
type Policy struct {
	Name     string
	Type     string // System or Custom
	Document []byte // JSON
}

// A Retention is a bucket's retention policy: for so many days no object is overwritten or deleted.
type Retention struct {
	State string // InProgress (it can still be withdrawn) or Locked
	Days  int
}
