package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"imageferry/internal/localcloud"
	"imageferry/internal/release/pack"
)

// A lab is what all benchmarks need.
type lab struct {
	project string // the folder of the module
	scratch string // for what is compiled
	// quick makes everything so small that it only shows that it works.
	quick bool
	log   io.Writer
	built map[string]string
}

// The functions that are measured, as folders of the project.
const (
	ferry = "."
	noop  = "internal/bench/noop"
	loop  = "internal/bench/loop"
)

func newLab(quick bool, log io.Writer) (*lab, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find project: %w", err)
	}
	project, err := localcloud.FindProject(here)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "imageferry-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for what is compiled: %w", err)
	}
	return &lab{project: project, scratch: scratch, quick: quick, log: log, built: map[string]string{}}, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.scratch) }

// pick is the first value, or the second one in a quick run.
func pick[T any](l *lab, full, quick T) T {
	if l.quick {
		return quick
	}
	return full
}

// say tells what is being done now.
func (l *lab) say(format string, args ...any) {
	_, _ = fmt.Fprintf(l.log, format+"\n", args...)
}

// binary compiles a function as a release does, once. A quick run compiles it with the flags of the tests, which is in Go's
// cache as a rule.
func (l *lab) binary(ctx context.Context, folder string) (string, error) {
	if path, ok := l.built[folder]; ok {
		return path, nil
	}
	path := filepath.Join(l.scratch, strings.ReplaceAll(folder, "/", "-"), pack.Handler)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("compile %s: %w", folder, err)
	}
	from := filepath.Join(l.project, folder)
	if l.quick {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".") // #nosec G204 -- the toolchain
		cmd.Dir = from
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("compile %s: %w: %s", folder, err, text)
		}
	} else {
		l.say("compiling %s as for a release", folder)
		if err := pack.Compile(ctx, from, path, pack.FunctionCompute); err != nil {
			return "", fmt.Errorf("%s: %w", folder, err)
		}
	}
	l.built[folder] = path
	return path, nil
}

// sizes are those of a function's binary and of its code package, in bytes.
func (l *lab) sizes(ctx context.Context, folder string) (binary, archive float64, err error) {
	path, err := l.binary(ctx, folder)
	if err != nil {
		return 0, 0, err
	}
	data, err := os.ReadFile(path) // #nosec G304 -- what was just compiled
	if err != nil {
		return 0, 0, fmt.Errorf("measure %s: %w", folder, err)
	}
	zip, err := pack.Zip(data)
	var tooLarge *pack.TooLargeError
	if errors.As(err, &tooLarge) {
		return float64(len(data)), float64(tooLarge.Bytes), nil
	}
	return float64(len(data)), float64(len(zip)), err
}

// milliseconds is a duration as figures have it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
