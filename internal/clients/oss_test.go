package clients

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/retry"
)

// A dialect is one of the ways in which the client can sign its requests and address a bucket.
type dialect struct {
	name    string
	version oss.SignatureVersionType
	// virtual addresses buckets by host name, with the names of the real endpoints.
	virtual bool
}

var dialects = []dialect{
	{"V1 by path", oss.SignatureVersionV1, false}, {"V4 by path", oss.SignatureVersionV4, false},
	{"V1 by host", oss.SignatureVersionV1, true}, {"V4 by host", oss.SignatureVersionV4, true},
}

// client returns a client of a place that does not retry, unless the options say otherwise.
func (d dialect) client(p *place, k key, options ...func(*oss.Config)) *oss.Client {
	cfg := oss.NewConfig().WithRegion(p.Region).WithEndpoint("http://" + p.OSS).WithSignatureVersion(d.version).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider(k.ID, k.Secret, k.Token)).
		WithRetryer(retry.NopRetryer{})
	if d.virtual {
		cfg = cfg.WithEndpoint("http://oss-" + p.Region + ".aliyuncs.com").WithHttpClient(loopback(p.OSS))
	}
	for _, option := range options {
		option(cfg)
	}
	return oss.NewClient(cfg)
}

// loopback takes every connection to one address of this machine, whatever name it is for.
func loopback(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		DisableKeepAlives: true,
	}}
}

// answer is what the platform refused with.
type answer struct {
	status        int
	code, message string // an empty message is not compared
	ec            string // neither is an empty one
}

// wantRefusal expects an error of the service.
func wantRefusal(t *testing.T, err error, want answer) {
	t.Helper()
	var got *oss.ServiceError
	if !errors.As(err, &got) {
		t.Fatalf("error %v, want %+v", err, want)
	}
	if got.StatusCode != want.status || got.Code != want.code || want.message != "" && got.Message != want.message || want.ec != "" && got.EC != want.ec {
		t.Errorf("refused with %d %s %s %q, want %+v", got.StatusCode, got.Code, got.EC, got.Message, want)
	}
	if len(got.RequestID) != 24 || time.Since(got.Timestamp).Abs() > time.Minute {
		t.Errorf("request %q at %s", got.RequestID, got.Timestamp)
	}
}

// An operation is one call of OSS that the project relies on.
type operation struct {
	name string
	// everywhere operations are answered by the endpoints of all regions.
	everywhere bool
	call       func(context.Context, *oss.Client, *string, oss.RequestCommon) error
}

// without drops the result.
func without[T any](_ T, err error) error { return err }

var object = oss.Ptr("fixed/object.txt")

var operations = []operation{
	{"GetBucketInfo", true, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.GetBucketInfo(ctx, &oss.GetBucketInfoRequest{Bucket: bucket, RequestCommon: common}))
	}},
	{"GetBucketLocation", true, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.GetBucketLocation(ctx, &oss.GetBucketLocationRequest{Bucket: bucket, RequestCommon: common}))
	}},
	{"ListObjectsV2", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.ListObjectsV2(ctx, &oss.ListObjectsV2Request{Bucket: bucket, Prefix: oss.Ptr("a/"), RequestCommon: common}))
	}},
	{"PutObject", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.PutObject(ctx, &oss.PutObjectRequest{Bucket: bucket, Key: oss.Ptr("never/put"), Body: strings.NewReader("x"), RequestCommon: common}))
	}},
	{"GetObject", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		result, err := c.GetObject(ctx, &oss.GetObjectRequest{Bucket: bucket, Key: object, RequestCommon: common})
		if err == nil {
			err = result.Body.Close()
		}
		return err
	}},
	{"HeadObject", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.HeadObject(ctx, &oss.HeadObjectRequest{Bucket: bucket, Key: object, RequestCommon: common}))
	}},
	{"GetObjectMeta", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.GetObjectMeta(ctx, &oss.GetObjectMetaRequest{Bucket: bucket, Key: object, RequestCommon: common}))
	}},
	{"DeleteObject", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.DeleteObject(ctx, &oss.DeleteObjectRequest{Bucket: bucket, Key: oss.Ptr("never/deleted"), RequestCommon: common}))
	}},
	{"AppendObject", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.AppendObject(ctx, &oss.AppendObjectRequest{Bucket: bucket, Key: oss.Ptr("never/appended"), Position: oss.Ptr(int64(0)),
			Body: strings.NewReader("x"), RequestCommon: common}))
	}},
	{"CopyObject", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.CopyObject(ctx, &oss.CopyObjectRequest{Bucket: bucket, Key: oss.Ptr("never/copied"), SourceKey: object, RequestCommon: common}))
	}},
	{"InitiateMultipartUpload", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.InitiateMultipartUpload(ctx, &oss.InitiateMultipartUploadRequest{Bucket: bucket, Key: oss.Ptr("never/begun"), RequestCommon: common}))
	}},
	{"ListMultipartUploads", false, func(ctx context.Context, c *oss.Client, bucket *string, common oss.RequestCommon) error {
		return without(c.ListMultipartUploads(ctx, &oss.ListMultipartUploadsRequest{Bucket: bucket, RequestCommon: common}))
	}},
}

