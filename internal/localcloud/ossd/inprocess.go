package ossd

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/trace"
)

// ErrCut is the error of a call in process whose connection was cut: it may or may not have been applied.
var ErrCut = errors.New("connection cut")

// GetBucketInfoAs is the call GetBucketInfo made by another service of the cloud under the identity's credentials. It
// passes the tap and RAM like a call over HTTP. Errors: *[Error], or [ErrCut] when a fault cut the call.
func (s *Server) GetBucketInfoAs(ctx context.Context, as account.Identity, bucket string) (BucketSpec, error) {
	a, err := s.callAs(ctx, as, &request{method: http.MethodGet, bucket: bucket, query: url.Values{"bucketInfo": {""}}})
	if err != nil {
		return BucketSpec{}, err
	}
	var info bucketInfoXML
	if err := xml.Unmarshal(a.body.Bytes(), &info); err != nil {
		return BucketSpec{}, fmt.Errorf("decode bucket info: %w", err)
	}
	return info.spec(), nil
}

// PutObjectAs is the call PutObject made by another service of the cloud under the identity's credentials, in the terms
// of [Server.GetBucketInfoAs]. It overwrites, and copies the body.
func (s *Server) PutObjectAs(ctx context.Context, as account.Identity, bucket, key string, body []byte) error {
	return s.PutContentAs(ctx, as, bucket, key, content.Of(body))
}

// PutContentAs is [Server.PutObjectAs] for a body that may be long and mostly zeros, longer even than one PutObject takes.
// Of one longer than 64 MiB the ETag is not the MD5, as after a multipart upload.
func (s *Server) PutContentAs(ctx context.Context, as account.Identity, bucket, key string, body content.Content) error {
	_, err := s.callAs(ctx, as, &request{method: http.MethodPut, bucket: bucket, key: key, body: body, digest: s.digests.of(body)})
	return err
}

// GetContentAs is the call GetObject in the same terms. The content shares the object's bytes.
func (s *Server) GetContentAs(ctx context.Context, as account.Identity, bucket, key string) (content.Content, error) {
	a, err := s.callAs(ctx, as, &request{method: http.MethodGet, bucket: bucket, key: key})
	return a.body, err
}

// ObjectInfo is what HeadObject tells of an object.
type ObjectInfo struct {
	// Size is in bytes, Kind is Normal, Appendable or Multipart, and ETag has no quotes.
	Size                     int64
	ETag, Kind, StorageClass string
	CRC64                    uint64
}

// HeadObjectAs is the call HeadObject in the same terms.
func (s *Server) HeadObjectAs(ctx context.Context, as account.Identity, bucket, key string) (ObjectInfo, error) {
	a, err := s.callAs(ctx, as, &request{method: http.MethodHead, bucket: bucket, key: key})
	if err != nil {
		return ObjectInfo{}, err
	}
	info := ObjectInfo{ETag: strings.Trim(a.header.Get("ETag"), `"`), Kind: a.header.Get("x-oss-object-type"),
		StorageClass: a.header.Get("x-oss-storage-class")}
	info.Size, _ = strconv.ParseInt(a.header.Get("Content-Length"), 10, 64)
	info.CRC64, _ = strconv.ParseUint(a.header.Get("x-oss-hash-crc64ecma"), 10, 64)
	return info, nil
}

// callAs completes the request, takes it through the pipeline and returns its answer.
func (s *Server) callAs(ctx context.Context, as account.Identity, r *request) (answer, error) {
	r.id = newRequestID()
	r.host = endpointOf(s.region + "-internal")
	r.header = http.Header{}
	r.secure = true // Guess: the services of the cloud talk to each other over HTTPS
	r.op, r.problem = route(r)
	if !bucketName.MatchString(r.bucket) {
		r.problem = invalidBucketName(r.bucket)
	}
	r.fail(checkKey(r.key))
	if r.body.Stored() > int64(s.maxBody) {
		r.fail(entityTooLarge())
	}
	known, err := s.dir.Lookup(as.AccessKeyID)
	if err != nil {
		r.problem = invalidAccessKeyID()
	} else if err := s.checkToken(known, as.Token, time.Now()); err != nil {
		r.problem = err
	} else {
		r.identity = known
	}
	a, cut := s.call(ctx, r)
	if cut != trace.CutNone {
		return answer{}, fmt.Errorf("call oss: %w", ErrCut)
	}
	if a.status >= http.StatusMultipleChoices {
		return answer{}, decodeError(a)
	}
	return a, nil
}

// decodeError reads an error off the wire, where a fault may have changed it.
func decodeError(a answer) error {
	document := a.body.Bytes()
	if text := a.header.Get("x-oss-err"); text != "" {
		document, _ = base64.StdEncoding.DecodeString(text) // what cannot be decoded is no document
	}
	failure := &Error{}
	if err := xml.Unmarshal(document, failure); err != nil {
		return &Error{Status: a.status, Message: "The answer is not an error document."}
	}
	failure.Status = a.status
	return failure
}
