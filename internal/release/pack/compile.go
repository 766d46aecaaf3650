// Package pack makes the code package of the function: its binary, compiled the one way in which it is compiled for
// releases, deployments and tests, and the zip around it.
package pack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Handler is the name of the binary, at the root of the zip: the handler of a function of the runtime go1.
const Handler = "main"

// A Target is the kind of machine that a binary is for, in Go's words.
type Target struct{ OS, Arch string }

// FunctionCompute is what the runtime go1 runs on.
var FunctionCompute = Target{OS: "linux", Arch: "amd64"}

// flags make the binary small, and the same wherever and whenever it is compiled.
//   - all=-l: without inlining it is a sixth smaller. The function waits for the network most of its time.
//   - nethttpomithttp2: the function's transport has its own dialer, with which net/http does not speak HTTP/2 anyway.
//   - -trimpath and -buildvcs=false: neither the folder nor the state of the repository is in it.
//   - -s -w: no symbol table. Stack traces do not need one.
var flags = []string{
	"-trimpath", "-buildvcs=false", "-mod=readonly", "-tags=nethttpomithttp2", "-gcflags=all=-l", "-ldflags=-s -w -buildid=",
}

// Compile compiles the function of the module in the folder project into the file out. It needs the Go toolchain. What the
// environment says about building does not count, other than where Go finds its tools, modules and cache.
func Compile(ctx context.Context, project, out string, target Target) error {
	args := append(append([]string{"build"}, flags...), "-o", out, ".")
	cmd := exec.CommandContext(ctx, "go", args...) // #nosec G204 -- the toolchain, with a path that the caller chose
	cmd.Dir = project
	cmd.Env = environment(os.Environ(), target)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the function: %w: %s", err, text)
	}
	return nil
}

// environment is that of the caller without what changes the binary.
func environment(own []string, target Target) []string {
	env := make([]string, 0, len(own))
	for _, variable := range own {
		if name, _, _ := strings.Cut(variable, "="); !strings.HasPrefix(name, "CGO_") {
			env = append(env, variable)
		}
	}
	return append(env, "CGO_ENABLED=0", "GOOS="+target.OS, "GOARCH="+target.Arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOFIPS140=off")
}
