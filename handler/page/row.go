package page

import (
	"fmt"
	"net/url"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/words"
)

func size(bytes int64) string { return words.Bytes(bytes) }

// A row is one export in the list.
type row struct {
	Href     string
	ID       string
	Name     string
	State    string
	Revision int
	Progress *progress
	Reason   string
	ByReason string // address of the exports of that reason
	Remedy   string
	Detail   string // what was seen, of those that need somebody
	Note     string
	Size     string
	SizeNote string
	Updated  when
}

func (p *site) row(m *manifest.Manifest, percents map[string]int, held bool, query url.Values) row {
	r := row{
		Href: imagePath(m.Image.ID), ID: say(m.Image.ID), Name: say(m.Image.Name), State: string(m.State), Revision: m.Revision,
		Reason: say(m.Reason), Remedy: say(m.Remedy), Updated: p.when(m.UpdatedAt), Note: p.note(m, held),
		Progress: p.progressOf(m, percents),
	}
	if m.Reason != "" {
		r.ByReason = address("/", withParam(withParam(query, "cursor", ""), "reason", m.Reason))
	}
	if m.State == manifest.Failed || m.State == manifest.Skipped {
		r.Detail = say(m.Detail)
	}
	r.Size, r.SizeNote = exportSize(m)
	return r
}

// exportSize is that of the objects once they are verified, and that of the image's disks before.
func exportSize(m *manifest.Manifest) (text, note string) {
	if v := m.Verification; v != nil && m.State == manifest.Exported {
		return size(v.Bytes), counted(v.Objects, "object")
	}
	if n := diskGiB(m.Image); n > 0 {
		return fmt.Sprintf("%d GiB", n), counted(max(len(m.Image.Disks), 1), "disk")
	}
	return "", ""
}

func diskGiB(i manifest.Image) int {
	if len(i.Disks) == 0 {
		return i.SizeGiB
	}
	n := 0
	for _, d := range i.Disks {
		n += d.SizeGiB
	}
	return n
}

// note is the one more thing worth knowing about an export in the list.
func (p *site) note(m *manifest.Manifest, held bool) string {
	switch {
	case m.State == manifest.Exported:
		if took, ok := took(m); ok {
			return "took " + span(took)
		}
	case m.State == manifest.Queued && held:
		return "waits for the end of the hold"
	case m.State == manifest.Queued && m.DueAt != nil && m.DueAt.After(p.opts.Now()):
		return "due " + words.Since(*m.DueAt, p.opts.Now())
	case m.State == manifest.Queued:
		return "due now"
	case m.State == manifest.Submitting && m.Lease != nil && m.Lease.Until.Before(p.opts.Now()):
		return "its invocation has ended; the next round takes it over"
	case m.State == manifest.Submitting:
		return "ECS is being asked"
	}
	return ""
}

// took is how long an exported image took from its last submission, as the counts have it.
func took(m *manifest.Manifest) (time.Duration, bool) {
	e, over := manifest.EndingOf(m)
	return e.Took, over && m.State == manifest.Exported && len(m.Attempts) > 0
}

// progress is how far a running task is.
type progress struct {
	Percent int
	Known   bool
	Text    string
}

// firstPercent is how far a task has to be for a guess when it will be done.
const firstPercent = 3

func (p *site) progressOf(m *manifest.Manifest, percents map[string]int) *progress {
	if m.State != manifest.Exporting || m.Task == nil {
		return nil
	}
	elapsed := p.opts.Now().Sub(m.Task.RecordedAt)
	n, known := percents[m.Task.ID]
	if !known {
		return &progress{Text: "running for " + span(elapsed)}
	}
	n = min(max(n, 0), 100)
	g := &progress{Percent: n, Known: true, Text: fmt.Sprintf("%d %%", n)}
	switch {
	case n == 100:
		g.Text += " · to be verified"
	case n >= firstPercent && elapsed > 0:
		g.Text += " · about " + span(elapsed*time.Duration(100-n)/time.Duration(n)) + " left"
	default:
		g.Text += " · running for " + span(elapsed)
	}
	return g
}
