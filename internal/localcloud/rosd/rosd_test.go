package rosd_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/rosd"
)

const accountID = "1234567890123456"

// own is the project's template with values for what has no default.
func own(t testing.TB) rosd.Request {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "template.yml"))
	if err != nil {
		t.Fatal(err)
	}
	return rosd.Request{Template: text, Region: "cn-hangzhou", AccountID: accountID, Parameters: map[string]string{
		"Bucket": "golden-images", "ManifestBucket": "golden-manifests", "CodeBucket": "golden-code", "LogProject": "golden-logs",
	}}
}

func TestOwnTemplate(t *testing.T) {
	t.Parallel()
	stack, err := rosd.Read(own(t))
	if err != nil {
		t.Fatal(err)
	}
	f := stack.Function
	if f.Name != "imageferry" || f.Role != "imageferry" || f.Handler != "main" || f.Timeout != 5*time.Minute || f.MemoryMB != 256 ||
		f.Environment["FERRY_MANIFEST_BUCKET"] != "golden-manifests" || f.Async.MaxRetries != 3 || f.Async.FailureQueue != "imageferry-failed" ||
		len(f.Timers) != 2 || len(f.Events) != 2 || f.HTTP == nil || f.HTTP.Anonymous {
		t.Errorf("the function is %+v", f)
	}
	long := own(t)
	long.Parameters["Timeout"], long.Parameters["Cpu"], long.Parameters["MemorySize"] = "86400", "1", "1024"
	if stack, err := rosd.Read(long); err != nil || stack.Function.Timeout != 24*time.Hour || stack.Function.MemoryMB != 1024 {
		t.Errorf("for large disks: %+v (%v)", stack, err)
	}
	if want := []rosd.Bucket{{"golden-images", "private"}, {"golden-manifests", "private"}}; !slices.Equal(stack.Buckets, want) {
		t.Errorf("the buckets are %v", stack.Buckets)
	}
	if len(stack.Roles) != 2 || stack.Roles[0].Name != "AliyunECSImageExportDefaultRole" || len(stack.Roles[0].Permissions) != 1 ||
		stack.Roles[1].Name != "imageferry" || len(stack.Roles[1].Permissions) != 2 {
		t.Errorf("the roles are %+v", stack.Roles)
	}
	if stack.Code.Bucket != "golden-code" || !strings.HasSuffix(stack.Code.Key, ".zip") {
		t.Errorf("the code is in %v", stack.Code)
	}
	if got := stack.Outputs["FunctionARN"]; got != "acs:fc:cn-hangzhou:"+accountID+":functions/imageferry" || len(stack.Outputs) != 4 {
		t.Errorf("the outputs are %v", stack.Outputs)
	}
}

// TestConditions makes the stacks of an account that has some of the resources already.
func TestConditions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parameters     map[string]string
		buckets, roles int
	}{
		"one bucket for both":   {map[string]string{"ManifestBucket": "golden-images"}, 1, 2},
		"the buckets are there": {map[string]string{"CreateBuckets": "false"}, 0, 2},
		"the role is there":     {map[string]string{"CreateExportRole": "false"}, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := own(t)
			for key, value := range c.parameters {
				r.Parameters[key] = value
			}
			stack, err := rosd.Read(r)
			if err != nil || len(stack.Buckets) != c.buckets || len(stack.Roles) != c.roles {
				t.Errorf("%d buckets and %d roles: %v", len(stack.Buckets), len(stack.Roles), err)
			}
		})
	}
}

