package policy_test

import (
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/policy"
)

func vars() policy.Vars {
	return policy.Vars{
		Region: "cn-hangzhou", AccountID: "1234567890123456", Bucket: "golden-images",
		ManifestBucket: "golden-manifests", ManifestPrefix: "imageferry/", FailureQueue: "imageferry-failed",
	}
}

func parse(t *testing.T, name string) account.Policy {
	t.Helper()
	document, err := policy.Render(name, vars())
	if err != nil {
		t.Fatal(err)
	}
	p, err := account.ParsePolicy(document)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func TestFunctionRoleMayDoWhatItNeedsAndNoMore(t *testing.T) {
	t.Parallel()
	dir := account.New(vars().AccountID)
	dir.PutRole("imageferry", parse(t, policy.FunctionTrust), parse(t, policy.FunctionPermissions))
	identity, err := dir.AssumeByService("fc.aliyuncs.com", "imageferry", "fc", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	const image = "acs:ecs:cn-hangzhou:1234567890123456:image/"
	prefix := func(p string) map[string]string { return map[string]string{"oss:Prefix": p} }
	for _, c := range []struct {
		action, resource string
		context          map[string]string
		want             bool
	}{
		{"ecs:ExportImage", image + "m-1", nil, true},
		{"ecs:ExportImage", "acs:ecs:cn-beijing:1234567890123456:image/m-1", nil, false},
		{"ecs:DescribeImages", image + "*", nil, true},
		{"ecs:DeleteImage", image + "m-1", nil, false},
		{"ecs:DescribeTasks", "*", nil, true},
		{"ecs:CancelTask", "*", nil, true},
		{"oss:GetBucketInfo", "acs:oss:oss-cn-hangzhou:1:golden-images", nil, true},
		{"oss:ListObjects", "acs:oss:oss-cn-hangzhou:1:golden-manifests", prefix("imageferry/active/"), true},
		{"oss:ListObjects", "acs:oss:oss-cn-hangzhou:1:golden-manifests", prefix(""), false},
		{"oss:ListObjects", "acs:oss:oss-cn-hangzhou:1:golden-images", prefix("imageferry/"), false},
		{"oss:PutObject", "acs:oss:oss-cn-hangzhou:1:golden-manifests/imageferry/journal/a", nil, true},
		{"oss:PutObject", "acs:oss:oss-cn-hangzhou:1:golden-manifests/other/a", nil, false},
		{"oss:PutObject", "acs:oss:oss-cn-hangzhou:1:golden-images/a", nil, false},
		{"oss:DeleteObject", "acs:oss:oss-cn-hangzhou:1:golden-manifests/imageferry/active/a", nil, true},
		{"oss:DeleteObject", "acs:oss:oss-cn-hangzhou:1:golden-manifests/imageferry/journal/a", nil, false},
		{"oss:GetObject", "acs:oss:oss-cn-hangzhou:1:golden-images/prefix/m-1_system.raw.tar.gz", nil, true},
		{"mns:SendMessage", "acs:mns:cn-hangzhou:1234567890123456:/queues/imageferry-failed/messages", nil, true},
		{"mns:SendMessage", "acs:mns:cn-hangzhou:1234567890123456:/queues/other/messages", nil, false},
		{"sts:AssumeRole", "*", nil, false},
	} {
		if got := dir.Allowed(identity, c.action, c.resource, c.context); got != c.want {
			t.Errorf("%s on %s with %v: allowed %v, want %v", c.action, c.resource, c.context, got, c.want)
		}
	}
}

func TestRolesTrustOnlyTheirService(t *testing.T) {
	t.Parallel()
	dir := account.New(vars().AccountID)
	dir.PutRole("function", parse(t, policy.FunctionTrust), parse(t, policy.FunctionPermissions))
	dir.PutRole("export", parse(t, policy.ExportTrust), parse(t, policy.ExportPermissions))
	for _, c := range []struct {
		service, role string
		want          bool
	}{
		{"fc.aliyuncs.com", "function", true},
		{"ecs.aliyuncs.com", "function", false},
		{"ecs.aliyuncs.com", "export", true},
		{"fc.aliyuncs.com", "export", false},
	} {
		if _, err := dir.AssumeByService(c.service, c.role, "s", time.Hour); (err == nil) != c.want {
			t.Errorf("%s assumes %s: %v, want allowed %v", c.service, c.role, err, c.want)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		document string
		change   func(*policy.Vars)
		want     string
	}{
		"an unknown document":       {"no.json", func(*policy.Vars) {}, "no.json"},
		"an unset placeholder":      {policy.FunctionPermissions, func(v *policy.Vars) { v.FailureQueue = "" }, "no value for ${failureQueue}"},
		"a wildcard":                {policy.ExportPermissions, func(v *policy.Vars) { v.Bucket = "*" }, "not a plain name"},
		"what would break the JSON": {policy.ExportPermissions, func(v *policy.Vars) { v.Bucket = `a"` }, "not a plain name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := vars()
			c.change(&v)
			if _, err := policy.Render(c.document, v); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}
