package doctor

import (
	"context"
	"fmt"
	"strings"

	"imageferry/internal/export"
)

// A use is what a bucket is for; one bucket may be for both.
type use struct{ exports, manifests bool }

func (u use) variable() string {
	if u.exports {
		return "FERRY_BUCKET"
	}
	return "FERRY_MANIFEST_BUCKET"
}

// another is the step after which a bucket that cannot be repaired is no longer used.
func (u use) another() string {
	return fmt.Sprintf("Set %s in environmentVariables of s.yaml to another bucket; then: s deploy -y", u.variable())
}

// buckets checks the export bucket and the manifest bucket, and tells whether the latter exists.
func (e *examination) buckets(ctx context.Context) (manifests bool) {
	c := e.options.Config
	if c.ManifestBucket == c.Bucket {
		return e.bucket(ctx, c.Bucket, use{exports: true, manifests: true})
	}
	e.bucket(ctx, c.Bucket, use{exports: true})
	return e.bucket(ctx, c.ManifestBucket, use{manifests: true})
}

func (e *examination) bucket(ctx context.Context, name string, u use) (exists bool) {
	b, found, err := e.Storage.Bucket(ctx, name)
	switch {
	case err != nil && !denied(err):
		e.unknown("bucket-exists", name, fmt.Sprintf("OSS does not describe bucket %s: %v", name, err), "imageferry doctor")
		return true // it may be there
	case err != nil:
		e.unknown("bucket-exists", name, fmt.Sprintf("OSS does not describe bucket %s: %v", name, err),
			append(e.allowCaller("oss:GetBucketInfo", "acs:oss:*:*:"+name), "If the bucket belongs to another account: "+u.another())...)
		return true // it may be there
	case !found:
		e.problem("bucket-exists", name, fmt.Sprintf("bucket %s does not exist", name),
			fmt.Sprintf("ossutil mb oss://%s --region %s", name, e.options.Region))
		return false
	}
	e.ok("bucket-exists", name, fmt.Sprintf("bucket %s exists", name))
	if b.Location != "oss-"+e.options.Region {
		e.problem("bucket-region", name, fmt.Sprintf("bucket %s is in %s, the images are in %s", name, b.Location, e.options.Region),
			fmt.Sprintf("ossutil mb oss://<new name> --region %s", e.options.Region), u.another())
		return false // the endpoint of this region does not serve it
	}
	e.ok("bucket-region", name, fmt.Sprintf("bucket %s is in %s", name, b.Location))
	e.bucketSettings(b, u)
	e.retention(ctx, name, u)
	return true
}

func (e *examination) bucketSettings(b export.Bucket, u use) {
	e.decide("bucket-owner", b.Name, b.OwnerID == e.caller.AccountID, "the owner is account "+b.OwnerID, u.another())
	private := b.ACL == "private" || b.ACL == "public-read" && e.options.Config.AllowPublicRead
	e.decide("bucket-acl", b.Name, private, "the ACL is "+b.ACL, fmt.Sprintf("ossutil api put-bucket-acl --bucket %s --acl private", b.Name))
	if u.manifests {
		versioning := b.Versioning
		if versioning == "" {
			versioning = "never enabled"
		}
		// Suspending does not help: OSS ignores x-oss-forbid-overwrite then, too.
		e.decide("manifest-bucket-versioning", b.Name, b.Versioning == "", "versioning is "+versioning,
			fmt.Sprintf("ossutil mb oss://<new name> --region %s", e.options.Region),
			"Set FERRY_MANIFEST_BUCKET in environmentVariables of s.yaml to the new bucket; then: s deploy -y")
	}
	if u.exports {
		encryption := "no default encryption"
		if b.SSEAlgorithm != "" {
			encryption = "the default encryption is " + b.SSEAlgorithm
		}
		e.decide("bucket-encryption", b.Name, b.SSEAlgorithm == "", encryption,
			"ossutil api delete-bucket-encryption --bucket "+b.Name)
	}
	e.decide("bucket-class", b.Name, !strings.Contains(b.StorageClass, "Archive"), "the storage class is "+b.StorageClass,
		fmt.Sprintf("ossutil mb oss://<new name> --region %s --storage-class Standard", e.options.Region), u.another())
}

// decide reports a finding that needs repair unless it is good.
func (e *examination) decide(check, about string, good bool, seen string, repair ...string) {
	if good {
		e.ok(check, about, seen)
		return
	}
	e.problem(check, about, seen, repair...)
}

// retention looks for a retention policy: it keeps hints from being removed and manifests from being replaced, and exported
// objects from being replaced by those of another export.
func (e *examination) retention(ctx context.Context, name string, u use) {
	r, found, err := e.Storage.Retention(ctx, name)
	switch {
	case err != nil:
		e.unknown("bucket-retention", name, err.Error(), "ossutil api get-bucket-worm --bucket "+name)
		return
	case !found:
		e.ok("bucket-retention", name, "there is no retention policy")
		return
	}
	seen := fmt.Sprintf("a retention policy (%s) keeps objects for %s: ", r.State, plural(r.Days, "day"))
	var repair []string
	if r.State != "Locked" {
		repair = append(repair, "ossutil api abort-bucket-worm --bucket "+name)
	}
	if u.manifests {
		e.problem("bucket-retention", name, seen+"manifests cannot be updated, and hints under active/ cannot be removed", append(repair,
			"Set FERRY_MANIFEST_BUCKET in environmentVariables of s.yaml to a bucket without one; then: s deploy -y")...)
		return
	}
	// That new objects can be stored is documented; how ExportImage gets on with it is not.
	e.unknown("bucket-retention", name, seen+"no export can be repeated under the same FERRY_PREFIX", append(repair,
		"Before an export is repeated, set FERRY_PREFIX in environmentVariables of s.yaml to a new value; then: s deploy -y")...)
}
