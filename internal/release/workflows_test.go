package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// pinned is an action at a commit, with the release that the commit is.
var pinned = regexp.MustCompile(`^\s*(- )?uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9]+\.[0-9]+\.[0-9]+$`)

// TestWorkflowsMayReadOnly: what runs on every push and pull request may do nothing but read, and no action can be changed
// behind its name.
func TestWorkflowsMayReadOnly(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", ".github", "workflows", "*.yml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the workflows are %v: %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s: %q is not pinned to a commit with its release", file, line)
			}
			if strings.Contains(line, "pull_request_target") {
				t.Errorf("%s runs foreign code with the project's rights", file)
			}
		}
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Permissions map[string]string
				Steps       []struct {
					Uses string
					With map[string]any
				}
			}
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(workflow.Permissions) != 1 || workflow.Permissions["contents"] != "read" {
			t.Errorf("%s may %v", file, workflow.Permissions)
		}
		for name, job := range workflow.Jobs {
			publishes := filepath.Base(file) == "release.yml" && name == "publish"
			if len(job.Permissions) > 0 != publishes {
				t.Errorf("%s: the job %s may %v", file, name, job.Permissions)
			}
			for _, step := range job.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: the job %s leaves the token in its clone", file, name)
				}
			}
		}
	}
}
