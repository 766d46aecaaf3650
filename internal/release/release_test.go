package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"imageferry/internal/release/pack"
	"imageferry/internal/version"
)

// TestSameBytesFromAnotherFolder makes the release twice, the second time in a copy of the project.
func TestSameBytesFromAnotherFolder(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the function twice")
	}
	project, err := module(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copied := copyModule(t, project)
	first, said := release(t, project)
	second, _ := release(t, copied)

	name := "imageferry-" + version.Current
	for _, file := range []string{name + ".zip", name + ".zip.sha256", name + ".cdx.json"} {
		if a, b := read(t, first, file), read(t, second, file); !bytes.Equal(a, b) {
			t.Errorf("%s has %d bytes, and from another folder %d, not the same ones", file, len(a), len(b))
		}
	}
	archive := read(t, first, name+".zip")
	sum := sha256.Sum256(archive)
	if got, want := string(read(t, first, name+".zip.sha256")), hex.EncodeToString(sum[:])+"  "+name+".zip\n"; got != want {
		t.Errorf("the hash is %q, want %q", got, want)
	}
	if !strings.Contains(said, hex.EncodeToString(sum[:])) || !strings.Contains(said, fmt.Sprint(len(archive))) {
		t.Errorf("it said %q", said)
	}
	if len(archive) > pack.MaxBytes {
		t.Errorf("the zip has %d bytes", len(archive))
	}
	checkDocument(t, read(t, first, name+".cdx.json"), hex.EncodeToString(sum[:]))
}

// release makes the release of a project into a new folder.
func release(t *testing.T, project string) (folder, said string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "new")
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/release", "-out", folder)
	cmd.Dir = project
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make the release: %v: %s", err, text)
	}
	return folder, string(text)
}

// copyModule copies what the go command needs to compile the function.
func copyModule(t *testing.T, project string) string {
	t.Helper()
	to := t.TempDir()
	sources, err := fs.Glob(os.DirFS(project), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(sources, "go.mod", "go.sum") {
		content := read(t, project, name)
		if err := os.WriteFile(filepath.Join(to, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"handler", "internal", "policy"} {
		if err := os.CopyFS(filepath.Join(to, name), os.DirFS(filepath.Join(project, name))); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func read(t *testing.T, folder, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checkDocument holds the list of parts against CycloneDX's own schema and against the modules of the function.
func checkDocument(t *testing.T, content []byte, sum string) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if err := cycloneDX(t).Validate(value); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	var document struct {
		Metadata struct {
			Component struct {
				Name, Version string
				Hashes        []struct{ Alg, Content string }
			}
		}
		Components   []struct{ Name, Version, Purl string }
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	product := document.Metadata.Component
	if product.Name != "imageferry" || product.Version != version.Current || len(product.Hashes) != 1 || product.Hashes[0].Content != sum {
		t.Errorf("the document is about %+v", product)
	}
	parts := map[string]string{}
	for _, c := range document.Components {
		parts[c.Name] = c.Purl
	}
	for _, name := range []string{
		"std", "github.com/aliyun/fc-runtime-go-sdk", "github.com/aliyun/alibaba-cloud-sdk-go", "github.com/aliyun/aliyun-oss-go-sdk",
	} {
		if !strings.HasPrefix(parts[name], "pkg:golang/"+name+"@") {
			t.Errorf("%s is %q among the parts", name, parts[name])
		}
	}
	if parts["github.com/santhosh-tekuri/jsonschema/v6"] != "" {
		t.Error("what only tests need is among the parts")
	}
	if len(document.Dependencies) != len(parts)+1 || len(document.Dependencies[0].DependsOn) != len(parts) {
		t.Errorf("%d of %d parts are dependencies", len(document.Dependencies[0].DependsOn), len(parts))
	}
}

// cycloneDX is the schema as the module of the library has it.
func cycloneDX(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	const base = "http://cyclonedx.org/schema/"
	for name, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, filepath.Join(strings.TrimSpace(string(folder)), "schema"), file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(base+name, document); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(base + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestRefusesUnknownFlags(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-no-such-flag"}, &bytes.Buffer{}); err == nil {
		t.Error("no error")
	}
}
