package unpacktest_test

import (
	"testing"

	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	unpacktest.Conformance(t, func(*testing.T) unpack.Store { return unpacktest.NewMemory() })
}
