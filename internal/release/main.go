// Release makes what is deployed and published of the function: go run ./internal/release
//
// It compiles the function for Function Compute and writes into target/
//
//	imageferry-<version>.zip         the code package, which s.yaml and template.yml name
//	imageferry-<version>.zip.sha256  its hash, as sha256sum --check reads it
//	imageferry-<version>.cdx.json    what it is made of, in CycloneDX
//
// The same source and the same Go make the same bytes, on every machine and in every folder.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"imageferry/internal/release/pack"
	"imageferry/internal/release/sbom"
	"imageferry/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	out := flags.String("out", "target", "the `folder` to write into, from the project's")
	if err := flags.Parse(args); err != nil {
		return err
	}
	project, err := module(ctx)
	if err != nil {
		return err
	}
	folder := *out
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(project, folder)
	}
	files, err := build(ctx, project)
	if err != nil {
		return err
	}
	return write(folder, files, stdout)
}

// module is the folder of the module that this runs in.
func module(ctx context.Context) (string, error) {
	text, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the project: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(text))), nil
}

// A file is one thing that a release consists of.
type file struct {
	name    string
	content []byte
}

// build makes the files of a release of the project.
func build(ctx context.Context, project string) ([]file, error) {
	scratch, err := os.MkdirTemp("", "imageferry-release-")
	if err != nil {
		return nil, fmt.Errorf("build the release: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	path := filepath.Join(scratch, pack.Handler)
	if err := pack.Compile(ctx, project, path, pack.FunctionCompute); err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(path) // #nosec G304 -- what was just compiled
	if err != nil {
		return nil, fmt.Errorf("build the release: %w", err)
	}
	name := "imageferry-" + version.Current
	archive, err := pack.Zip(binary)
	if err != nil {
		return nil, err
	}
	document, err := sbom.Document(sbom.Product{
		Name: "imageferry", Version: version.Current, Licence: "Apache-2.0", Artefact: name + ".zip", Content: archive,
	}, binary)
	if err != nil {
		return nil, err
	}
	return []file{
		{name + ".zip", archive},
		{name + ".zip.sha256", fmt.Appendf(nil, "%x  %s.zip\n", sha256.Sum256(archive), name)},
		{name + ".cdx.json", document},
	}, nil
}

// write puts the files into the folder and says what it has written.
func write(folder string, files []file, stdout io.Writer) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("write the release: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(folder, f.name)
		if err := os.WriteFile(path, f.content, 0o600); err != nil {
			return fmt.Errorf("write the release: %w", err)
		}
		if _, err := fmt.Fprintf(stdout, "%x  %8d bytes  %s\n", sha256.Sum256(f.content), len(f.content), path); err != nil {
			return fmt.Errorf("write the release: %w", err)
		}
	}
	return nil
}
