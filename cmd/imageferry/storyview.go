package main

import (
	"fmt"
	"strings"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// storyTime is to the second, with the zone.
const storyTime = "2006-01-02 15:04:05 -0700"

// A storyPrinter writes a story for a person.
type storyPrinter struct {
	*app
	b strings.Builder
}

func (a *app) printStory(t story) error {
	p := &storyPrinter{app: a}
	if m := t.Export; m != nil {
		p.head(m)
		p.next(m, t.Hold)
	} else {
		p.line("%s  no revision can be read", t.ImageID)
	}
	p.timeline(t.Revisions)
	if t.Export != nil {
		p.attempts(t.Export.Attempts)
		p.objects(t.Export)
	}
	p.restores(t)
	return a.printf("%s", p.b.String())
}

func (p *storyPrinter) line(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok && !strings.HasPrefix(text, "\x1b[") {
			args[i] = words.Safe(text)
		}
	}
	fmt.Fprintf(&p.b, format+"\n", args...)
}

// painted is text from us in a style, which line leaves as it is.
func (p *storyPrinter) painted(c terminal.Cell) string {
	return c.Style.Paint(words.Safe(c.Text), p.colour())
}

func (p *storyPrinter) table(heading []string, rows [][]terminal.Cell) {
	_ = terminal.Table{Heading: heading, Rows: rows, Width: p.width, Colour: p.colour()}.Write(&p.b) // a Builder does not fail
}

func (p *storyPrinter) title(text string) {
	fmt.Fprintf(&p.b, "\n%s\n", terminal.Bold.Paint(text, p.colour()))
}

func (p *storyPrinter) when(t time.Time) string {
	return t.In(p.zone).Format(storyTime) + " (" + words.Since(t, p.now()) + ")"
}

func (p *storyPrinter) head(m *manifest.Manifest) {
	i, d := m.Image, m.Destination
	state := stateCell(string(m.State))
	fmt.Fprintf(&p.b, "%s  %s  %s\n", p.painted(terminal.Cell{Text: i.ID, Style: terminal.Bold}), p.painted(state), words.Safe(i.Name))
	rows := [][]terminal.Cell{}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []terminal.Cell{{Text: "  " + name, Style: terminal.Faint}, {Text: value}})
		}
	}
	add("image", imageText(i))
	if i.CreationTime != nil {
		add("created", p.when(*i.CreationTime))
	}
	destination := "oss://" + d.Bucket + "/"
	if d.Prefix != "" {
		destination += d.Prefix + "_…"
	}
	add("to", destination+" as "+d.Format+", in "+d.Region)
	add("asked by", strings.Join(nonEmpty(m.Trigger.Kind, m.Trigger.Source, m.Trigger.ID), ", "))
	add("begun", p.when(m.CreatedAt))
	if m.Task != nil {
		add("task", m.Task.ID+" "+m.Task.Status)
	}
	if v := m.Verification; v != nil {
		add("verified", fmt.Sprintf("%s, %s, %s", words.Plural(v.Objects, "object"), words.Bytes(v.Bytes), p.when(v.VerifiedAt)))
	}
	p.table(nil, rows)
}

func imageText(i manifest.Image) string {
	var size int
	for _, d := range i.Disks {
		size += d.SizeGiB
	}
	text := strings.Join(nonEmpty(firstOf(i.OSName, i.OSType), i.Architecture), ", ")
	if size > 0 {
		text = strings.Join(nonEmpty(text, fmt.Sprintf("%d GiB on %s", size, words.Plural(len(i.Disks), "disk"))), ", ")
	}
	return text
}

func nonEmpty(texts ...string) []string {
	var some []string
	for _, t := range texts {
		if t != "" {
			some = append(some, t)
		}
	}
	return some
}

// next is why the export is where it is, and what happens or is to be done about it.
func (p *storyPrinter) next(m *manifest.Manifest, hold *manifest.Hold) {
	if m.Reason != "" {
		p.title("Why, and what to do")
		p.line("  %s: %s", m.Reason, m.Remedy)
		if m.Detail != "" {
			p.line("  %s", m.Detail)
		}
	}
	if m.State == manifest.Queued && m.DueAt != nil {
		p.line("  due %s", p.when(*m.DueAt))
	}
	if hold != nil {
		p.line("  all exports are held since %s: %s: %s", p.when(hold.Since), hold.Reason, hold.Detail)
	}
	if m.State == manifest.Submitting && m.Lease != nil {
		p.line("  an invocation is at it until %s", p.when(m.Lease.Until))
	}
}

func (p *storyPrinter) timeline(revisions []revision) {
	p.title("Timeline")
	var rows [][]terminal.Cell
	for _, r := range revisions {
		number := terminal.Cell{Text: fmt.Sprintf("  %d", r.Revision), Right: true}
		m := r.Manifest
		if m == nil {
			rows = append(rows, []terminal.Cell{number, {}, stateCell("unreadable"), {Text: r.Error}})
			continue
		}
		rows = append(rows, []terminal.Cell{number, {Text: m.UpdatedAt.In(p.zone).Format(storyTime)}, stateCell(string(m.State)), {Text: happened(m)}})
	}
	p.table(nil, rows)
}

// happened is what a revision tells.
func happened(m *manifest.Manifest) string {
	switch {
	case m.Reason != "":
		return strings.TrimSuffix(m.Reason+": "+m.Detail, ": ")
	case m.State == manifest.Submitting:
		n := len(m.Attempts)
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("attempt %d, asked by %s", m.Attempts[n-1].Number, strings.Join(nonEmpty(m.Trigger.Kind, m.Trigger.Source), ", "))
	case m.State == manifest.Exporting && m.Task != nil:
		return "task " + m.Task.ID
	case m.State == manifest.Exported && m.Verification != nil:
		return fmt.Sprintf("%s verified, %s", words.Plural(m.Verification.Objects, "object"), words.Bytes(m.Verification.Bytes))
	}
	return ""
}

func (p *storyPrinter) attempts(attempts []manifest.Attempt) {
	if len(attempts) == 0 {
		return
	}
	p.title("Attempts")
	var rows [][]terminal.Cell
	for _, t := range attempts {
		took := ""
		if t.EndedAt != nil {
			took = words.Span(t.EndedAt.Sub(t.StartedAt))
		}
		message := strings.Join(nonEmpty(t.Reason, t.Code, t.Message), ": ")
		if t.RequestID != "" {
			message = strings.TrimSpace(message + " (request " + t.RequestID + ")")
		}
		rows = append(rows, []terminal.Cell{
			{Text: fmt.Sprintf("  %d", t.Number), Right: true}, {Text: t.StartedAt.In(p.zone).Format(storyTime)},
			{Text: firstOf(string(t.Outcome), "open")}, {Text: took, Right: true}, {Text: t.TaskID}, {Text: message},
		})
	}
	p.table(nil, rows)
}

func (p *storyPrinter) objects(m *manifest.Manifest) {
	if len(m.Objects) == 0 {
		return
	}
	p.title("Objects")
	var rows [][]terminal.Cell
	for _, o := range m.Objects {
		rows = append(rows, []terminal.Cell{
			{Text: "  " + strings.TrimSpace(o.Role+" "+o.Device)}, {Text: words.Bytes(o.Size), Right: true}, {Text: o.Content},
			{Text: "crc64 " + firstOf(o.CRC64, "unknown")}, {Text: "oss://" + o.Bucket + "/" + o.Key},
		})
	}
	p.table(nil, rows)
}
