package alicloud_test

import (
	"testing"
	"time"

	"imageferry/internal/export/exporttest"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/manifest"
)

// TestPortsConformance holds both adapters, over the embedded cloud, against what the domain rests on.
func TestPortsConformance(t *testing.T) {
	t.Parallel()
	for name, seed := range map[string]bool{"today": false, "as in 2017": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exporttest.Conformance(t, func(t *testing.T) exporttest.Account { return embeddedAccount(t, seed) })
		})
	}
}

func embeddedAccount(t *testing.T, seed bool) exporttest.Account {
	e := start(t, localcloud.Options{SeedDialect: seed, Speed: 1200}) // an export takes some hundred milliseconds
	if err := e.Cloud.OSS.CreateBucket(ossd.BucketSpec{Name: "elsewhere", Region: "cn-beijing"}); err != nil {
		t.Fatal(err)
	}
	for range 250 {
		e.Cloud.ECS.AddImage(ecsd.Image{})
	}
	store := e.Session.OSS.Store(bucket)
	return exporttest.Account{
		Images: e.Session.ECS, Tasks: e.Session.ECS, Objects: e.Session.OSS,
		ID:          e.Directory.ID(),
		Destination: manifest.Destination{Region: e.Region, Bucket: bucket, Prefix: "golden", Format: "raw"},
		Role:        localcloud.ExportRole,
		Image: e.Cloud.ECS.AddImage(ecsd.Image{Name: "golden", Disks: []ecsd.Disk{
			{Device: "/dev/xvda", Type: "system", SizeGiB: 40}, {Device: "/dev/xvdb", Type: "data", SizeGiB: 20},
		}}),
		Creating:  e.Cloud.ECS.AddImage(ecsd.Image{Status: ecsd.StatusCreating}),
		Elsewhere: "elsewhere",
		Keys:      "conformance/",
		Put:       store.Put,
		Delete:    store.Delete,
		Finish:    time.Minute,
		Poll:      5 * time.Millisecond,
	}
}
