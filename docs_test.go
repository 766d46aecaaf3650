package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"imageferry/handler"
	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/restore"
)

const reasonsPage = "docs/reasons.md"

// A chapter is a part of the reasons page: what its reasons have in common, and where they are seen. An empty find leaves that
// to each entry.
type chapter struct{ title, class, find string }

const (
	findExport = "`imageferry list --reason CODE`, then `imageferry show IMAGE`"
	findHold   = findExport + "; what holds everything, `imageferry doctor` says under `hold`"
)

const findRestore = "`imageferry list --restores`"

// restoreClasses are what the classes mean for a restore.
func restoreClasses() map[restore.Class]string {
	return map[restore.Class]string{
		restore.Note: "note: nothing is recorded", restore.Fail: "fail: the restore is `failed`",
		restore.Wait:   "wait: the restore is `queued`, or `cleaning`, for as long as it takes",
		restore.Repair: "repair: the restore is `queued` until somebody has repaired it", restore.Stop: "stop: the restore is `cancelled`",
	}
}

// chapters are those of the page, in their order.
func chapters() []chapter {
	return []chapter{
		{"Skipped", "skip: the export is `skipped`, for good", findExport},
		{"Failed", "fail: the export is `failed`, at once", findExport},
		{"Retried", "retry: the export is `queued`, and `failed` after `FERRY_MAX_ATTEMPTS` failures", findExport},
		{"Waiting", "wait: the export is `queued`, for as long as it takes", findExport},
		{"Held", "shared: the export is `queued`, and every other one is held", findHold},
		{"Held by a limit", "quota: the export is `queued`, and every other one is held, the oldest first in line", findHold},
		{"Cancelled", "stop: the export is `cancelled`", findExport},
		{"Noted", "note: nothing is recorded", ""},
		{"Ignored events", "", "in the function's log: `\"msg\":\"ignored\"` with `\"reason\":\"CODE\"`"},
		{"Refused requests", "", "`reason` in the answer is `CODE`"},
		{"Restores not begun", restoreClasses()[restore.Note], "in the answer, or after `problem:` in the output of `imageferry restore`"},
		{"Restores that failed", restoreClasses()[restore.Fail], findRestore},
		{"Restores that wait", restoreClasses()[restore.Wait], findRestore},
		{"Restores to be repaired", restoreClasses()[restore.Repair], findRestore},
		{"Cancelled restores", restoreClasses()[restore.Stop], findRestore},
	}
}

// A reasonEntry is what the page has to say of a reason, and the chapters that it may stand in.
type reasonEntry struct {
	code, remedy string
	chapters     []string
	answers      []string // of ECS and OSS, to an export
	imports      []string // of ECS and OSS, to a restore
	restore      string   // what a reason of exports means for a restore, if it is one of restores, too
}

// reasonEntries are those of all tables of reasons. A package with a table of its own adds it here; a code of two tables has
// one entry.
func reasonEntries(t *testing.T) map[string]reasonEntry {
	t.Helper()
	of := map[export.Class]string{
		export.Skip: "Skipped", export.Fail: "Failed", export.Retry: "Retried", export.Wait: "Waiting", export.Shared: "Held",
		export.Quota: "Held by a limit", export.Stop: "Cancelled", export.Note: "Noted",
	}
	all := map[string]reasonEntry{}
	add := func(e reasonEntry) {
		if old, ok := all[e.code]; ok && old.remedy != e.remedy {
			t.Errorf("%s has two remedies: %q and %q", e.code, old.remedy, e.remedy)
		}
		all[e.code] = e
	}
	answers := answersOf(t, "internal/export")
	for _, r := range export.Reasons() {
		add(reasonEntry{code: r.Code, remedy: r.Remedy, chapters: []string{of[r.Class]}, answers: answers[r.Code]})
	}
	addRestores(all, answersOf(t, "internal/restore"))
	for code, remedy := range page.Reasons() {
		add(reasonEntry{code: code, remedy: remedy, chapters: []string{"Refused requests"}})
	}
	for code, remedy := range handler.Reasons() {
		add(reasonEntry{code: code, remedy: remedy, chapters: []string{"Ignored events", "Refused requests"}})
	}
	return all
}

// addRestores adds the reasons of restores, with the error codes that mean them. Those that exports have, too, keep their entry.
func addRestores(all map[string]reasonEntry, imports map[string][]string) {
	of := map[restore.Class]string{
		restore.Note: "Restores not begun", restore.Fail: "Restores that failed", restore.Wait: "Restores that wait",
		restore.Repair: "Restores to be repaired", restore.Stop: "Cancelled restores",
	}
	for _, r := range restore.Reasons() {
		if shared, ok := all[r.Code]; ok {
			shared.restore = restoreClasses()[r.Class] + ". " + r.Remedy
			shared.imports = imports[r.Code]
			all[r.Code] = shared
			continue
		}
		all[r.Code] = reasonEntry{code: r.Code, remedy: r.Remedy, chapters: []string{of[r.Class]}, imports: imports[r.Code]}
	}
}

