package manifest

import (
	"strings"
	"testing"
)

func TestValidImageID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"m-bp67acfmxazb4p01": true, "m-1": true, "m-A-b-9": true, "m-" + strings.Repeat("x", 64): true,
		"": false, "m-": false, "m--1": false, "i-bp1": false, "M-1": false, "m-a/b": false, "m-a.b": false, "m-ä": false, "m-a\n": false,
		" m-1": false, "m-" + strings.Repeat("x", 65): false,
	} {
		if got := ValidImageID(id); got != want {
			t.Errorf("%q is %v", id, got)
		}
	}
}
