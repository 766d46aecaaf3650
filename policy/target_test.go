package policy_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"imageferry/internal/config"
	"imageferry/internal/localcloud/account"
	"imageferry/policy"
)

const externalID = "shop-4f1c2a9be07d"

// targetVars are those of a target in another account than vars.
func targetVars() policy.Vars {
	v := vars()
	v.AccountID, v.FailureQueue = "2234567890123456", ""
	v.FunctionAccountID, v.FunctionRole, v.TargetRole, v.ExternalID = vars().AccountID, "imageferry", "imageferry-target", externalID
	return v
}

func target(t *testing.T, name string) account.Policy {
	t.Helper()
	document, err := policy.Render(name, targetVars())
	if err != nil {
		t.Fatal(err)
	}
	p, err := account.ParsePolicy(document)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTargetPermissionsAreTheFunctions: what was shown to suffice and to be minimal for the function is that for a target.
func TestTargetPermissionsAreTheFunctions(t *testing.T) {
	t.Parallel()
	v := targetVars()
	v.FailureQueue = "imageferry-failed"
	var function struct{ Statement []json.RawMessage }
	var other struct{ Statement []json.RawMessage }
	for name, into := range map[string]any{policy.FunctionPermissions: &function, policy.TargetPermissions: &other} {
		document, err := policy.Render(name, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(document, into); err != nil {
			t.Fatal(err)
		}
	}
	var kept []string
	for _, s := range function.Statement {
		if !strings.Contains(string(s), "mns:") {
			kept = append(kept, string(s))
		}
	}
	var got []string
	for _, s := range other.Statement {
		got = append(got, string(s))
	}
	if strings.Join(got, "\n") != strings.Join(kept, "\n") || len(kept) != len(function.Statement)-1 {
		t.Errorf("got\n%s\nwant\n%s", got, kept)
	}
}

// TestTargetTrust lets in the function's role with the external id, and nobody else.
func TestTargetTrust(t *testing.T) {
	t.Parallel()
	home := account.New(vars().AccountID)
	home.PutRole("imageferry", parse(t, policy.FunctionTrust), target(t, policy.FunctionTarget))
	home.PutRole("neighbour", parse(t, policy.FunctionTrust), account.Administrator())
	shop := home.Open(targetVars().AccountID)
	shop.PutRole("imageferry-target", target(t, policy.TargetTrust), target(t, policy.TargetPermissions))
	function, err := home.AssumeByService("fc.aliyuncs.com", "imageferry", "fc", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	neighbour, err := home.AssumeByService("fc.aliyuncs.com", "neighbour", "fc", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller account.Identity
		id     string
		want   error
	}{
		"the function":                   {function, externalID, nil},
		"without the external id":        {function, "", account.ErrNotTrusted},
		"with another":                   {function, externalID + "x", account.ErrNotTrusted},
		"another role of the account":    {neighbour, externalID, account.ErrNotTrusted},
		"an administrator's user":        {home.PutUser("root", account.Administrator()), externalID, account.ErrNotTrusted},
		"somebody of the target's own":   {shop.PutUser("root", account.Administrator()), externalID, account.ErrNotTrusted},
		"a role of its name of the shop": {account.Identity{AccountID: shop.ID(), RoleName: "imageferry"}, externalID, account.ErrNotTrusted},
	} {
		if _, err := shop.AssumeByIdentity(c.caller, "imageferry-target", "s", c.id, time.Hour); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for resource, want := range map[string]bool{
		shop.RoleARN("imageferry-target"): true, shop.RoleARN("imageferry-target2"): false, home.RoleARN("imageferry-target"): false,
	} {
		if got := home.Allowed(function, "sts:AssumeRole", resource, nil); got != want {
			t.Errorf("the function may ask for %s: %v", resource, got)
		}
	}
}

// TestTemplateLetsTheFunctionAssumeItsTargets: the policy that the template adds where there are roles is ours.
func TestTemplateLetsTheFunctionAssumeItsTargets(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.values["TargetRoles"] = []any{"acs:ram:*:" + targetVars().AccountID + ":role/imageferry-target"}
	properties := s.properties("TargetRolesPolicy")
	document, err := policy.Render(policy.FunctionTarget, targetVars())
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(document, &want); err != nil {
		t.Fatal(err)
	}
	equal(t, "the policy for targets", listed(properties["PolicyDocument"]), listed(want))
	equal(t, "its roles", properties["Roles"], []any{"FunctionRole.RoleName"})
}

// TestSeveralAccountsPage: what the page shows is what the function takes and what is in this folder.
func TestSeveralAccountsPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/several-accounts.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks of JSON", len(blocks))
	}
	c, err := config.Parse(map[string]string{"FERRY_BUCKET": "golden-images", "FERRY_TARGETS": blocks[0][1]})
	if err != nil || len(c.Targets) != 2 {
		t.Fatalf("%d targets: %v", len(c.Targets), err)
	}
	v := targetVars()
	v.ExternalID = string(c.Targets[1].ExternalID)
	rendered, err := policy.Render(policy.TargetTrust, v)
	if err != nil {
		t.Fatal(err)
	}
	var shown, want any
	if err := errors.Join(json.Unmarshal([]byte(blocks[1][1]), &shown), json.Unmarshal(rendered, &want)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(shown, want) {
		t.Errorf("the page shows\n%s\nwant\n%s", blocks[1][1], rendered)
	}
	for field := range reflect.TypeFor[config.Target]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("the page does not explain %s", name)
		}
	}
}
