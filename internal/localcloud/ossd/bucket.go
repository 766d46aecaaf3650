package ossd

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	aclPrivate         = "private"
	aclPublicRead      = "public-read"
	aclPublicReadWrite = "public-read-write"
)

// A BucketSpec is what is known about a bucket, apart from its objects.
type BucketSpec struct {
	// Name has 3 to 63 lower-case letters, digits and hyphens and neither begins nor ends with a hyphen.
	Name string
	// Region is where the bucket is, such as "cn-beijing"; empty means the server's. It need not be the server's.
	Region string
	// OwnerID is the account that owns the bucket; empty means the directory's.
	OwnerID string
	// ACL is "private", "public-read" or "public-read-write"; empty means "private".
	ACL string
	// Versioning is empty (never versioned), "Enabled" or "Suspended".
	Versioning string
	// SSEAlgorithm is the default server-side encryption: empty for none, "AES256" or "KMS".
	SSEAlgorithm string
	// StorageClass is "Standard", "IA", "Archive", "ColdArchive" or "DeepColdArchive"; empty means "Standard".
	StorageClass string
	// RetentionDays is the period of a locked retention policy (WORM): 0 for none.
	RetentionDays int
}

// bucket is one bucket with its objects.
type bucket struct {
	created time.Time

	mu      sync.RWMutex
	spec    BucketSpec
	objects index
	uploads map[string]*multipart // by upload id
}

func (b *bucket) settings() BucketSpec {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.spec
}

// CreateBucket creates a bucket on behalf of its owner, without a call and without permissions. The error, if any, is an
// *[Error]: InvalidBucketName, InvalidArgument or BucketAlreadyExists.
func (s *Server) CreateBucket(spec BucketSpec) error {
	spec = s.withDefaults(spec)
	if err := spec.validate(); err != nil {
		return err
	}
	if !s.add(spec) {
		return bucketAlreadyExists(spec.Name)
	}
	return nil
}

// UpdateBucket changes everything about a bucket but its name, without a call and without permissions. The change is seen
// whole or not at all; the function runs under the bucket's lock and so must not use the Server. The error, if any, is an
// *[Error]: NoSuchBucket or, with nothing changed, InvalidArgument.
func (s *Server) UpdateBucket(name string, change func(*BucketSpec)) error {
	b := s.lookup(name)
	if b == nil {
		return noSuchBucket(name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	spec := b.spec
	change(&spec)
	spec = s.withDefaults(spec)
	if spec.Name != name {
		return invalidArgument("The name of a bucket cannot change.")
	}
	if err := spec.validate(); err != nil {
		return err
	}
	b.spec = spec
	return nil
}

// Bucket returns what is known about a bucket, and whether it exists.
func (s *Server) Bucket(name string) (BucketSpec, bool) {
	b := s.lookup(name)
	if b == nil {
		return BucketSpec{}, false
	}
	return b.settings(), true
}

// add creates the bucket and tells whether the name was free.
func (s *Server) add(spec BucketSpec) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[spec.Name] != nil {
		return false
	}
	s.buckets[spec.Name] = &bucket{created: now(), spec: spec, uploads: map[string]*multipart{}}
	return true
}

func (s *Server) lookup(name string) *bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.buckets[name]
}

// regionOf is the region of the bucket, or the server's when there is no such bucket.
func (s *Server) regionOf(name string) string {
	if b := s.lookup(name); b != nil {
		return b.settings().Region
	}
	return s.region
}

func (s *Server) withDefaults(spec BucketSpec) BucketSpec {
	for _, field := range []struct {
		value  *string
		preset string
	}{
		{&spec.Region, s.region}, {&spec.OwnerID, s.dir.ID()}, {&spec.ACL, aclPrivate}, {&spec.StorageClass, "Standard"},
	} {
		if *field.value == "" {
			*field.value = field.preset
		}
	}
	return spec
}

func (b BucketSpec) validate() *Error {
	if !bucketName.MatchString(b.Name) {
		return invalidBucketName(b.Name)
	}
	for _, field := range []struct {
		name, value string
		allowed     []string
	}{
		{"ACL", b.ACL, []string{aclPrivate, aclPublicRead, aclPublicReadWrite}},
		{"versioning status", b.Versioning, []string{"", "Enabled", "Suspended"}},
		{"encryption", b.SSEAlgorithm, []string{"", "AES256", "KMS"}},
		{"storage class", b.StorageClass, storageClasses},
	} {
		if !slices.Contains(field.allowed, field.value) {
			return invalidArgument(fmt.Sprintf("%q is not a valid %s.", field.value, field.name))
		}
	}
	return nil
}

var storageClasses = []string{"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"}

// endpointOf is the public endpoint of a region, without scheme.
func endpointOf(region string) string { return "oss-" + region + ".aliyuncs.com" }

// now is the time in the resolution that OSS keeps and answers.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