// TestRefusals calls every operation in every dialect and in every way in which it is not let in.
func TestRefusals(t *testing.T) {
	t.Parallel()
	all := places(t, "main", "busy", "broken")
	main := all["main"]
	keys := main.Keys
	tokenless, malformed, foreign := keys["session"], keys["session"], keys["session"]
	tokenless.Token, malformed.Token, foreign.Token = "", "CAIS+made/up==", keys["other"].Token
	skewed := answer{403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "0002-00000504"}
	elsewhere := answer{403, "AccessDenied", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.", ""}
	unknown := answer{403, "InvalidAccessKeyId", "The OSS Access Key Id you provided does not exist in our records.", ""}
	cases := []struct {
		name   string
		at     *place
		key    key
		bucket string
		skew   time.Duration
		only   func(dialect, operation) bool // nil for all
		option func(*oss.Config)
		want   answer
	}{
		{name: "wrong key", key: keys["stranger"], want: unknown},
		{name: "wrong secret", key: keys["typo"], want: answer{403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", "0002-00000040"}},
		{name: "no token", key: tokenless, want: unknown},
		{name: "malformed token", key: malformed, want: answer{403, "InvalidSecurityToken", "The security token you provided is invalid.", ""}},
		{name: "token of another key", key: foreign, want: answer{403, "AccessKeyIdAndSecurityTokenNotMatch", "The OSS access key id and security token you provided does not match.", ""}},
		{name: "expired token", key: keys["expired"], want: answer{403, "SecurityTokenExpired", "The security token you provided has expired.", ""}},
		{name: "slow clock", skew: -16 * time.Minute, want: skewed},
		{name: "fast clock", skew: 16 * time.Minute, want: skewed},
		{name: "no permission", key: keys["nobody"], want: answer{403, "AccessDenied", "", ""}},
		{name: "no such bucket", bucket: "ferry-none", want: answer{404, "NoSuchBucket", "The specified bucket does not exist.", "0015-00000101"}},
		{name: "bucket of another account", bucket: "ferry-foreign", want: answer{403, "AccessDenied", "", ""}},
		{name: "bucket of another region", bucket: "ferry-elsewhere", want: elsewhere, only: func(_ dialect, o operation) bool { return !o.everywhere }},
		{name: "endpoint of another region", want: elsewhere, only: func(d dialect, o operation) bool { return d.virtual && !o.everywhere },
			option: func(c *oss.Config) { c.WithEndpoint("http://oss-cn-beijing.aliyuncs.com") }},
		{name: "signed for another region", want: answer{400, "InvalidArgument", "Invalid signing region in Authorization header.", "0002-00000226"},
			only:   func(d dialect, _ operation) bool { return d.version == oss.SignatureVersionV4 },
			option: func(c *oss.Config) { c.WithRegion("cn-beijing") }},
		{name: "path style on a host name", want: answer{403, "SecondLevelDomainForbidden", "The bucket you are attempting to access must be addressed using OSS third level domain.", ""},
			only: func(d dialect, _ operation) bool { return d.virtual }, option: func(c *oss.Config) { c.WithUsePathStyle(true) }},
		{name: "unavailable", at: all["busy"], key: all["busy"].Keys["admin"], want: answer{503, "ServiceUnavailable", "", ""}},
		{name: "internal error", at: all["broken"], key: all["broken"].Keys["admin"], want: answer{500, "InternalError", "", ""}},
	}
	for _, d := range dialects {
		for _, o := range operations {
			for _, c := range cases {
				if c.only != nil && !c.only(d, o) {
					continue
				}
				t.Run(d.name+"/"+o.name+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					at, bucket, k, options := main, "ferry-images", c.key, []func(*oss.Config){}
					if c.at != nil {
						at = c.at
					}
					if c.bucket != "" {
						bucket = c.bucket
					}
					if k.ID == "" {
						k = keys["admin"]
					}
					if c.option != nil {
						options = append(options, c.option)
					}
					var common oss.RequestCommon
					if c.skew != 0 { // the client takes the time to sign with from this header
						common.Headers = map[string]string{"x-oss-date": time.Now().UTC().Add(c.skew).Format(http.TimeFormat)}
					}
					wantRefusal(t, o.call(t.Context(), d.client(at, k, options...), &bucket, common), c.want)
				})
			}
		}
	}
}
