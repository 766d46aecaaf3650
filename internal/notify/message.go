package notify

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"imageferry/internal/manifest"
)

// A message is what a notice says. Its texts are those of the manifest, not yet harmless.
type message struct {
	// ID is the same for every message about one revision: receivers know by it what they have seen.
	ID          string
	At          time.Time // when the export ended
	ImageID     string
	Name        string
	State       manifest.State
	Reason      string
	Detail      string
	Remedy      string
	Destination manifest.Destination
	Revision    int
	Objects     int
	Bytes       int64
	Took        time.Duration // from the last submission to the end; 0: it came to none
	Page        string        // the export's page; empty: there is none
	Bucket, Key string        // where the manifest is
}

func messageOf(m *manifest.Manifest, s Settings) message {
	msg := message{
		ID:          idOf(m),
		At:          m.UpdatedAt.UTC(),
		ImageID:     m.Image.ID,
		Name:        m.Image.Name,
		State:       m.State,
		Reason:      m.Reason,
		Detail:      m.Detail,
		Remedy:      m.Remedy,
		Destination: m.Destination,
		Revision:    m.Revision,
		Objects:     len(m.Objects),
		Bucket:      s.ManifestBucket,
		Key:         s.Layout.Manifest(m.Destination, m.Image.ID),
	}
	for _, o := range m.Objects {
		msg.Bytes += o.Size
	}
	if n := len(m.Attempts); n > 0 {
		msg.Took = max(0, m.UpdatedAt.Sub(m.Attempts[n-1].StartedAt))
	}
	msg.Page = pageOf(m.Image.ID, s.PageURL)
	return msg
}

// pageOf is the address of an image's page: without anything that a chat would take for a mention, and none at all rather
// than a long one.
func pageOf(imageID, root string) string {
	id := strings.ReplaceAll(url.PathEscape(imageID), "@", "%40")
	if root == "" || len(id) > 100 {
		return ""
	}
	return strings.TrimSuffix(root, "/") + "/images/" + id
}

// idOf is <imageId>/<region>/<bucket>/<prefix or ->/<format>/<revision>, in characters that a header may have, and without
// full stops, which separate what Standard Webhooks signs.
func idOf(m *manifest.Manifest) string {
	d := m.Destination
	prefix := d.Prefix
	if prefix == "" {
		prefix = "-"
	}
	var parts []string
	for _, part := range []string{m.Image.ID, d.Region, d.Bucket, prefix, d.Format} {
		parts = append(parts, strings.ReplaceAll(url.PathEscape(part), ".", "%2E"))
	}
	return fmt.Sprintf("%s/%d", strings.Join(parts, "/"), m.Revision)
}

// A line is one of a message to people.
type line struct {
	label, value string // harmless
	link         bool   // value is the address of our page
}

// title is the first line, all that a telephone may show. Groups can ask for its second word as keyword.
func (m message) title() string {
	mark := map[manifest.State]string{manifest.Exported: "✅", manifest.Failed: "❌"}[m.State]
	if mark == "" {
		mark = "➖"
	}
	name := m.Name
	if name == "" {
		name = m.ImageID
	}
	return mark + " imageferry: " + harmless(name, 80) + " " + harmless(string(m.State), 20)
}

// lines are the others. In bytes they stay below what WeCom takes, the least of all.
func (m message) lines() []line {
	image := harmless(m.ImageID, 64)
	if m.Name != "" {
		image = harmless(m.Name, 160) + " (" + image + ")"
	}
	target := m.Destination.Bucket
	if m.Destination.Prefix != "" {
		target += "/" + m.Destination.Prefix
	}
	all := []line{
		{label: "Image", value: image},
		{label: "Reason", value: harmless(m.Reason, 64)},
		{label: "Detail", value: harmless(m.Detail, 400)},
		{label: "What to do", value: harmless(m.Remedy, 250)},
		{label: "Destination", value: harmless(target, 100) + ", " + harmless(m.Destination.Region, 40) + ", " + harmless(m.Destination.Format, 20)},
		{label: "Size", value: m.size()},
		{label: "Took", value: inWords(m.Took)},
		{label: "Page", value: m.Page, link: true},
		{label: "Manifest", value: "oss://" + harmless(m.Bucket+"/"+m.Key, 400)},
	}
	kept := all[:0]
	for _, l := range all {
		if l.value != "" {
			kept = append(kept, l)
		}
	}
	return kept
}

// text is the whole message as plain text.
func (m message) text() string {
	var b strings.Builder
	b.WriteString(m.title())
	for _, l := range m.lines() {
		b.WriteString("\n" + l.label + ": " + l.value)
	}
	return b.String()
}

func (m message) size() string {
	if m.Objects == 0 {
		return ""
	}
	objects := "1 object"
	if m.Objects > 1 {
		objects = fmt.Sprintf("%d objects", m.Objects)
	}
	return bytesInWords(m.Bytes) + " in " + objects
}

func bytesInWords(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1<<10 && unit < 3 {
		value, unit = value/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"KiB", "MiB", "GiB", "TiB"}[unit])
}

// inWords is a duration to the minute, or to the second below one; empty for none.
func inWords(d time.Duration) string {
	switch {
	case d < time.Second:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	}
	return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
}
