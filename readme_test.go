package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"imageferry/handler"
	"imageferry/internal/config"
	"imageferry/internal/export"
)

var update = flag.Bool("update", false, "write the tables of README.md anew")

// TestREADME keeps the tables of README.md what the program does.
func TestREADME(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, table := range map[string]string{"variables": variables(t), "reasons": reasons(), "ignored": ignored()} {
		block := regexp.MustCompile(`(?s)<!-- ` + name + ` -->\n.*?<!-- end -->`)
		if !block.MatchString(want) {
			t.Fatalf("README.md has no block %s", name)
		}
		want = block.ReplaceAllLiteralString(want, "<!-- "+name+" -->\n"+table+"<!-- end -->")
	}
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("README.md is not what the program does: go test . -run README -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

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
		fallback := v.Default
		if fallback != "" {
			fallback = "`" + fallback + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, fallback, meaning, cell(v.Allowed))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func reasons() string {
	classes := map[export.Class]string{
		export.Skip: "skip", export.Wait: "wait", export.Retry: "retry", export.Fail: "fail", export.Shared: "shared",
		export.Quota: "quota", export.Stop: "stop", export.Note: "",
	}
	var b strings.Builder
	b.WriteString("| reason | | what to do |\n|---|---|---|\n")
	for _, r := range export.Reasons() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Code, classes[r.Class], cell(r.Remedy))
	}
	return b.String()
}

func ignored() string {
	remedies := handler.Reasons()
	var b strings.Builder
	b.WriteString("| reason | what to do |\n|---|---|\n")
	for _, code := range slices.SortedFunc(maps.Keys(remedies), cmp.Compare) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", code, cell(remedies[code]))
	}
	return b.String()
}
