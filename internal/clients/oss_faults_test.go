package clients

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/retry"

	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
)

// faulty is a place whose first n calls of a client meet the fault, and a count of all of them.
func faulty(t *testing.T, n int64, fault trace.Fault) (*place, *atomic.Int64) {
	t.Helper()
	c, err := localcloud.Start(localcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.OSS.CreateBucket(ossd.BucketSpec{Name: "ferry-images"}); err != nil {
		t.Fatal(err)
	}
	putObject(t, c, "ferry-images", *object, "0123456789")
	var calls atomic.Int64
	c.Tap.Inject(func(trace.Call) trace.Fault {
		if calls.Add(1) <= n {
			return fault
		}
		return trace.Fault{}
	})
	user := c.Directory.PutUser("user", account.Administrator())
	return &place{cloud: c, Region: c.Region, OSS: c.Endpoints.OSS, Keys: map[string]key{"admin": {ID: user.AccessKeyID, Secret: user.Secret}}}, &calls
}

func retrying(c *oss.Config) {
	c.WithRetryer(retry.NewStandard(func(o *retry.RetryOptions) {
		o.MaxAttempts = 3
		o.Backoff = retry.NewFixedDelayBackoff(time.Millisecond)
	}))
}

// TestRetries lets the client's own retries deal with the faults of the embedded cloud.
func TestRetries(t *testing.T) {
	t.Parallel()
	refusing := func(status int, code string) trace.Fault {
		return trace.Fault{Refuse: &trace.Refusal{Status: status, Code: code, Message: "made up"}}
	}
	get := func(ctx context.Context, c *oss.Client) error {
		return operations[4].call(ctx, c, oss.Ptr("ferry-images"), oss.RequestCommon{})
	}
	create := func(ctx context.Context, c *oss.Client) error {
		return without(put(ctx, c, "ferry-images", "new", "x", "true"))
	}
	for _, test := range []struct {
		name  string
		fault trace.Fault
		times int64
		call  func(context.Context, *oss.Client) error
		want  answer // zero for success
		calls int64
	}{
		{"unavailable twice", refusing(503, "ServiceUnavailable"), 2, get, answer{}, 3},
		{"unavailable too often", refusing(503, "ServiceUnavailable"), 3, get, answer{503, "ServiceUnavailable", "made up", ""}, 3},
		{"internal error", refusing(500, "InternalError"), 1, create, answer{}, 2},
		{"skewed clock", refusing(403, "RequestTimeTooSkewed"), 1, get, answer{}, 2},
		{"denied", refusing(403, "AccessDenied"), 1, get, answer{403, "AccessDenied", "made up", ""}, 1},
		{"cut before", trace.Fault{Cut: trace.CutBefore}, 2, get, answer{}, 3},
		{"create cut before", trace.Fault{Cut: trace.CutBefore}, 2, create, answer{}, 3},
		// The first attempt created the object; who retries has to find that out.
		{"create with its answer lost", trace.Fault{Cut: trace.CutAfter}, 1, create, exists, 2},
	} {
		for _, d := range dialects {
			t.Run(test.name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				p, calls := faulty(t, test.times, test.fault)
				err := test.call(t.Context(), d.client(p, p.Keys["admin"], retrying))
				if test.want == (answer{}) {
					if err != nil {
						t.Error(err)
					}
				} else {
					wantRefusal(t, err, test.want)
				}
				if calls.Load() != test.calls {
					t.Errorf("%d calls, want %d", calls.Load(), test.calls)
				}
			})
		}
	}
}

func TestContexts(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for _, o := range operations {
			t.Run(d.name+"/"+o.name, func(t *testing.T) {
				t.Parallel()
				p, calls := faulty(t, 1, trace.Fault{Delay: time.Minute})
				c := d.client(p, p.Keys["admin"], retrying)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := o.call(ctx, c, oss.Ptr("ferry-images"), oss.RequestCommon{}); !errors.Is(err, context.Canceled) || calls.Load() != 0 {
					t.Errorf("cancelled before: %v after %d calls", err, calls.Load())
				}
				ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
				defer cancel()
				if err := o.call(ctx, c, oss.Ptr("ferry-images"), oss.RequestCommon{}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("out of time: %v", err)
				}
			})
		}
	}
}

// The client holds a download to the length and to the CRC-64 that were announced, and does it again where that is wrong.
func TestBrokenBodies(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]trace.Fault{
		"cut": {Cut: trace.CutBody},
		"changed": {Mangle: func(status int, body []byte) (int, []byte) {
			return status, append([]byte("x"), body[1:]...)
		}},
	} {
		for _, d := range dialects {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "object")
				request := &oss.GetObjectRequest{Bucket: oss.Ptr("ferry-images"), Key: object}
				p, _ := faulty(t, 100, fault)
				if _, err := d.client(p, p.Keys["admin"]).GetObjectToFile(t.Context(), request, file); err == nil {
					t.Error("a broken download is taken for good")
				}
				p, calls := faulty(t, 1, fault)
				if _, err := d.client(p, p.Keys["admin"]).GetObjectToFile(t.Context(), request, file); err != nil || calls.Load() != 2 {
					t.Errorf("%v after %d calls", err, calls.Load())
				}
				if body, err := os.ReadFile(file); err != nil || string(body) != "0123456789" {
					t.Errorf("downloaded %q (%v)", body, err)
				}
			})
		}
	}
}
