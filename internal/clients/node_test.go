package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asked is the variable that lets npm install the clients: "1" skips the tests where that is impossible, "required" makes
// them fail there.
const asked = "FERRY_TEST_CLIENTS"

// TestNode runs the clients that are written in JavaScript. Each case is a subtest.
func TestNode(t *testing.T) {
	t.Parallel()
	dir := install(t)
	for _, client := range [][]string{{"ali-oss.js"}, {"ecs20140526.js"}, {"pop-core.js", "GET"}, {"pop-core.js", "POST"}, {"sts.js"}} {
		t.Run(strings.ReplaceAll(strings.Join(client, " "), ".js", ""), func(t *testing.T) {
			t.Parallel()
			runCases(t, dir, places(t), client...)
		})
	}
}

// install copies the scripts to a folder of their own and has npm put the clients of the lock file beside them.
func install(t *testing.T) string {
	t.Helper()
	impossible := t.Skipf
	switch os.Getenv(asked) {
	case "":
		t.Skipf("needs node, npm and a network: set %s=1 to run it", asked)
	case "required":
		impossible = t.Fatalf
	}
	npm, err := exec.LookPath("npm")
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err != nil {
		impossible("needs node and npm: %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("node")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		impossible("npm cannot install the clients: %v\n%s", err, output)
	}
	return dir
}

// A caseLine is what node/harness.js prints.
type caseLine struct {
	Name  string `json:"name"`
	Error string `json:"error"`
	Done  int    `json:"done"`
}

// runCases runs a script with the places on its standard input, and makes a subtest of each line that it prints.
func runCases(t *testing.T, dir string, all map[string]*place, script ...string) {
	t.Helper()
	scene, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// Its own environment: no proxy, no credentials and no configuration of this machine's user reach the clients.
	cmd := exec.CommandContext(ctx, "node", script...) // #nosec G204 -- the scripts of this folder
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(scene)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	var said bytes.Buffer
	cmd.Stderr = &said
	output, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: %v\n%s", filepath.Join(script...), err, said.Bytes())
	}
	cases, announced := 0, 0
	for lines := json.NewDecoder(bytes.NewReader(output)); lines.More(); {
		var line caseLine
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("read cases: %v\n%s", err, said.Bytes())
		}
		if announced = line.Done; line.Name == "" {
			continue
		}
		cases++
		t.Run(line.Name, func(t *testing.T) {
			if line.Error != "" {
				t.Error(line.Error)
			}
		})
	}
	if cases == 0 || cases != announced {
		t.Errorf("ran %d cases of %d\n%s", cases, announced, said.Bytes())
	}
	t.Logf("%d cases, %d calls", cases, calls(all))
}

// calls counts what reached the places.
func calls(all map[string]*place) int {
	n := 0
	for _, p := range all {
		n += len(p.cloud.Tap.Calls())
	}
	return n
}

// TestLock keeps the lock file free of the place that somebody installed from: npm then uses the one that is configured.
func TestLock(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("node", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			Version, Resolved, Integrity string
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" || name != "" && (p.Version == "" || p.Integrity == "") {
			t.Errorf("%s: version %q, resolved %q, integrity %q", name, p.Version, p.Resolved, p.Integrity)
		}
	}
	if len(lock.Packages) < 2 {
		t.Error("no packages")
	}
}
