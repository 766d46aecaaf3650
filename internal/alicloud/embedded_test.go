package alicloud_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

const bucket = "golden-images"

// embedded is a session of the administrator in an embedded cloud that has a bucket and the export role.
type embedded struct {
	*localcloud.Cloud
	*alicloud.Session
}

func start(t *testing.T, options localcloud.Options) embedded {
	t.Helper()
	if options.Speed == 0 {
		options.Speed = 6000
	}
	cloud, err := localcloud.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	if err := cloud.OSS.CreateBucket(ossd.BucketSpec{Name: bucket}); err != nil {
		t.Fatal(err)
	}
	cloud.Directory.PutRole(localcloud.ExportRole, account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"sts:AssumeRole"}, Principal: &account.Principal{Service: account.Strings{"ecs.aliyuncs.com"}},
	}}}, account.Administrator())
	return embedded{cloud, session(t, cloud, cloud.Administrator)}
}

func session(t *testing.T, cloud *localcloud.Cloud, keys account.Identity) *alicloud.Session {
	t.Helper()
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	s, err := alicloud.Open(alicloud.Options{
		Region: cloud.Region, AccountID: cloud.Directory.ID(),
		Credentials: alicloud.Static(alicloud.Credentials{
			AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret, SecurityToken: keys.Token,
		}),
		ECSEndpoint: "http://" + cloud.Endpoints.ECS,
		OSSEndpoint: "http://" + cloud.Endpoints.OSS,
		HTTP:        transport,
		Backoff:     alicloud.Backoff{First: time.Millisecond, Max: 5 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStoreConformance holds the store against what the journal's protocol rests on.
func TestStoreConformance(t *testing.T) {
	t.Parallel()
	manifesttest.Conformance(t, func(t *testing.T) manifest.Store {
		return start(t, localcloud.Options{}).Session.OSS.Store(bucket)
	})
}

// TestExportAtECS takes one image from DescribeImages to its objects, in both dialects.
func TestExportAtECS(t *testing.T) {
	t.Parallel()
	for name, seed := range map[string]bool{"today": false, "as in 2017": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, localcloud.Options{SeedDialect: seed})
			id := e.Cloud.ECS.AddImage(ecsd.Image{Name: "golden", Disks: []ecsd.Disk{
				{Device: "/dev/xvda", Type: "system", SizeGiB: 40}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 20},
			}})
			image, ok, err := e.Session.ECS.Image(t.Context(), id)
			if err != nil || !ok || image.Name != "golden" || image.OwnerAlias != "self" || image.Status != "Available" || len(image.Disks) != 2 {
				t.Fatalf("image %+v %t: %v", image, ok, err)
			}
			began := time.Now()
			request := export.Request{
				ImageID: id, Role: localcloud.ExportRole, ClientToken: "token-1",
				Destination: manifest.Destination{Region: e.Region, Bucket: bucket, Prefix: "golden", Format: "raw"},
			}
			accepted, err := e.Session.ECS.Export(t.Context(), request)
			if err != nil || accepted.TaskID == "" {
				t.Fatalf("accepted %+v: %v", accepted, err)
			}
			detail := e.finished(t, accepted.TaskID)
			for _, s := range detail.Subtasks {
				info, ok, err := e.Session.OSS.Object(t.Context(), s.Bucket, s.Object)
				if err != nil || !ok || info.Size == 0 || info.CRC64 == "" || info.ETag == "" {
					t.Errorf("object %s: %+v %t: %v", s.Object, info, ok, err)
				}
				if head, err := e.Session.OSS.Read(t.Context(), s.Bucket, s.Object, 0, 2); err != nil || string(head) != "\x1f\x8b" {
					t.Errorf("object %s begins with %q: %v", s.Object, head, err)
				}
			}
			tasks, err := e.Session.ECS.TasksOf(t.Context(), id, began)
			if err != nil || len(tasks) != 1 || tasks[0].ID != accepted.TaskID || tasks[0].ImageID != id {
				t.Errorf("tasks of the image: %+v: %v", tasks, err)
			}
		})
	}
}

// finished follows a task to its end.
func (e embedded) finished(t *testing.T, taskID string) export.TaskDetail {
	t.Helper()
	for t.Context().Err() == nil {
		tasks, err := e.Session.ECS.Tasks(t.Context(), []string{taskID, "t-unknown"})
		if err != nil || len(tasks) != 1 {
			t.Fatalf("tasks %+v: %v", tasks, err)
		}
		if tasks[0].Status == "Processing" {
			continue // the call itself takes the time that passes
		}
		detail, ok, err := e.Session.ECS.Detail(t.Context(), taskID)
		if err != nil || !ok || detail.Status != "Finished" || len(detail.Subtasks) != 2 {
			t.Fatalf("detail %+v %t: %v", detail, ok, err)
		}
		return detail
	}
	t.Fatal("the test was ended")
	return export.TaskDetail{}
}

// TestAbsence tells what is not there from what went wrong.
func TestAbsence(t *testing.T) {
	t.Parallel()
	e := start(t, localcloud.Options{})
	if _, ok, err := e.Session.ECS.Image(t.Context(), "m-unknown"); ok || err != nil {
		t.Errorf("image: %t %v", ok, err)
	}
	if _, ok, err := e.Session.ECS.Detail(t.Context(), "t-unknown"); ok || err != nil {
		t.Errorf("task: %t %v", ok, err)
	}
	if _, ok, err := e.Session.OSS.Bucket(t.Context(), "no-such-bucket"); ok || err != nil {
		t.Errorf("bucket: %t %v", ok, err)
	}
	if _, ok, err := e.Session.OSS.Object(t.Context(), bucket, "no-such-object"); ok || err != nil {
		t.Errorf("object: %t %v", ok, err)
	}
	info, ok, err := e.Session.OSS.Bucket(t.Context(), bucket)
	if !ok || err != nil || info.Location != "oss-"+e.Region || info.OwnerID != e.Directory.ID() || info.ACL != "private" || info.Versioning != "" {
		t.Errorf("bucket: %+v %t %v", info, ok, err)
	}
}

