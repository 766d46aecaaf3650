package export_test

import (
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/export/exporttest"
	"imageferry/internal/manifest"
)

// TestFakesConform holds the fake that the domain is tested with against what the real services promise.
func TestFakesConform(t *testing.T) {
	t.Parallel()
	exporttest.Conformance(t, func(*testing.T) exporttest.Account {
		c := export.NewFakeCloud(50 * time.Millisecond)
		return exporttest.Account{
			Images: c, Tasks: c, Objects: c,
			ID:          "1234567890123456",
			Destination: manifest.Destination{Region: "cn-hangzhou", Bucket: "golden-images", Prefix: "nightly", Format: "raw"},
			Role:        "AliyunECSImageExportDefaultRole",
			Image:       "m-1",
			Creating:    "m-creating",
			Elsewhere:   "elsewhere",
			Put:         c.PutObject,
			Delete:      c.DeleteObject,
			Finish:      time.Minute,
			Poll:        time.Millisecond,
		}
	})
}
