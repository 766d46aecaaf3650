package export

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestReasons(t *testing.T) {
	t.Parallel()
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range reasonTable() {
		if !kebab.MatchString(r.Code) {
			t.Errorf("%q is not in kebab case", r.Code)
		}
		if seen[r.Code] {
			t.Errorf("%s stands in the table twice", r.Code)
		}
		seen[r.Code] = true
		if r.Class < Skip || r.Class > Note {
			t.Errorf("%s has no class", r.Code)
		}
		if r.Remedy == "" || strings.Contains(r.Remedy, "\n") || !strings.HasSuffix(r.Remedy, ".") {
			t.Errorf("%s has the remedy %q", r.Code, r.Remedy)
		}
	}
	all := Reasons()
	if len(all) != len(seen) || !slices.IsSortedFunc(all, func(a, b Reason) int { return strings.Compare(a.Code, b.Code) }) {
		t.Errorf("Reasons lists %d of %d, or out of order", len(all), len(seen))
	}
	all[0].Code = "changed"
	if Reasons()[0].Code == "changed" {
		t.Error("a caller can change the table")
	}
}
