package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"imageferry/internal/config"
)

// A document is a page of documentation, in Markdown.
type document struct {
	path, text string
	blocks     []codeBlock
	prose      string // without the blocks
}

// A codeBlock is what stands between fences.
type codeBlock struct{ language, text string }

var fence = regexp.MustCompile("(?ms)^[ ]*```(\\w*)\n(.*?)^[ ]*```$")

// documents are all pages of the repository.
func documents(t *testing.T) []document {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []document
	for _, path := range append(paths, more...) {
		all = append(all, readDocument(t, path))
	}
	return all
}

func readDocument(t *testing.T, path string) document {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := document{path: path, text: string(data), prose: fence.ReplaceAllString(string(data), "")}
	for _, m := range fence.FindAllStringSubmatch(d.text, -1) {
		d.blocks = append(d.blocks, codeBlock{m[1], m[2]})
	}
	return d
}

// headings are the lines such as "## Try it".
func (d document) headings() []string {
	return regexp.MustCompile(`(?m)^#+ .+$`).FindAllString(d.prose, -1)
}

// links are the targets of links and pictures within the repository.
func (d document) links() []string {
	var all []string
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(d.prose, -1) {
		if !strings.Contains(m[1], ":") {
			all = append(all, m[1])
		}
	}
	return all
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(strings.TrimLeft(heading, "#")))
}

// TestLinks follows every link within the repository to its file, and to its heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, d := range documents(t) {
		for _, link := range d.links() {
			path, fragment, _ := strings.Cut(link, "#")
			to := d
			if path != "" {
				file := filepath.Join(filepath.Dir(d.path), path)
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s links to %s, which there is not", d.path, link)
					continue
				}
				if fragment != "" {
					to = readDocument(t, file)
				}
			}
			known := slices.ContainsFunc(to.headings(), func(h string) bool { return anchor(h) == fragment })
			if fragment != "" && !known {
				t.Errorf("%s links to %s, a heading that there is not", d.path, link)
			}
		}
	}
}

// TestVariables finds no variable in the documents that the program does not know.
func TestVariables(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"FERRY_TEST_CLIENTS": true} // of internal/clients
	for _, v := range config.Variables() {
		known[v.Name] = true
	}
	for _, d := range documents(t) {
		for _, name := range regexp.MustCompile(`\bFERRY_[A-Z_]*[A-Z]\b`).FindAllString(d.text, -1) {
			if !known[name] {
				t.Errorf("%s names %s, which there is not", d.path, name)
			}
		}
	}
}

// TestMetrics finds no metric in the documents that the program does not print, and all others in docs/monitoring.md.
func TestMetrics(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("internal/metrics/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\bimageferry_[a-z_]+`)
	printed := name.FindAllString(string(data), -1)
	for _, d := range documents(t) {
		for _, n := range name.FindAllString(d.text, -1) {
			if !slices.Contains(printed, n) {
				t.Errorf("%s names %s, which there is not", d.path, n)
			}
		}
		for _, n := range printed {
			if d.path == "docs/monitoring.md" && !strings.Contains(d.text, n) {
				t.Errorf("%s does not name %s", d.path, n)
			}
		}
	}
}

// TestCommands finds no command or flag in the documents that imageferry does not have, and all of them in docs/cli.md or,
// where that leads to it, in docs/restore.md.
func TestCommands(t *testing.T) {
	t.Parallel()
	known := commandLine(t)
	flags := map[string]bool{}
	for _, some := range known {
		maps.Copy(flags, some)
	}
	var reference string
	for _, d := range documents(t) {
		if d.path == "docs/cli.md" || d.path == "docs/restore.md" {
			reference += d.text
		}
		for _, line := range d.commands() {
			if err := understood(line, known); err != nil {
				t.Errorf("%s: %v", d.path, err)
			}
		}
		for _, flag := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(d.prose, -1) {
			if !flags[flag[1]] {
				t.Errorf("%s names %s, which there is not", d.path, flag[1])
			}
		}
	}
	for name, some := range known {
		if !regexp.MustCompile(`(?m)\bimageferry ` + name + `\b`).MatchString(reference) {
			t.Errorf("docs/cli.md does not tell of imageferry %s", name)
		}
		for flag := range some {
			if !regexp.MustCompile(flag + `\b`).MatchString(reference) {
				t.Errorf("docs/cli.md does not tell of imageferry %s %s", name, flag)
			}
		}
	}
}

// commandLine asks the real program for its commands, and for the flags of each.
func commandLine(t *testing.T) map[string]map[string]bool {
	t.Helper()
	program := filepath.Join(t.TempDir(), "imageferry")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/imageferry").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	help := func(args ...string) string {
		output, err := exec.CommandContext(t.Context(), program, append(args, "--help")...).Output()
		if err != nil {
			t.Fatalf("imageferry %s --help: %v", strings.Join(args, " "), err)
		}
		return string(output)
	}
	_, list, _ := strings.Cut(help(), "\nCommands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	known := map[string]map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+) `).FindAllStringSubmatch(list, -1) {
		if m[1] == "help" {
			continue
		}
		known[m[1]] = map[string]bool{"--help": true}
		for _, flag := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(help(m[1]), -1) {
			known[m[1]][flag[1]] = true
		}
	}
	if len(known) < 10 {
		t.Fatalf("the help lists %d commands", len(known))
	}
	return known
}

// commands are the lines that call imageferry: of scripts, after a prompt, and in prose.
func (d document) commands() []string {
	var lines []string
	for _, b := range d.blocks {
		for line := range strings.Lines(strings.ReplaceAll(b.text, "\\\n", " ")) {
			line, prompt := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if prompt || b.language == "sh" {
				lines = append(lines, line)
			}
		}
	}
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(d.prose, -1) {
		lines = append(lines, m[1])
	}
	var ours []string
	for _, line := range lines {
		for _, piece := range regexp.MustCompile(`\||&&|;|\$\(`).Split(line, -1) {
			m := regexp.MustCompile(`^(?:\w+=\S+ )*(?:xargs )?(?:\./|go run \./cmd/)?imageferry (.+)$`).FindStringSubmatch(strings.TrimSpace(piece))
			if m != nil {
				ours = append(ours, m[1])
			}
		}
	}
	return ours
}

// understood tells what imageferry would not understand of its arguments.
func understood(line string, known map[string]map[string]bool) error {
	words := strings.Fields(line)
	if !regexp.MustCompile(`^[a-z]+$`).MatchString(words[0]) {
		return nil // a version, or an ellipsis
	}
	flags, ok := known[words[0]]
	if !ok {
		return fmt.Errorf("there is no command imageferry %s", words[0])
	}
	for _, word := range words[1:] {
		flag, _, _ := strings.Cut(strings.TrimRight(word, "[]().,"), "=")
		if strings.HasPrefix(flag, "--") && !flags[flag] {
			return fmt.Errorf("imageferry %s has no flag %s", words[0], flag)
		}
	}
	return nil
}