// TestFaultsOfTheCloud injects what goes wrong on the way, and looks at what the caller is told and how often was tried.
func TestFaultsOfTheCloud(t *testing.T) {
	t.Parallel()
	describe := func(e embedded, t *testing.T, id string) error {
		_, _, err := e.Session.ECS.Image(t.Context(), id)
		return err
	}
	submit := func(e embedded, t *testing.T, id string) error {
		_, err := e.Session.ECS.Export(t.Context(), export.Request{
			ImageID: id, Role: localcloud.ExportRole, Destination: manifest.Destination{Region: e.Region, Bucket: bucket, Format: "raw"},
		})
		return err
	}
	refuse := func(status int, code string) trace.Fault {
		return trace.Fault{Refuse: &trace.Refusal{Status: status, Code: code, Message: "injected"}}
	}
	for name, c := range map[string]struct {
		action string
		fault  trace.Fault
		times  int // 0: always
		call   func(embedded, *testing.T, string) error
		want   *export.CallError // nil: it succeeds
		tries  int
	}{
		"one cut read":           {"ecs:DescribeImages", trace.Fault{Cut: trace.CutBefore}, 1, describe, nil, 2},
		"a lost answer":          {"ecs:DescribeImages", trace.Fault{Cut: trace.CutAfter}, 1, describe, nil, 2},
		"a failing service":      {"ecs:DescribeImages", refuse(503, "ServiceUnavailable"), 0, describe, &export.CallError{Code: "ServiceUnavailable", Ambiguous: true}, 3},
		"throttling":             {"ecs:DescribeImages", refuse(400, "Throttling.User"), 0, describe, &export.CallError{Code: "Throttling.User"}, 1},
		"ExportImage, lost":      {"ecs:ExportImage", trace.Fault{Cut: trace.CutAfter}, 1, submit, &export.CallError{Ambiguous: true}, 1},
		"ExportImage, not taken": {"ecs:ExportImage", trace.Fault{Cut: trace.CutBefore}, 1, submit, &export.CallError{Ambiguous: true}, 1},
		"ExportImage, throttled": {"ecs:ExportImage", refuse(400, "Throttling"), 1, submit, &export.CallError{Code: "Throttling"}, 1},
		"ExportImage, 500":       {"ecs:ExportImage", refuse(500, "InternalError"), 1, submit, &export.CallError{Code: "InternalError", Ambiguous: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, localcloud.Options{})
			id := e.Cloud.ECS.AddImage(ecsd.Image{Name: "golden"})
			var seen atomic.Int32
			e.Tap.Inject(func(call trace.Call) trace.Fault {
				if call.Action != c.action {
					return trace.Fault{}
				}
				if n := seen.Add(1); c.times > 0 && int(n) > c.times {
					return trace.Fault{}
				}
				return c.fault
			})
			err := c.call(e, t, id)
			var got *export.CallError
			switch {
			case c.want == nil && err != nil:
				t.Errorf("got %v", err)
			case c.want != nil && (!errors.As(err, &got) || got.Code != c.want.Code || got.Ambiguous != c.want.Ambiguous):
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if int(seen.Load()) != c.tries {
				t.Errorf("%d tries, want %d", seen.Load(), c.tries)
			}
		})
	}
}

// TestKeysThatAreNoGood are refused by every service, in words that do not hold them.
func TestKeysThatAreNoGood(t *testing.T) {
	t.Parallel()
	e := start(t, localcloud.Options{})
	expired, err := e.Directory.AssumeByService("ecs.aliyuncs.com", localcloud.ExportRole, "expired", -time.Second)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := e.Directory.AssumeByService("ecs.aliyuncs.com", localcloud.ExportRole, "forged", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	forged.Token = "LOCALTOKENforged"
	secret := e.Administrator
	secret.Secret += "x"
	for name, c := range map[string]struct {
		keys  account.Identity
		codes []string
	}{
		"expired":      {expired, []string{"InvalidSecurityToken.Expired", "SecurityTokenExpired"}},
		"forged":       {forged, []string{"InvalidSecurityToken.Malformed", "InvalidSecurityToken"}},
		"wrong secret": {secret, []string{"SignatureDoesNotMatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := session(t, e.Cloud, c.keys)
			_, _, imageErr := s.ECS.Image(t.Context(), "m-1")
			_, _, bucketErr := s.OSS.Bucket(t.Context(), bucket)
			putErr := s.OSS.Store(bucket).Put(t.Context(), "imageferry/active/x", nil)
			_, _, headErr := s.OSS.Object(t.Context(), bucket, "x")
			for call, err := range map[string]error{"DescribeImages": imageErr, "GetBucketInfo": bucketErr, "PutObject": putErr, "HeadObject": headErr} {
				var got *export.CallError
				if !errors.As(err, &got) || got.Status < 400 || got.Status == http.StatusNotFound || call != "HeadObject" && !slices.Contains(c.codes, got.Code) {
					t.Errorf("%s: %v, want one of %q", call, err, c.codes)
					continue
				}
				for _, hidden := range []string{c.keys.Secret, c.keys.Token} {
					if hidden != "" && strings.Contains(err.Error(), hidden) {
						t.Errorf("%s shows a secret: %v", call, err)
					}
				}
			}
		})
	}
}
