package manifesttest_test

import (
	"testing"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	manifesttest.Conformance(t, func(*testing.T) manifest.Store { return &manifesttest.Memory{} })
}
