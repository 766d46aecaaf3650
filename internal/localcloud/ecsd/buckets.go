package ecsd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/trace"
)

// Buckets is the OSS that exports are written to. An implementation authorizes and records its calls as those of the
// identity. Its methods are called concurrently and are not repeated; a PutObject that returned nil has stored the whole
// object, replacing an earlier one. Errors: ErrNoSuchBucket when there is no such bucket, ErrDenied when the identity is not
// allowed the call; any other error fails the export.
type Buckets interface {
	GetBucketInfo(ctx context.Context, as account.Identity, bucket string) (BucketInfo, error)
	PutObject(ctx context.Context, as account.Identity, bucket, key string, body []byte) error
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
	ErrDenied       = errors.New("access denied")
)

// checkBucket asks OSS, as the export role, whether an export can go to the bucket.
func (s *Server) checkBucket(ctx context.Context, role account.Identity, bucket string) *openapi.Error {
	info, err := s.options.Buckets.GetBucketInfo(ctx, role, bucket)
	if err == nil {
		err = s.touch(ctx, role, "oss:GetBucketLocation", bucket)
	}
	switch {
	case err != nil:
		return s.refuse(bucketRefusal(err))
	case info.Region != s.options.Region && info.Region != "oss-"+s.options.Region:
		return s.refuse(refuseBucketRegion)
	case info.SSEAlgorithm != "" && info.SSEAlgorithm != "None":
		return s.refuse(refuseBucketEncryption)
	}
	switch info.StorageClass {
	case "Archive", "ColdArchive", "DeepColdArchive":
		return s.refuse(refuseArchive) // Guess: the code is listed for exports without saying when.
	}
	return nil
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
	call, fault := s.options.Tap.Begin(ctx, trace.Call{Service: "oss", Action: action, Resource: resource, Principal: role.ARN, RequestID: newOSSRequestID()})
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