// TestRefusals changes the template in one place each.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, new   string
		parameters map[string]string
		want       string
	}{
		"not YAML":               {old: "Parameters:", new: "Parameters: [", want: "decode template"},
		"another version":        {old: "'2015-09-01'", new: "'2010-09-09'", want: "ROSTemplateFormatVersion"},
		"unknown section":        {old: "Outputs:\n", new: "Mappings: {}\nOutputs:\n", want: "template.Mappings: unknown key"},
		"unknown type":           {old: "ALIYUN::FC3::AsyncInvokeConfig", new: "ALIYUN::FC3::Alias", want: "not a known type"},
		"unknown property":       {old: "      Handler: main", new: "      Handler: main\n      Layers: []", want: "Function.Properties.Layers: unknown key"},
		"missing property":       {old: "      Handler: main\n", new: "", want: "Function.Properties.Handler: missing"},
		"unknown function":       {old: "Fn::Sub: ${RoleName}-log", new: "Fn::Select: [0, [a]]", want: "an unknown function"},
		"unknown parameter":      {old: "Ref: CodeBucket", new: "Ref: CodeBuckets", want: `"CodeBuckets" is neither a parameter`},
		"unknown in a text":      {old: "${RoleName}-log", new: "${RoleNames}-log", want: `"RoleNames" is neither a parameter`},
		"unknown attribute":      {old: "        - UrlInternet", new: "        - Url", want: `no known attribute "Url"`},
		"attribute of nothing":   {old: "        - HTTPTrigger", new: "        - Trigger", want: `there is no resource "Trigger"`},
		"depends on nothing":     {old: "DependsOn: AsyncInvokeConfig", new: "DependsOn: Async", want: "there is no resource Async"},
		"depends on itself":      {old: "        Ref: FunctionName\n      Description", new: "        Fn::GetAtt: [Function, FunctionName]\n      Description", want: "depends on itself"},
		"unknown condition":      {old: "Condition: CreateExportRole", new: "Condition: Create", want: `there is no condition "Create"`},
		"circular condition":     {old: "      - CreateBucket\n", new: "      - CreateManifestBucket\n", want: "depends on itself"},
		"function and more":      {old: "        Ref: RoleName\n", new: "        Ref: RoleName\n        More: 1\n", want: "Ref beside other keys"},
		"broken policy":          {old: "            Action: sts:AssumeRole", new: "            Actions: sts:AssumeRole", want: "AssumeRolePolicyDocument"},
		"deletion policy":        {old: "DeletionPolicy: Retain", new: "DeletionPolicy: Keep", want: "neither Retain nor Delete"},
		"bad cron":               {old: "0 17 * * * *", new: "17 * * * *", want: "cronExpression"},
		"unknown trigger key":    {old: "        enable: true\n        payload", new: "        enabled: true\n        payload", want: "unknown key"},
		"memory of a wrong size": {parameters: map[string]string{"Cpu": "2"}, want: "cpu"},
		"value not allowed":      {parameters: map[string]string{"Prefix": "a/b"}, want: "1 to 30 letters or digits"},
		"value not in the list":  {parameters: map[string]string{"MemorySize": "300"}, want: "Parameters.MemorySize"},
		"value not a number":     {parameters: map[string]string{"MemorySize": "many"}, want: "is not a number"},
		"value not a boolean":    {parameters: map[string]string{"CreateBuckets": "perhaps"}, want: "is not a boolean"},
		"value too long":         {parameters: map[string]string{"ManifestPrefix": strings.Repeat("a", 100) + "/"}, want: "at most 100"},
		"too little":             {parameters: map[string]string{"Timeout": "59"}, want: "MinValue is 60"},
		"too much":               {parameters: map[string]string{"Timeout": "86401"}, want: "MaxValue is 86400"},
		"half a second":          {parameters: map[string]string{"Timeout": "60.5"}, want: "timeout"},
		"range of a text":        {old: "    MaxValue: 86400", new: "    MaxValue: day", want: "Parameters.Timeout.MaxValue"},
		"value for nothing":      {parameters: map[string]string{"Buckets": "x"}, want: "does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := own(t)
			if c.old != "" {
				if !strings.Contains(string(r.Template), c.old) {
					t.Fatalf("the template has no %q", c.old)
				}
				r.Template = []byte(strings.Replace(string(r.Template), c.old, c.new, 1))
			}
			for key, value := range c.parameters {
				r.Parameters[key] = value
			}
			if _, err := rosd.Read(r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("no value", func(t *testing.T) {
		t.Parallel()
		r := own(t)
		delete(r.Parameters, "Bucket")
		if _, err := rosd.Read(r); err == nil || !strings.Contains(err.Error(), "Parameters.Bucket: has neither a default nor a value") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestJoin(t *testing.T) {
	t.Parallel()
	r := own(t)
	r.Template = []byte(strings.Replace(string(r.Template), "Fn::Sub: ${RoleName}-log", "Fn::Join: ['-', [{Ref: RoleName}, log]]", 1))
	if _, err := rosd.Read(r); err != nil {
		t.Error(err)
	}
}

// FuzzRead must neither panic nor accept a template without a function.
func FuzzRead(f *testing.F) {
	f.Add(own(f).Template)
	f.Add([]byte("ROSTemplateFormatVersion: '2015-09-01'\nConditions: {a: {Fn::Not: a}}\nResources: {}\n"))
	f.Add([]byte("Resources: {a: {Type: ALIYUN::OSS::Bucket, Properties: {BucketName: {Fn::GetAtt: [a, Name]}}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := own(t)
		r.Template = text
		if stack, err := rosd.Read(r); err == nil && stack.Function.Name == "" {
			t.Error("a stack without a function")
		}
	})
}
