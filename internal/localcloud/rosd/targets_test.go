package rosd_test

import (
	"slices"
	"strings"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/rosd"
)

// TestTargetRoles lets the function assume the roles that are given, and none where none are.
func TestTargetRoles(t *testing.T) {
	t.Parallel()
	const one, two = "acs:ram:*:2234567890123456:role/a", "acs:ram:*:3234567890123456:role/b"
	for _, given := range [][]string{nil, {one}, {one, two}} {
		r := own(t)
		if given != nil {
			r.Parameters["TargetRoles"] = strings.Join(given, ", ")
		}
		r.Parameters["Targets"] = `[{"name":"a"}]`
		stack, err := rosd.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		var got account.Strings
		for _, role := range stack.Roles {
			for _, p := range role.Permissions {
				for _, s := range p.Statement {
					if slices.Contains(s.Action, "sts:AssumeRole") {
						got = append(got, s.Resource...)
					}
				}
			}
		}
		if !slices.Equal(got, given) {
			t.Errorf("got %q, want %q", got, given)
		}
		if stack.Function.Environment["FERRY_TARGETS"] != `[{"name":"a"}]` {
			t.Errorf("the targets are %q", stack.Function.Environment["FERRY_TARGETS"])
		}
	}
}

// TestAttachRefusals: a policy goes to roles of the stack.
func TestAttachRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"a role of elsewhere": {"        - Fn::GetAtt:\n            - FunctionRole\n            - RoleName\n", "        - somebody\n", "has no role somebody"},
		"no list":             {"      Roles:\n        - Fn::GetAtt:\n            - FunctionRole\n            - RoleName\n", "      Roles: imageferry\n", "Roles: not a list"},
		"no boolean":          {"NoEcho: true", "NoEcho: maybe", "NoEcho: not a boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := own(t)
			r.Parameters["TargetRoles"] = "acs:ram:*:2234567890123456:role/a"
			if !strings.Contains(string(r.Template), c.old) {
				t.Fatalf("the template has no %q", c.old)
			}
			r.Template = []byte(strings.Replace(string(r.Template), c.old, c.new, 1))
			if _, err := rosd.Read(r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
