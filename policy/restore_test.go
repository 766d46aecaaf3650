package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/policy"
)

// TestRestorePermissions: a function that restores may change images, and write and delete under its own prefix alone.
func TestRestorePermissions(t *testing.T) {
	t.Parallel()
	dir := account.New(vars().AccountID)
	dir.PutRole("imageferry", parse(t, policy.FunctionTrust), parse(t, policy.FunctionPermissions), parse(t, policy.RestorePermissions))
	dir.PutRole("import", parse(t, policy.ImportTrust), parse(t, policy.ImportPermissions))
	function, err := dir.AssumeByService("fc.aliyuncs.com", "imageferry", "fc", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	imports, err := dir.AssumeByService("ecs.aliyuncs.com", "import", "ecs", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.AssumeByService("fc.aliyuncs.com", "import", "fc", time.Hour); err == nil {
		t.Error("Function Compute assumes the import role")
	}
	const images, objects = "acs:ecs:cn-hangzhou:1234567890123456:image/", "acs:oss:oss-cn-hangzhou:1:golden-images"
	prefix := func(p string) map[string]string { return map[string]string{"oss:Prefix": p} }
	for _, c := range []struct {
		who              account.Identity
		action, resource string
		context          map[string]string
		want             bool
	}{
		{function, "ecs:ImportImage", images + "*", nil, true},
		{function, "ecs:DeleteImage", images + "m-1", nil, true},
		{function, "ecs:DeleteImage", "acs:ecs:cn-beijing:1234567890123456:image/m-1", nil, false},
		{function, "ecs:DeleteSnapshot", "acs:ecs:cn-hangzhou:1234567890123456:snapshot/s-1", nil, true},
		{function, "ecs:DeleteDisk", "acs:ecs:cn-hangzhou:1234567890123456:disk/d-1", nil, false},
		{function, "oss:PutObject", objects + "/imageferry/restore/a/disk.raw", nil, true},
		{function, "oss:PutObject", objects + "/images_m-1_system.raw.tar.gz", nil, false},
		{function, "oss:DeleteObject", objects + "/imageferry/restore/a/disk.raw", nil, true},
		{function, "oss:DeleteObject", objects + "/images_m-1_system.raw.tar.gz", nil, false},
		{function, "oss:ListObjects", objects, prefix("imageferry/restore/"), true},
		{function, "oss:ListObjects", objects, prefix(""), false},
		{imports, "oss:GetObject", objects + "/imageferry/restore/a/disk.raw", nil, true},
		{imports, "oss:GetObject", "acs:oss:oss-cn-hangzhou:1:golden-manifests/imageferry/journal/a", nil, false},
		{imports, "oss:PutObject", objects + "/a", nil, false},
	} {
		if got := dir.Allowed(c.who, c.action, c.resource, c.context); got != c.want {
			t.Errorf("%s on %s with %v: allowed %v, want %v", c.action, c.resource, c.context, got, c.want)
		}
	}
}

// TestTemplateRestores: what the template adds where images are restored is ours, and it adds it nowhere else.
func TestTemplateRestores(t *testing.T) {
	t.Parallel()
	_, variables := specProps(t)
	names := vars()
	names.Bucket, names.ManifestPrefix = variables["bucket"].(string), variables["manifestPrefix"].(string)
	document := func(name string) any {
		text, err := policy.Render(name, names)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		return listed(value)
	}
	s := newStack(t)
	added := s.properties("RestorePolicy")
	equal(t, "the policy for restores", listed(added["PolicyDocument"]), document(policy.RestorePermissions))
	equal(t, "its roles", added["Roles"], []any{"FunctionRole.RoleName"})
	role := s.properties("ImportRole")
	equal(t, "the import role's name", role["RoleName"], "AliyunECSImageImportDefaultRole")
	equal(t, "its trust", listed(role["AssumeRolePolicyDocument"]), document(policy.ImportTrust))
	policies := role["Policies"].([]any)
	equal(t, "its permissions", listed(policies[0].(object)["PolicyDocument"]), document(policy.ImportPermissions))
	if len(policies) != 1 {
		t.Errorf("the import role has %d policies", len(policies))
	}
	for name, condition := range map[string]string{"RestorePolicy": "Restores", "ImportRole": "CreateImportRole"} {
		if got := s.resources[name].(object)["Condition"]; got != condition {
			t.Errorf("%s depends on %v", name, got)
		}
	}
}
