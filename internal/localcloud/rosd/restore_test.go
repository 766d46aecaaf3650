package rosd_test

import (
	"slices"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/rosd"
)

// TestRestore: only a stack that is to restore has the import role, unless that exists, and lets the function import.
func TestRestore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parameters      map[string]string
		role, permitted bool
	}{
		"by default":       {nil, false, false},
		"wanted":           {map[string]string{"Restore": "true"}, true, true},
		"with a role":      {map[string]string{"Restore": "true", "CreateImportRole": "false"}, false, true},
		"without restores": {map[string]string{"CreateImportRole": "true"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := own(t)
			for k, v := range c.parameters {
				r.Parameters[k] = v
			}
			stack, err := rosd.Read(r)
			if err != nil {
				t.Fatal(err)
			}
			role, permitted := false, false
			for _, made := range stack.Roles {
				role = role || made.Name == "AliyunECSImageImportDefaultRole"
				permitted = permitted || slices.ContainsFunc(made.Permissions, func(p account.Policy) bool {
					return slices.ContainsFunc(p.Statement, func(s account.Statement) bool { return slices.Contains(s.Action, "ecs:ImportImage") })
				})
			}
			if role != c.role || permitted != c.permitted {
				t.Errorf("role %v, permitted %v", role, permitted)
			}
			if on := stack.Function.Environment["FERRY_RESTORE"]; (on == "true") != c.permitted {
				t.Errorf("FERRY_RESTORE is %q", on)
			}
		})
	}
}
