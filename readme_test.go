package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"imageferry/handler/page"
	"imageferry/internal/config"
)

var update = flag.Bool("update", false, "write the generated tables of the documents anew")

// The README exists in two languages, which say the same.
const (
	english = "README.md"
	chinese = "README.zh-CN.md"
)

// TestREADME keeps the tables of variables what the program does.
func TestREADME(t *testing.T) {
	t.Parallel()
	for path, table := range map[string]string{english: variables(t), chinese: chineseVariables(t)} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		block := regexp.MustCompile(`(?s)<!-- variables -->\n.*?<!-- end -->`)
		if !block.Match(data) {
			t.Fatalf("%s has no block variables", path)
		}
		want := block.ReplaceAllLiteralString(string(data), "<!-- variables -->\n"+table+"<!-- end -->")
		if want == string(data) {
			continue
		}
		if !*update {
			t.Errorf("%s is not what the program does: go test . -run README -update", path)
			continue
		}
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// variables is the table of variables; what they mean is said by the comments of the configuration.
func variables(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("internal/config/config.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| variable | default | meaning | allowed |\n|---|---|---|---|\n")
	for _, v := range config.Variables() {
		comment := regexp.MustCompile(`((?:\t// .*\n)+)\t\w+ +[\w.]+ +` + "`env:\"" + v.Name + `"`).FindStringSubmatch(string(source))
		if comment == nil {
			t.Fatalf("%s has no comment", v.Name)
		}
		meaning := strings.TrimSpace(strings.ReplaceAll(comment[1], "\t// ", " "))
		_, meaning, _ = strings.Cut(strings.Join(strings.Fields(meaning), " "), " ")
		meaning = strings.TrimPrefix(meaning, "is ")
		meaning = strings.ToUpper(meaning[:1]) + meaning[1:]
		writeVariable(&b, v, meaning, v.Allowed)
	}
	return b.String()
}

// writeVariable writes a row of the table.
func writeVariable(b *strings.Builder, v config.Variable, meaning, allowed string) {
	fallback := v.Default
	if fallback != "" {
		fallback = "`" + fallback + "`"
	}
	cell := strings.NewReplacer("|", `\|`)
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", v.Name, fallback, cell.Replace(meaning), cell.Replace(allowed))
}

// TestREADMEsSayTheSame compares what both languages share: the levels of the headings, the code, and where links lead.
func TestREADMEsSayTheSame(t *testing.T) {
	t.Parallel()
	en, zh := readDocument(t, english), readDocument(t, chinese)
	for i := range max(len(en.headings()), len(zh.headings())) {
		if i >= len(en.headings()) || i >= len(zh.headings()) {
			t.Fatalf("%d headings in %s, %d in %s", len(en.headings()), english, len(zh.headings()), chinese)
		}
		this, that := en.headings()[i], zh.headings()[i]
		if strings.Count(this, "#") != strings.Count(that, "#") {
			t.Errorf("%q stands where %q does", that, this)
		}
	}
	if len(en.blocks) != len(zh.blocks) {
		t.Fatalf("%d blocks of code in %s, %d in %s", len(en.blocks), english, len(zh.blocks), chinese)
	}
	remark := regexp.MustCompile(`(?m) +# .*$`)
	for i := range en.blocks {
		if this, that := remark.ReplaceAllString(en.blocks[i].text, ""), remark.ReplaceAllString(zh.blocks[i].text, ""); this != that {
			t.Errorf("%s\nstands where\n%s", that, this)
		}
	}
	if this, that := places(en), places(zh); !slices.Equal(this, that) {
		t.Errorf("%s links to\n%s\n%s to\n%s", english, this, chinese, that)
	}
}

// places are where a README leads, but for the other language.
func places(d document) []string {
	all := slices.DeleteFunc(d.links(), func(link string) bool { return link == english || link == chinese })
	slices.Sort(all)
	return all
}

// TestREADMENamesEveryRequest compares the requests in the README with the routes of the function.
func TestREADMENamesEveryRequest(t *testing.T) {
	t.Parallel()
	served := slices.Collect(maps.Keys(page.New(page.Options{AllowActions: true}).Routes(page.Backend{})))
	source, err := os.ReadFile("handler/http.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t+(?:mux\.HandleFunc\()?"((?:GET|POST) /[^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		served = append(served, m[1])
	}
	served = append(served, "GET /healthz")
	for i, route := range served {
		served[i] = strings.TrimSuffix(route, "{$}")
	}
	var told []string
	for _, m := range regexp.MustCompile("`((?:GET|POST) /[^`?\\s]*)").FindAllStringSubmatch(readDocument(t, english).prose, -1) {
		told = append(told, m[1])
	}
	slices.Sort(served)
	slices.Sort(told)
	if told = slices.Compact(told); !slices.Equal(told, served) {
		t.Errorf("%s tells of\n%q\nand there are\n%q", english, told, served)
	}
}

// TestREADMENamesEveryPolicy finds each document of policy/ in the README.
func TestREADMENamesEveryPolicy(t *testing.T) {
	t.Parallel()
	policies, err := filepath.Glob("policy/*.json")
	if err != nil || len(policies) == 0 {
		t.Fatalf("no policies: %v", err)
	}
	links := readDocument(t, english).links()
	for _, policy := range policies {
		if !slices.Contains(links, filepath.ToSlash(policy)) {
			t.Errorf("%s does not link to %s", english, policy)
		}
	}
}
