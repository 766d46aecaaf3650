package ossd_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/ossd"
)

func TestBucketInfo(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for name, tc := range map[string]struct {
		spec                                  ossd.BucketSpec
		location, grant, versioning, sse, cls string
	}{
		"defaults": {ossd.BucketSpec{Name: "plain"}, "oss-cn-hangzhou", "private", "", "", "Standard"},
		"everything": {
			ossd.BucketSpec{Name: "special", Region: "cn-beijing", ACL: "public-read", Versioning: "Suspended", SSEAlgorithm: "KMS", StorageClass: "IA"},
			"oss-cn-beijing", "public-read", "Suspended", "KMS", "IA",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.bucket(t, tc.spec)
			client := c.client(t, c.admin)
			answer, err := client.GetBucketInfo(tc.spec.Name)
			noError(t, err)
			b := answer.BucketInfo
			if b.Name != tc.spec.Name || b.Location != tc.location || b.ACL != tc.grant || b.Versioning != tc.versioning ||
				b.SseRule.SSEAlgorithm != tc.sse || b.StorageClass != tc.cls || b.Owner.ID != accountID ||
				b.ExtranetEndpoint != tc.location+".aliyuncs.com" || b.IntranetEndpoint != tc.location+"-internal.aliyuncs.com" ||
				b.CreationDate.IsZero() || b.RedundancyType != "LRS" {
				t.Errorf("bucket info is %+v", b)
			}
			location, err := client.GetBucketLocation(tc.spec.Name)
			noError(t, err)
			if location != tc.location {
				t.Errorf("location is %q", location)
			}
		})
	}
	_, err := c.client(t, c.admin).GetBucketInfo("absent")
	if refusal := wantError(t, err, http.StatusNotFound, "NoSuchBucket"); refusal.Ec != "0015-00000101" ||
		!strings.Contains(refusal.RawMessage, "<BucketName>absent</BucketName>") {
		t.Errorf("refusal is %s", refusal.RawMessage)
	}
}

func TestBucketOfAnotherRegion(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bucket(t, ossd.BucketSpec{Name: "far-away", Region: "cn-beijing"})
	b := objectsOf(t, c.client(t, c.admin), "far-away")
	err := b.PutObject("k", strings.NewReader("x"))
	refusal := wantError(t, err, http.StatusForbidden, "AccessDenied")
	if refusal.Endpoint != "oss-cn-beijing.aliyuncs.com" || !strings.Contains(refusal.RawMessage, "<Bucket>far-away</Bucket>") ||
		!strings.Contains(refusal.Message, "must be addressed using the specified endpoint") {
		t.Errorf("refusal is %s", refusal.RawMessage)
	}
	_, err = b.ListObjectsV2()
	wantError(t, err, http.StatusForbidden, "AccessDenied")
}

func TestPutBucket(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	client := c.client(t, c.admin)
	noError(t, client.CreateBucket("brand-new", oss.ACL(oss.ACLPublicRead), oss.StorageClass(oss.StorageIA)))
	noError(t, client.CreateBucket("brand-new")) // one's own again: nothing changes
	want := ossd.BucketSpec{Name: "brand-new", Region: region, OwnerID: accountID, ACL: "public-read", StorageClass: "IA"}
	if got, ok := c.oss.Bucket("brand-new"); !ok || got != want {
		t.Errorf("bucket is %+v, want %+v", got, want)
	}
	noError(t, client.CreateBucket("brand-new", oss.ACL(oss.ACLPrivate)))
	if got, _ := c.oss.Bucket("brand-new"); got.ACL != "private" {
		t.Errorf("ACL is %q", got.ACL)
	}
	c.bucket(t, ossd.BucketSpec{Name: "far-away", Region: "cn-beijing"})
	wantError(t, client.CreateBucket("far-away"), http.StatusConflict, "BucketAlreadyExists")
	wantError(t, client.CreateBucket("other", oss.ACL("everyone")), http.StatusBadRequest, "InvalidArgument")

	list, err := client.ListBuckets(oss.MaxKeys(2))
	noError(t, err)
	if len(list.Buckets) != 2 || list.Buckets[0].Name != "brand-new" || !list.IsTruncated || list.NextMarker != "far-away" {
		t.Errorf("first page is %+v", list)
	}
	list, err = client.ListBuckets(oss.Marker(list.NextMarker))
	noError(t, err)
	if len(list.Buckets) != 1 || list.Buckets[0].Name != bucket || list.IsTruncated {
		t.Errorf("last page is %+v", list)
	}
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	none := func(*ossd.BucketSpec) {}
	for name, tc := range map[string]struct {
		err  error
		code string
	}{
		"create again":        {c.oss.CreateBucket(ossd.BucketSpec{Name: bucket}), "BucketAlreadyExists"},
		"create badly named":  {c.oss.CreateBucket(ossd.BucketSpec{Name: "Bad_Name"}), "InvalidBucketName"},
		"create bad class":    {c.oss.CreateBucket(ossd.BucketSpec{Name: "fine", StorageClass: "Cheap"}), "InvalidArgument"},
		"update absent":       {c.oss.UpdateBucket("absent", none), "NoSuchBucket"},
		"update name":         {c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.Name = "new-name" }), "InvalidArgument"},
		"update bad version":  {c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.Versioning = "Maybe" }), "InvalidArgument"},
		"update changes none": {c.oss.UpdateBucket(bucket, none), ""},
	} {
		var refusal *ossd.Error
		switch {
		case tc.code == "" && tc.err != nil:
			t.Errorf("%s: %v", name, tc.err)
		case tc.code != "" && (!errors.As(tc.err, &refusal) || refusal.Code != tc.code):
			t.Errorf("%s: error is %v, want %s", name, tc.err, tc.code)
		}
	}
	if _, ok := c.oss.Bucket("absent"); ok {
		t.Error("an absent bucket is found")
	}
}

func TestEncryptedBucketSaysSo(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	noError(t, c.oss.UpdateBucket(bucket, func(s *ossd.BucketSpec) { s.SSEAlgorithm = "AES256" }))
	b := c.objects(t, c.admin)
	noError(t, b.PutObject("k", strings.NewReader("x")))
	head, err := b.GetObjectDetailedMeta("k")
	noError(t, err)
	if got := head.Get("x-oss-server-side-encryption"); got != "AES256" {
		t.Errorf("encryption is %q", got)
	}
}
