package policy_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/config"
	"imageferry/internal/version"
	"imageferry/policy"
)

func TestTemplateDeploysTheFunctionOfSYAML(t *testing.T) {
	t.Parallel()
	props, _ := specProps(t)
	got := newStack(t).properties("Function")

	want := object{
		"EnvironmentVariables": props["environmentVariables"],
		// What both say in their own way.
		"Code":      object{"OssBucketName": "code", "OssObjectName": "imageferry-" + version.Current + ".zip"},
		"Role":      "FunctionRole.Arn",
		"LogConfig": object{"Project": "logs", "Logstore": "imageferry"},
	}
	ownWay := []string{"region", "code", "role", "logConfig", "environmentVariables", "asyncInvokeConfig", "triggers"}
	for key, value := range props {
		if !slices.Contains(ownWay, key) {
			want[strings.ToUpper(key[:1])+key[1:]] = value
		}
	}
	equal(t, "Function", got, want)
	equal(t, "the role's name", newStack(t).properties("FunctionRole")["RoleName"], props["role"])
}

func TestTemplateEnvironmentIsAValidConfiguration(t *testing.T) {
	t.Parallel()
	environment := map[string]string{}
	for name, value := range newStack(t).properties("Function")["EnvironmentVariables"].(object) {
		environment[name] = value.(string)
	}
	if _, err := config.Parse(environment); err != nil {
		t.Error(err)
	}
}

// capitalised spells the keys of the Serverless Devs configuration as ROS does.
func capitalised(value any) any {
	v, ok := value.(object)
	if !ok {
		return value
	}
	out := make(object, len(v))
	for key, element := range v {
		out[strings.ToUpper(key[:1])+key[1:]] = capitalised(element)
	}
	return out
}

func TestTemplateHandlesAsynchronousEventsAsSYAMLDoes(t *testing.T) {
	t.Parallel()
	props, _ := specProps(t)
	// s.yaml leaves the account out of the queue's name, as Serverless Devs allows.
	full := mapStrings(props["asyncInvokeConfig"], func(text string) any {
		return strings.Replace(text, "::", ":"+vars().AccountID+":", 1)
	})
	want := capitalised(full).(object)
	want["FunctionName"] = "Function.FunctionName"
	equal(t, "AsyncInvokeConfig", newStack(t).properties("AsyncInvokeConfig"), want)
}

func TestTemplateHasTheTriggersOfSYAML(t *testing.T) {
	t.Parallel()
	props, _ := specProps(t)
	want := object{}
	for _, trigger := range props["triggers"].([]any) {
		trigger := trigger.(object)
		want[trigger["triggerName"].(string)] = object{
			"FunctionName":  "Function.FunctionName",
			"TriggerName":   trigger["triggerName"],
			"TriggerType":   trigger["triggerType"],
			"TriggerConfig": trigger["triggerConfig"],
		}
	}
	s := newStack(t)
	got := object{}
	for name, resource := range s.resources {
		if resource.(object)["Type"] == "ALIYUN::FC3::Trigger" {
			properties := s.properties(name)
			got[properties["TriggerName"].(string)] = properties
		}
	}
	equal(t, "triggers", got, want)
}

// listed spells the two ways of writing one action, resource or service as a list.
func listed(value any) any {
	switch v := value.(type) {
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = listed(element)
		}
		return out
	case object:
		out := make(object, len(v))
		for key, element := range v {
			out[key] = listed(element)
			if text, ok := element.(string); ok && slices.Contains([]string{"Action", "Resource", "Service"}, key) {
				out[key] = []any{text}
			}
		}
		return out
	}
	return value
}

func TestTemplateRolesHaveTheDocumentsOfPolicy(t *testing.T) {
	t.Parallel()
	_, variables := specProps(t)
	names := policy.Vars{
		Region:         variables["region"].(string),
		AccountID:      vars().AccountID,
		Bucket:         variables["bucket"].(string),
		ManifestBucket: variables["manifestBucket"].(string),
		ManifestPrefix: variables["manifestPrefix"].(string),
		FailureQueue:   variables["failureQueue"].(string),
	}
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
	// Only ROS names a logstore, so only the template's role may write into one.
	log := listed(object{"Version": "1", "Statement": []any{object{
		"Effect":   "Allow",
		"Action":   "log:PostLogStoreLogs",
		"Resource": fmt.Sprintf("acs:log:%s:%s:project/logs/logstore/imageferry", names.Region, names.AccountID),
	}}})

	s := newStack(t)
	for _, c := range []struct {
		role, trust string
		permissions []any
	}{
		{"FunctionRole", policy.FunctionTrust, []any{document(policy.FunctionPermissions), log}},
		{"ExportRole", policy.ExportTrust, []any{document(policy.ExportPermissions)}},
	} {
		role := s.properties(c.role)
		equal(t, c.role+" trust", listed(role["AssumeRolePolicyDocument"]), document(c.trust))
		var permissions []any
		for _, p := range role["Policies"].([]any) {
			permissions = append(permissions, listed(p.(object)["PolicyDocument"]))
		}
		equal(t, c.role+" permissions", permissions, c.permissions)
		if _, more := role["PolicyAttachments"]; more {
			t.Errorf("%s has policies from elsewhere attached", c.role)
		}
	}
	equal(t, "the export role's name", s.properties("ExportRole")["RoleName"], configured(t).ExportRole)
}

// configured is the configuration with all defaults.
func configured(t *testing.T) config.Config {
	t.Helper()
	c, err := config.Parse(map[string]string{"FERRY_BUCKET": "golden-images"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTemplateParameters(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.resolve(s.outputs)
	for name, resource := range s.resources {
		s.properties(name)
		if condition, ok := resource.(object)["Condition"].(string); ok && s.conditions[condition] == nil {
			t.Errorf("%s depends on the condition %s, which does not exist", name, condition)
		}
	}
	everything, err := json.Marshal(s.conditions)
	if err != nil {
		t.Fatal(err)
	}
	for name, parameter := range s.parameters {
		parameter := parameter.(object)
		if !s.used[name] && !strings.Contains(string(everything), `{"Ref":"`+name+`"}`) {
			t.Errorf("%s is used nowhere", name)
		}
		if parameter["Description"] == nil {
			t.Errorf("%s has no description", name)
		}
		if pattern, ok := parameter["AllowedPattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(fmt.Sprint(s.values[name])) {
			t.Errorf("%s: %v does not match %s", name, s.values[name], pattern)
		}
		if allowed, ok := parameter["AllowedValues"].([]any); ok && !slices.Contains(allowed, parameter["Default"]) {
			t.Errorf("%s: the default %v is not allowed", name, parameter["Default"])
		}
	}
}
