package ossd_test

import (
	"net/http"
	"strings"
	"testing"

	"imageferry/internal/localcloud/ossd"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.bucket(t, ossd.BucketSpec{Name: "retained", RetentionDays: 30})
	c.bucket(t, ossd.BucketSpec{Name: "free"})
	client := c.client(t, c.admin)
	policy, err := client.GetBucketWorm("retained")
	noError(t, err)
	if policy.State != "Locked" || policy.RetentionPeriodInDays != 30 {
		t.Errorf("policy is %+v", policy)
	}
	_, err = client.GetBucketWorm("free")
	wantError(t, err, http.StatusNotFound, "NoSuchWORMConfiguration")

	b := objectsOf(t, client, "retained")
	noError(t, b.PutObject("k", strings.NewReader("first")))
	wantError(t, b.PutObject("k", strings.NewReader("second")), http.StatusConflict, "FileImmutable")
	wantError(t, b.DeleteObject("k"), http.StatusConflict, "FileImmutable")
	noError(t, b.PutObject("other", strings.NewReader("first")))
	noError(t, b.DeleteObject("absent"))
}
