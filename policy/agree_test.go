package policy_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/config"
	"imageferry/internal/localcloud"
	"imageferry/internal/version"
)

// TestSYAMLDeploysTheRelease: what the release makes is what is deployed, by both files.
func TestSYAMLDeploysTheRelease(t *testing.T) {
	t.Parallel()
	props, _ := specProps(t)
	name := "imageferry-" + version.Current + ".zip"
	if got, want := props["code"], "./target/"+name; got != want {
		t.Errorf("s.yaml deploys %v, the release is %s", got, want)
	}
	actions := readYAML(t, "s.yaml")["resources"].(object)["imageferry"].(object)["actions"]
	equal(t, "actions", actions, object{"pre-deploy": []any{object{"run": "go run ./internal/release", "path": "./"}}})
	if got := newStack(t).parameters["CodeObject"].(object)["Default"]; got != name {
		t.Errorf("template.yml deploys %v, the release is %s", got, name)
	}
}

// TestEveryVariableOfSYAMLIsUsedAndAParameter: both files let one choose the same things, with the same defaults. The region
// is where a ROS stack is made, and the buckets have to be said.
func TestEveryVariableOfSYAMLIsUsedAndAParameter(t *testing.T) {
	t.Parallel()
	_, variables := specProps(t)
	document, err := json.Marshal(readYAML(t, "s.yaml")["resources"])
	if err != nil {
		t.Fatal(err)
	}
	parameters := newStack(t).parameters
	for name, value := range variables {
		if !strings.Contains(string(document), "${vars."+name+"}") {
			t.Errorf("s.yaml does not use its variable %s", name)
		}
		if name == "region" {
			continue
		}
		parameter, ok := parameters[strings.ToUpper(name[:1])+name[1:]].(object)
		if !ok {
			t.Errorf("template.yml has no parameter for %s", name)
			continue
		}
		if standard := parameter["Default"]; standard != nil && standard != value {
			t.Errorf("%s is %v in s.yaml and %v in template.yml", name, value, standard)
		}
	}
}

// TestEnvironmentIsOfTheConfiguration: every variable that is deployed is one that the function reads, and each value is
// valid. That template.yml has the same ones is another test's.
func TestEnvironmentIsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	props, _ := specProps(t)
	known := map[string]bool{}
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	environment := map[string]string{}
	for name, value := range props["environmentVariables"].(object) {
		if !known[name] {
			t.Errorf("the function does not read %s", name)
		}
		environment[name] = value.(string)
	}
	c, err := config.Parse(environment)
	if err != nil {
		t.Fatal(err)
	}
	if c.ExportRole != localcloud.ExportRole {
		t.Errorf("the export role is %s, and ECS takes %s alone", c.ExportRole, localcloud.ExportRole)
	}
}

// TestParametersAllowWhatTheConfigurationDoes: the pattern of a parameter refuses, before anything is made, what the function
// would refuse afterwards, and nothing else.
func TestParametersAllowWhatTheConfigurationDoes(t *testing.T) {
	t.Parallel()
	parameters := newStack(t).parameters
	for _, c := range []struct {
		parameter, variable string
		values              []string
	}{
		{"Bucket", "FERRY_BUCKET", []string{"abc", "ab", "golden-images", "-golden", "golden-", "Golden", "a_b", "a.b", strings.Repeat("a", 63), strings.Repeat("a", 64)}},
		{"ManifestBucket", "FERRY_MANIFEST_BUCKET", []string{"abc", "ab", "golden-images", "-golden", "golden-", "Golden", strings.Repeat("a", 64)}},
		{"Prefix", "FERRY_PREFIX", []string{"images", "A1", "a/b", "a-b", "a_b", strings.Repeat("a", 30), strings.Repeat("a", 31)}},
		{"ManifestPrefix", "FERRY_MANIFEST_PREFIX", []string{"imageferry/", "a/b/", "a", "/a/", "a//", "a b/", "a.b-c_d/", strings.Repeat("a", 99) + "/", strings.Repeat("a", 100) + "/"}},
		{"Restore", "FERRY_RESTORE", []string{"true", "false", "maybe"}},
		{"LogLevel", "FERRY_LOG_LEVEL", []string{"debug", "info", "warn", "error", "trace", "loud"}},
	} {
		parameter := parameters[c.parameter].(object)
		for _, value := range c.values {
			environment := map[string]string{"FERRY_BUCKET": "golden-images"}
			environment[c.variable] = value
			_, err := config.Parse(environment)
			if allowed := allows(t, parameter, value); allowed != (err == nil) {
				t.Errorf("%s %q: template.yml allows it %v, the function says %v", c.parameter, value, allowed, err)
			}
		}
	}
}

// TestTimeouts: the template lets one choose what Function Compute allows, and no less than a tick needs.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	parameter := newStack(t).parameters["Timeout"].(object)
	if parameter["Type"] != "Number" || parameter["MinValue"] != 60.0 || parameter["MaxValue"] != 86400.0 {
		t.Errorf("template.yml has %v", parameter)
	}
	if props, _ := specProps(t); props["timeout"] != 300.0 {
		t.Errorf("s.yaml has %v", props["timeout"])
	}
}

func allows(t *testing.T, parameter object, value string) bool {
	t.Helper()
	if pattern, ok := parameter["AllowedPattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value) {
		return false
	}
	if longest, ok := parameter["MaxLength"].(float64); ok && len(value) > int(longest) {
		return false
	}
	list, ok := parameter["AllowedValues"].([]any)
	return !ok || slices.Contains(list, any(value))
}
