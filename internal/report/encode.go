package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/words"
)

// Columns are those of the CSV document; new ones are only added at the end.
func Columns() []string {
	return []string{
		"imageId", "name", "class", "state", "reason", "created", "ageSeconds", "sizeGiB", "status", "verifiedAt", "objects", "bytes", "late", "remedy",
		"provenAt", "unproven", "rehearsalFailed",
	}
}

// WriteCSV writes one line an image under a heading (RFC 4180, times as RFC 3339). A text that a spreadsheet would take
// for a formula has an apostrophe before it.
func (r *Report) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write(Columns()); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for _, row := range r.Images {
		err := c.Write([]string{
			row.ImageID, inert(row.Name), string(row.Class), string(row.State), row.Reason, stamp(row.Created),
			strconv.FormatInt(row.AgeSeconds, 10), strconv.Itoa(row.SizeGiB), row.Status, stamp(row.VerifiedAt),
			strconv.Itoa(row.Objects), strconv.FormatInt(row.Bytes, 10), strconv.FormatBool(row.Late), row.Remedy,
			stamp(row.ProvenAt), strconv.FormatBool(row.Unproven), row.RehearsalFailed,
		})
		if err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func inert(text string) string {
	text = words.Safe(text)
	if strings.HasPrefix(text, "=") || strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") || strings.HasPrefix(text, "@") {
		return "'" + text
	}
	return text
}

func stamp(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// WriteMarkdown writes the report for a wiki, an issue or the summary page of a pipeline.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Image exports of account %s in %s\n\n%s\n\n", r.AccountID, r.Destination.Region, r.GeneratedAt.Format(time.RFC3339))
	fmt.Fprintf(&b, "**%s**\n\n", r.Headline())
	if r.Gate != nil {
		if r.Gate.Met {
			b.WriteString("Gate: met.\n\n")
		}
		for _, problem := range r.Gate.Problems {
			fmt.Fprintf(&b, "Gate not met: %s.\n\n", problem)
		}
	}
	b.WriteString("| class | images |\n|---|---:|\n")
	for _, c := range Classes() {
		fmt.Fprintf(&b, "| %s | %d |\n", c, r.Summary.Of(c))
	}
	heading, rule := "", ""
	if r.tellsOfRehearsals() {
		heading, rule = " proven restorable |", "---|"
	}
	if len(r.Images) > 0 {
		fmt.Fprintf(&b, "\n| image | name | class | reason | created | GiB |%s |\n|---|---|---|---|---|---:|%s---|\n", heading, rule)
	}
	for _, row := range r.Images {
		var marks []string
		if row.Late {
			marks = append(marks, "late")
		}
		if row.Unproven {
			marks = append(marks, "unproven")
		}
		if row.RehearsalFailed != "" {
			marks = append(marks, "last rehearsal failed: "+row.RehearsalFailed)
		}
		proven := ""
		if heading != "" {
			proven = " " + stamp(row.ProvenAt) + " |"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %d |%s %s |\n", row.ImageID, cell(row.Name), row.Class, row.Reason, stamp(row.Created), row.SizeGiB,
			proven, strings.Join(marks, ", "))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown: %w", err)
	}
	return nil
}

// tellsOfRehearsals: there was one, or one is asked for.
func (r *Report) tellsOfRehearsals() bool {
	return r.Gate != nil && r.Gate.RehearsedSeconds != nil || slices.ContainsFunc(r.Images, func(row Row) bool { return row.ProvenAt != nil })
}

// cell keeps text from being markup.
func cell(text string) string {
	var b strings.Builder
	for _, r := range words.Safe(text) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
			continue
		case r == '&':
			b.WriteString("&amp;")
			continue
		case strings.ContainsRune("\\`*_{}[]()#+!|>~@", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Headline is the coverage in one sentence, with what it is a share of.
func (r *Report) Headline() string {
	s := r.Summary
	text := fmt.Sprintf("%s: %d of %s exported", Percent(int(s.CoveragePercent*100+0.5)), s.Exported, words.Plural(s.Counted, "counted image"))
	var aside []string
	if s.Skipped > 0 && s.IgnoresSkipped {
		aside = append(aside, fmt.Sprintf("%d skipped", s.Skipped))
	}
	if s.Excluded > 0 {
		aside = append(aside, fmt.Sprintf("%d excluded by the selection", s.Excluded))
	}
	if len(aside) > 0 {
		text += " (not counted: " + strings.Join(aside, ", ") + ")"
	}
	return text
}

// Of is the number of images of a class.
func (s Summary) Of(c Class) int {
	return map[Class]int{
		Exported: s.Exported, Pending: s.Pending, Missing: s.Missing, Failed: s.Failed, Skipped: s.Skipped, Excluded: s.Excluded,
	}[c]
}