var (
	chapterLine = regexp.MustCompile(`(?m)^## (.+)$`)
	entryLine   = regexp.MustCompile("(?m)^### `(.+)`$")
	factsBlock  = regexp.MustCompile(`(?s)<!-- facts -->\n.*?<!-- end -->`)
)

// TestReasonsPage keeps docs/reasons.md complete, and its tables what the program does.
func TestReasonsPage(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(reasonsPage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	entries := reasonEntries(t)
	placed := checkPage(t, text, entries)
	if t.Failed() {
		return
	}
	want := replaceBlock(t, text, "contents", contents(placed))
	want = replaceBlock(t, want, "answers", answerIndex(entries))
	starts := entryLine.FindAllStringSubmatchIndex(want, -1)
	for i, at := range slices.Backward(starts) {
		code, end := want[at[2]:at[3]], len(want)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		body := factsBlock.ReplaceAllLiteralString(want[at[0]:end], "<!-- facts -->\n"+facts(entries[code], placed)+"<!-- end -->")
		want = want[:at[0]] + body + want[end:]
	}
	if want == text {
		return
	}
	if !*update {
		t.Fatal(reasonsPage + " is not what the program does: go test . -run ReasonsPage -update")
	}
	if err := os.WriteFile(reasonsPage, []byte(want), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkPage compares the entries of the page with the program's, and returns the codes of each chapter.
func checkPage(t *testing.T, text string, entries map[string]reasonEntry) map[string][]string {
	t.Helper()
	var titles []string
	placed := map[string][]string{}
	told := map[string]string{} // paragraph → code
	for _, part := range splitAt(text, chapterLine) {
		titles = append(titles, part.name)
		for _, entry := range splitAt(part.text, entryLine) {
			e, known := entries[entry.name]
			switch {
			case !known:
				t.Errorf("the program has no reason %s", entry.name)
			case !slices.Contains(e.chapters, part.name):
				t.Errorf("%s stands under %s, and belongs under %s", entry.name, part.name, strings.Join(e.chapters, " or "))
			}
			placed[part.name] = append(placed[part.name], entry.name)
			checkEntry(t, entry, part.name, told)
		}
		if !slices.IsSorted(placed[part.name]) {
			t.Errorf("the entries under %s are not in order", part.name)
		}
	}
	for i, c := range chapters() {
		if i >= len(titles) || titles[i] != c.title {
			t.Errorf("chapter %d is not %s", i+1, c.title)
		}
	}
	found := slices.Concat(slices.Collect(maps.Values(placed))...)
	for code := range entries {
		if n := len(slices.DeleteFunc(slices.Clone(found), func(c string) bool { return c != code })); n != 1 {
			t.Errorf("%s has %d entries", code, n)
		}
	}
	return placed
}

// checkEntry asks for what every entry tells: what the reason means, what imageferry does by itself, and what a person does.
func checkEntry(t *testing.T, entry part, title string, told map[string]string) {
	t.Helper()
	before, after, ok := strings.Cut(entry.text, "<!-- facts -->")
	_, after, end := strings.Cut(after, "<!-- end -->")
	if !ok || !end || strings.TrimSpace(before) == "" {
		t.Errorf("%s has no meaning and no facts", entry.name)
	}
	labels := []string{"**Imageferry**", "**You**"}
	if slices.ContainsFunc(chapters(), func(c chapter) bool { return c.title == title && c.find == "" }) {
		labels = append(labels, "**Where you see it:**")
	}
	paragraphs := strings.Split(strings.TrimSpace(after), "\n\n")
	for _, label := range labels {
		if !slices.ContainsFunc(paragraphs, func(p string) bool { return strings.HasPrefix(p, label) }) {
			t.Errorf("%s has no paragraph %s", entry.name, label)
		}
	}
	for _, p := range append(paragraphs, strings.TrimSpace(before)) {
		if strings.HasPrefix(p, "```") {
			continue // a command may help twice
		}
		if other, ok := told[p]; ok {
			t.Errorf("%s and %s say the same: %s", entry.name, other, p)
		}
		told[p] = entry.name
	}
}

// A part is what stands under a heading.
type part struct{ name, text string }

func splitAt(text string, heading *regexp.Regexp) []part {
	var parts []part
	at := heading.FindAllStringSubmatchIndex(text, -1)
	for i, h := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		parts = append(parts, part{text[h[2]:h[3]], text[h[1]:end]})
	}
	return parts
}

func replaceBlock(t *testing.T, text, name, with string) string {
	t.Helper()
	block := regexp.MustCompile(`(?s)<!-- ` + name + ` -->\n.*?<!-- end -->`)
	if len(block.FindAllString(text, -1)) != 1 {
		t.Fatalf("%s has not one block %s", reasonsPage, name)
	}
	return block.ReplaceAllLiteralString(text, "<!-- "+name+" -->\n"+with+"<!-- end -->")
}

func contents(placed map[string][]string) string {
	var b strings.Builder
	b.WriteString("| | reasons |\n|---|---|\n")
	for _, c := range chapters() {
		var links []string
		for _, code := range placed[c.title] {
			links = append(links, fmt.Sprintf("[`%s`](#%[1]s)", code))
		}
		fmt.Fprintf(&b, "| **[%s](#%s)** | %s |\n", c.title, anchor(c.title), strings.Join(links, " · "))
	}
	return b.String()
}

// exceptions are the facts of reasons that do not keep to their chapter's.
func exceptions() map[string]chapter {
	return map[string]chapter{
		"answer-lost": {class: "wait: the export stays `submitting` until its lease is over",
			find: "in the answer to the submit and in the function's log; then `imageferry list --state submitting`"},
		"image-not-found": {class: "retry: the export is `queued`, and `skipped` after `FERRY_MAX_ATTEMPTS` failures", find: findExport},
	}
}

// facts are what the program says of a reason.
func facts(e reasonEntry, placed map[string][]string) string {
	var b strings.Builder
	for _, c := range chapters() {
		if !slices.Contains(placed[c.title], e.code) {
			continue
		}
		if odd, ok := exceptions()[e.code]; ok {
			c = odd
		}
		if c.class != "" {
			fmt.Fprintf(&b, "- **Class:** %s\n", c.class)
		}
		fmt.Fprintf(&b, "- **Remedy:** %s\n", e.remedy)
		if len(e.answers) > 0 {
			fmt.Fprintf(&b, "- **Error codes:** %s\n", strings.Join(e.answers, ", "))
		}
		if c.find != "" {
			fmt.Fprintf(&b, "- **Find it:** %s\n", strings.ReplaceAll(c.find, "CODE", e.code))
		}
		if e.restore != "" {
			fmt.Fprintf(&b, "- **In a restore:** %s\n", e.restore)
		}
		if len(e.imports) > 0 {
			fmt.Fprintf(&b, "- **Error codes in a restore:** %s\n", strings.Join(e.imports, ", "))
		}
	}
	return b.String()
}

// answerIndex leads from an error code to its reasons.
func answerIndex(entries map[string]reasonEntry) string {
	exports, restores := map[string]string{}, map[string]string{}
	for _, e := range entries {
		link := fmt.Sprintf("[`%s`](#%[1]s)", e.code)
		for _, answer := range e.answers {
			exports[answer] = link
		}
		for _, answer := range e.imports {
			restores[answer] = link
		}
	}
	all := maps.Clone(exports)
	maps.Copy(all, restores)
	var b strings.Builder
	b.WriteString("| error code | in an export | in a restore |\n|---|---|---|\n")
	for _, answer := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", answer, exports[answer], restores[answer])
	}
	return b.String()
}

// answersOf reads which error codes of ECS and OSS a package takes for which reason from its source: the map codes and the table
// messages, if there is one; and from that of exports what any call may be answered with: the map common and CommonReason.
func answersOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	constants, declared := declarations(t, dir)
	answers := map[string][]string{}
	add := func(reason ast.Expr, answer string) {
		name, ok := reason.(*ast.Ident)
		if !ok || constants[name.Name] == "" {
			t.Fatalf("%s: the reason of %s is no constant", dir, answer)
		}
		answers[constants[name.Name]] = append(answers[constants[name.Name]], answer)
	}
	_, shared := declarations(t, "internal/export")
	for _, table := range []ast.Node{declared["codes"], shared["common"]} {
		for _, element := range literal(t, table).Elts {
			pair, _ := element.(*ast.KeyValueExpr)
			add(pair.Value, "`"+text(pair.Key)+"`")
		}
	}
	if messages, ok := declared["messages"]; ok {
		for _, element := range literal(t, messages).Elts {
			row, _ := element.(*ast.CompositeLit)
			add(row.Elts[2], fmt.Sprintf("`%s` with \"%s\" in its message", text(row.Elts[0]), text(row.Elts[1])))
		}
	}
	ast.Inspect(shared["CommonReason"], func(n ast.Node) bool {
		if n, ok := n.(*ast.CallExpr); ok { // strings.HasPrefix, strings.HasSuffix
			pattern := "`" + text(n.Args[1]) + "…`"
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "HasSuffix" {
				pattern = "`…" + text(n.Args[1]) + "`"
			}
			add(ast.NewIdent("throttled"), pattern)
		}
		return true
	})
	for _, some := range answers {
		slices.Sort(some)
	}
	return answers
}

// declarations are a package's constant strings by name, and what its other names stand for.
func declarations(t *testing.T, dir string) (constants map[string]string, declared map[string]ast.Node) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	constants, declared = map[string]string{}, map[string]ast.Node{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					declared[n.Name.Name] = n.Body
				}
				return false
			case *ast.ValueSpec:
				for i, value := range n.Values {
					declared[n.Names[i].Name] = value
					constants[n.Names[i].Name] = text(value)
				}
			}
			return true
		})
	}
	return constants, declared
}

func literal(t *testing.T, n ast.Node) *ast.CompositeLit {
	t.Helper()
	l, ok := n.(*ast.CompositeLit)
	if !ok || len(l.Elts) == 0 {
		t.Fatal("a table of error codes is not where it was")
	}
	return l
}

// text is the value of a string literal; "" for anything else.
func text(n ast.Expr) string {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value)
	return s
}
