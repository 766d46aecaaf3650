package ecsd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// Buckets is the OSS that exports are written to and imports are read from. An implementation authorizes and records its
// calls as those of the identity. Its methods are called concurrently and are not repeated; a PutObject that returned nil has
// stored the whole object, replacing an earlier one. Errors: ErrNoSuchBucket and ErrNoSuchObject when there is none, ErrDenied
// when the identity is not allowed the call; any other error fails the export or import.
type Buckets interface {
	GetBucketInfo(ctx context.Context, as account.Identity, bucket string) (BucketInfo, error)
	PutObject(ctx context.Context, as account.Identity, bucket, key string, body content.Content) error
	HeadObject(ctx context.Context, as account.Identity, bucket, key string) (ObjectInfo, error)
	GetObject(ctx context.Context, as account.Identity, bucket, key string) (content.Content, error)
}

// ObjectInfo is what an import depends on.
type ObjectInfo struct {
	// Size is in bytes.
	Size int64
	// StorageClass is one of those of BucketInfo.
	StorageClass string
}

// BucketInfo is what an export depends on.
type BucketInfo struct {
	// Region is where the bucket is, such as "cn-hangzhou"; OSS's own notation, "oss-cn-hangzhou", is accepted, too.
	Region string
	// SSEAlgorithm is the server-side encryption of new objects, empty or "None" without.
	SSEAlgorithm string
	// StorageClass is Standard, IA, Archive, ColdArchive or DeepColdArchive.
	StorageClass string
}

// Errors of Buckets, to be told apart with errors.Is.
var (
	ErrNoSuchBucket = errors.New("no such bucket")
	ErrNoSuchObject = errors.New("no such object")
	ErrDenied       = errors.New("access denied")
)

// checkBucket asks OSS, as the export role, whether an export can go to the bucket.
func (s *Server) checkBucket(ctx context.Context, role account.Identity, bucket string) *openapi.Error {
	info, refused := s.inspectBucket(ctx, role, bucket)
	if refused != nil {
		return s.refuse(*refused)
	}
	if archiveClass(info.StorageClass) {
		return s.refuse(refuseArchive) // Guess: the code is listed for exports without saying when.
	}
	return nil
}

func archiveClass(class string) bool { return strings.HasSuffix(class, "Archive") }

// inspectBucket asks OSS, as the role, about a bucket, and tells what in it forbids exports and imports alike.
func (s *Server) inspectBucket(ctx context.Context, role account.Identity, bucket string) (BucketInfo, *refusal) {
	info, err := s.options.Buckets.GetBucketInfo(ctx, role, bucket)
	if err == nil {
		err = s.touch(ctx, role, "oss:GetBucketLocation", bucket)
	}
	switch {
	case err != nil:
		refused := bucketRefusal(err)
		return info, &refused
	case info.Region != s.options.Region && info.Region != "oss-"+s.options.Region:
		return info, &refuseBucketRegion
	case info.SSEAlgorithm != "" && info.SSEAlgorithm != "None":
		return info, &refuseBucketEncryption
	}
	return info, nil
}

func bucketRefusal(err error) refusal {
	switch {
	case errors.Is(err, ErrNoSuchBucket):
		return refuseMissingBucket
	case errors.Is(err, ErrDenied):
		return refuseAuthorization
	}
	return refuseFailed
}

// touch makes one call to OSS as the export role that has no effect here beyond needing its permission and being
// recorded. A refusal or cut that the tap injects is an error like any other of OSS.
func (s *Server) touch(ctx context.Context, role account.Identity, action, path string) error {
	resource := fmt.Sprintf("acs:oss:oss-%s:%s:%s", s.options.Region, s.options.Directory.ID(), path)
	call, fault := s.options.Tap.Begin(ctx, trace.Call{Service: "oss", Action: action, Operation: strings.TrimPrefix(action, "oss:"),
		Resource: resource, Principal: role.ARN, RequestID: newOSSRequestID()})
	var err error
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case fault.Refuse != nil:
		call.Status, call.Code = fault.Refuse.Status, fault.Refuse.Code
		err = &openapi.Error{Status: fault.Refuse.Status, Code: fault.Refuse.Code, Message: fault.Refuse.Message}
	case fault.Cut != trace.CutNone:
		err = fmt.Errorf("call %s: %w", action, errCut)
	case !s.options.Directory.Allowed(role, action, resource, nil):
		call.Status, call.Code = http.StatusForbidden, "AccessDenied"
		err = fmt.Errorf("call %s: %w", action, ErrDenied)
	default:
		call.Status, call.Applied = http.StatusOK, true
	}
	s.options.Tap.End(ctx, call, fault)
	return err
}

var errCut = errors.New("connection cut")

// newOSSRequestID returns an id in OSS's notation: 24 hexadecimal digits that start with the time.
func newOSSRequestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return fmt.Sprintf("%08X%X", time.Now().Unix(), b)
}
