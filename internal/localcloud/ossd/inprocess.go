package ossd

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
)

// ErrCut is the error of a call in process whose connection was cut: it may or may not have been applied.
var ErrCut = errors.New("connection cut")

// GetBucketInfoAs is the call GetBucketInfo made by another service of the cloud under the identity's credentials. It
// passes the tap and RAM like a call over HTTP. Errors: *[Error], or [ErrCut] when a fault cut the call.
func (s *Server) GetBucketInfoAs(ctx context.Context, as account.Identity, bucket string) (BucketSpec, error) {
	body, err := s.callAs(ctx, as, &request{method: http.MethodGet, bucket: bucket, query: url.Values{"bucketInfo": {""}}})
	if err != nil {
		return BucketSpec{}, err
	}
	var info bucketInfoXML
	if err := xml.Unmarshal(body, &info); err != nil {
		return BucketSpec{}, fmt.Errorf("decode bucket info: %w", err)
	}
	return info.spec(), nil
}

// PutObjectAs is the call PutObject made by another service of the cloud under the identity's credentials, in the terms
// of [Server.GetBucketInfoAs]. It overwrites, and keeps the body, which the caller no longer changes.
func (s *Server) PutObjectAs(ctx context.Context, as account.Identity, bucket, key string, body []byte) error {
	_, err := s.callAs(ctx, as, &request{method: http.MethodPut, bucket: bucket, key: key, body: body})
	return err
}

// callAs completes the request, takes it through the pipeline and returns the body of its answer.
func (s *Server) callAs(ctx context.Context, as account.Identity, r *request) ([]byte, error) {
	r.id = newRequestID()
	r.host = endpointOf(s.region + "-internal")
	r.header = http.Header{}
	r.secure = true // Guess: the services of the cloud talk to each other over HTTPS
	r.op, r.problem = route(r)
	if !bucketName.MatchString(r.bucket) {
		r.problem = invalidBucketName(r.bucket)
	}
	r.fail(checkKey(r.key))
	if len(r.body) > s.maxBody {
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
		return nil, fmt.Errorf("call oss: %w", ErrCut)
	}
	if a.status >= http.StatusMultipleChoices {
		return nil, decodeError(a)
	}
	return a.body, nil
}

// decodeError reads an error off the wire, where a fault may have changed it.
func decodeError(a answer) error {
	failure := &Error{}
	if err := xml.Unmarshal(a.body, failure); err != nil {
		return &Error{Status: a.status, Message: "The answer is not an error document."}
	}
	failure.Status = a.status
	return failure
}
