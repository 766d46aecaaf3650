package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"imageferry/internal/version"
	"imageferry/policy"
)

// fenced matches a block of a document that is to be typed.
var fenced = regexp.MustCompile("(?s)```sh\n(.*?)```")

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDeployGuideHasTenSteps, each of which says what one should see.
func TestDeployGuideHasTenSteps(t *testing.T) {
	t.Parallel()
	steps := strings.Split(document(t, filepath.Join("docs", "deploy.md")), "\n## ")[1:]
	numbered := 0
	for _, step := range steps {
		title, _, _ := strings.Cut(step, "\n")
		if strings.HasPrefix(title, fmt.Sprintf("%d. ", numbered+1)) {
			numbered++
		}
		if !strings.Contains(step, "ou should see") {
			t.Errorf("%q does not say what one should see", title)
		}
	}
	if numbered == 0 || numbered > 10 {
		t.Errorf("%d steps", numbered)
	}
}

// TestDocumentsNameTheRelease: what is to be typed has the current version and the names of s.yaml and the roles.
func TestDocumentsNameTheRelease(t *testing.T) {
	t.Parallel()
	props, variables := specProps(t)
	guide := document(t, filepath.Join("docs", "deploy.md"))
	for _, name := range []string{
		"imageferry-" + version.Current + ".zip", "--RoleName " + fmt.Sprint(props["role"]), fmt.Sprint(variables["failureQueue"]),
	} {
		if !strings.Contains(guide, name) {
			t.Errorf("the guide does not name %s", name)
		}
	}
	for _, trigger := range props["triggers"].([]any) {
		if name := fmt.Sprint(trigger.(object)["triggerName"]); !strings.Contains(guide, "`"+name+"`") {
			t.Errorf("the guide does not name the trigger %s", name)
		}
	}
	s := newStack(t)
	for name, parameter := range s.parameters {
		if parameter.(object)["Default"] == nil && !strings.Contains(guide, "ParameterKey "+name+" ") {
			t.Errorf("the guide's stack has no value for %s", name)
		}
	}
}

// TestDeployGuideFillsInThePolicies types step 5 and compares its files with what the program makes of the templates.
func TestDeployGuideFillsInThePolicies(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	var block string
	for _, match := range fenced.FindAllStringSubmatch(document(t, filepath.Join("docs", "deploy.md")), -1) {
		if strings.Contains(match[1], "sed ") {
			block = match[1]
		}
	}
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "policy"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, "-euc", block)
	cmd.Dir = folder
	said, err := cmd.CombinedOutput()
	if err != nil || strings.TrimSpace(string(said)) != "every name is filled in" {
		t.Fatalf("it said %q: %v", said, err)
	}
	names := policy.Vars{
		Region: "cn-hangzhou", AccountID: "1234567890123456", Bucket: "my-exports", ManifestBucket: "my-exports",
		ManifestPrefix: "imageferry/", FailureQueue: "imageferry-failed",
	}
	for _, name := range []string{policy.FunctionTrust, policy.FunctionPermissions, policy.ExportTrust, policy.ExportPermissions} {
		want, err := policy.Render(name, names)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(folder, "target", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is %s: %v", name, got, err)
		}
	}
}
