package ossd_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
)

// on makes an injector that does the fault to calls of the action.
func on(action string, fault trace.Fault) trace.Injector {
	return func(call trace.Call) trace.Fault {
		if call.Action == action {
			return fault
		}
		return trace.Fault{}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	throttled := &trace.Refusal{Status: 503, Code: "TotalQpsLimitExceeded", Message: "Please reduce your request rate."}
	for name, tc := range map[string]struct {
		fault   trace.Fault
		applied bool
		status  int
		code    string
		check   func(*testing.T, error)
	}{
		"refuse": {trace.Fault{Refuse: throttled}, false, 503, "TotalQpsLimitExceeded",
			func(t *testing.T, err error) { wantError(t, err, 503, "TotalQpsLimitExceeded") }},
		"cut-before": {trace.Fault{Cut: trace.CutBefore}, false, 0, "", wantNoAnswer},
		"cut-after":  {trace.Fault{Cut: trace.CutAfter}, true, 0, "", wantNoAnswer},
		"mangle": {trace.Fault{Mangle: func(int, []byte) (int, []byte) { return 502, []byte("<html>bad gateway") }}, true, 502, "",
			func(t *testing.T, err error) {
				if err == nil || !strings.Contains(err.Error(), "invalid response body") {
					t.Errorf("error is %v", err)
				}
			}},
		"delay": {trace.Fault{Delay: time.Millisecond}, true, 200, "", func(t *testing.T, err error) { noError(t, err) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.tap.Inject(on("oss:PutObject", tc.fault))
			b := c.objects(t, c.admin)
			err := b.PutObject("k", strings.NewReader("x"))
			tc.check(t, err)
			call := c.lastCall(t)
			if call.Applied != tc.applied || call.Status != tc.status || call.Code != tc.code || call.Fault != name {
				t.Errorf("recorded %+v", call)
			}
			exists, err := b.IsObjectExist("k")
			noError(t, err)
			if exists != tc.applied {
				t.Errorf("object exists: %t, want %t", exists, tc.applied)
			}
		})
	}
}

func wantNoAnswer(t *testing.T, err error) {
	t.Helper()
	var answered oss.ServiceError
	if err == nil || errors.As(err, &answered) {
		t.Errorf("error is %v, want a broken connection", err)
	}
}

func TestRefusedWriteIsNotApplied(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("k", strings.NewReader("x")))
	wantError(t, b.PutObject("k", strings.NewReader("y"), oss.ForbidOverWrite(true)), http.StatusConflict, "FileAlreadyExists")
	if call := c.lastCall(t); call.Applied || call.Status != http.StatusConflict || call.Code != "FileAlreadyExists" {
		t.Errorf("recorded %+v", call)
	}
}

func TestCallsInProcess(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	as := c.role(t, "export", policy(t, `{"Version":"1","Statement":[
		{"Effect":"Allow","Action":["oss:GetBucketInfo","oss:PutObject"],"Resource":"*"}]}`))
	want := ossd.BucketSpec{Name: "other", Region: "cn-beijing", OwnerID: accountID, ACL: "private", Versioning: "Enabled",
		SSEAlgorithm: "KMS", StorageClass: "IA"}
	c.bucket(t, want)
	for _, name := range []string{"other", bucket} {
		got, err := c.oss.GetBucketInfoAs(t.Context(), as, name)
		noError(t, err)
		if want, _ := c.oss.Bucket(name); got != want {
			t.Errorf("bucket info is %+v, want %+v", got, want)
		}
	}
	noError(t, c.oss.PutObjectAs(t.Context(), as, bucket, "image.raw.tar.gz", []byte("content")))
	if call := c.lastCall(t); call.Principal != as.ARN || call.Action != "oss:PutObject" || !call.Applied || call.Status != 200 {
		t.Errorf("recorded %+v", call)
	}
	if got := get(t, c.objects(t, c.admin), "image.raw.tar.gz"); got != "content" {
		t.Errorf("object is %q", got)
	}

	refused := func(err error, code string) {
		t.Helper()
		var refusal *ossd.Error
		if !errors.As(err, &refusal) || refusal.Code != code || refusal.Status == 0 || refusal.RequestID == "" ||
			!strings.Contains(err.Error(), refusal.RequestID) {
			t.Errorf("error is %v, want %s", err, code)
		}
	}
	put := func() error { return c.oss.PutObjectAs(t.Context(), as, bucket, "k", nil) }
	_, err := c.oss.GetBucketInfoAs(t.Context(), as, "absent")
	refused(err, "NoSuchBucket")
	refused(c.oss.PutObjectAs(t.Context(), as, "other", "k", nil), "AccessDenied") // of another region
	refused(c.oss.PutObjectAs(t.Context(), as, bucket, "/k", nil), "InvalidObjectName")
	c.tap.Inject(on("oss:PutObject", trace.Fault{Refuse: &trace.Refusal{Status: 503, Code: "ServiceUnavailable"}}))
	refused(put(), "ServiceUnavailable")
	c.tap.Inject(on("oss:PutObject", trace.Fault{Cut: trace.CutAfter}))
	if err := put(); !errors.Is(err, ossd.ErrCut) {
		t.Errorf("error is %v, want %v", err, ossd.ErrCut)
	}
	c.tap.Inject(nil)
	c.dir.PutRole("export", policy(t, `{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}`))
	refused(put(), "AccessDenied")
	c.dir.Expire(as.AccessKeyID)
	refused(put(), "SecurityTokenExpired")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused(c.oss.PutObjectAs(ctx, as, bucket, "k", nil), "SecurityTokenExpired") // the caller's absence changes nothing
}

// A client that gives up during a delay does not undo its call: this is how an answer gets lost.
func TestDelayedCallIsAppliedAfterItsClientLeft(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	begun, ended := make(chan struct{}), make(chan trace.Call, 1)
	c.tap.Inject(func(trace.Call) trace.Fault { close(begun); return trace.Fault{Delay: time.Hour} })
	c.tap.Watch(func(call trace.Call) { ended <- call })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if err := c.objects(t, c.admin).PutObject("k", strings.NewReader("x"), oss.WithContext(ctx)); err == nil {
		t.Error("the call succeeded")
	}
	if call := <-ended; !call.Applied {
		t.Errorf("recorded %+v", call)
	}
}
