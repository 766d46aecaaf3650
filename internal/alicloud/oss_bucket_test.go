package alicloud_test

import (
	"testing"

	"imageferry/internal/localcloud"
	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

// TestUnpackingConformance holds the bucket against what unpacking rests on.
func TestUnpackingConformance(t *testing.T) {
	t.Parallel()
	unpacktest.Conformance(t, func(t *testing.T) unpack.Store {
		return start(t, localcloud.Options{}).Session.OSS.Unpacking(bucket)
	})
}
