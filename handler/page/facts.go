package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/words"
)

// A fact is a term and what is known of it.
type fact struct {
	Term string
	Text string
	When *when
	Code bool // an id or a path
}

// facts are what is known of an export, without what is not.
func (p *site) facts(m *manifest.Manifest) []fact {
	i, d, t := m.Image, m.Destination, m.Trigger
	target := "oss://" + d.Bucket + "/"
	if d.Prefix != "" {
		target += d.Prefix + "_…"
	}
	all := []fact{
		{Term: "Destination", Text: target, Code: true},
		{Term: "Format, region", Text: d.Format + ", " + d.Region},
		{Term: "System", Text: joined(", ", first(i.OSName, i.Platform, i.OSType), i.Architecture, i.BootMode)},
		{Term: "Family", Text: joined(" ", i.Family, i.Version)},
		{Term: "Description", Text: i.Description},
		{Term: "Owner", Text: i.AccountID},
		{Term: "Image created", When: p.maybe(i.CreationTime)},
		{Term: "First asked for", When: p.maybe(&m.CreatedAt)},
		{Term: "Asked by", Text: joined(" · ", t.Kind, t.Source)},
		{Term: "Changed", When: p.maybe(&m.UpdatedAt)},
	}
	if m.Task != nil {
		all = append(all, fact{Term: "Task", Text: joined(" ", m.Task.ID, m.Task.Status), Code: true})
	}
	if d, ok := took(m); ok {
		all = append(all, fact{Term: "Took", Text: span(d)})
	}
	if m.Failures > 0 {
		all = append(all, fact{Term: "Failures", Text: count(m.Failures)})
	}
	all = slices.DeleteFunc(all, func(f fact) bool { return f.Text == "" && f.When == nil })
	for n := range all {
		all[n].Text = say(all[n].Text)
	}
	return all
}

// proven is what rehearsals have shown of an export.
func (p *site) proven(r *restore.Rehearsals) []fact {
	if r == nil {
		return nil
	}
	var all []fact
	if r.Proven != nil {
		all = append(all, fact{Term: "Last proven restorable", When: p.maybe(&r.Proven.At)})
	}
	if !r.Last.OK {
		all = append(all, fact{Term: "Last rehearsal", When: p.maybe(&r.Last.At)}, fact{Term: "It failed", Text: say(joined(": ", r.Last.Reason, r.Last.Detail))})
	}
	return all
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func tags(i manifest.Image) []fact {
	var all []fact
	for _, key := range slices.Sorted(maps.Keys(i.Tags)) {
		all = append(all, fact{Term: say(key), Text: say(i.Tags[key])})
	}
	return all
}

type diskRow struct {
	Device, Type, Size, Snapshot string
	Encrypted                    bool
}

func disks(i manifest.Image) []diskRow {
	var all []diskRow
	for _, d := range i.Disks {
		all = append(all, diskRow{say(d.Device), say(d.Type), fmt.Sprintf("%d GiB", d.SizeGiB), say(d.SnapshotID), d.Encrypted})
	}
	return all
}

type objectRow struct {
	Key, Disk, Size, CRC64, ETag, Class, Content string
	Modified                                     when
}

func (p *site) objects(m *manifest.Manifest) []objectRow {
	var all []objectRow
	for _, o := range m.Objects {
		all = append(all, objectRow{
			Key: say(o.Key), Disk: say(joined(" ", o.Role, o.Device)), Size: size(o.Size), CRC64: say(o.CRC64),
			ETag: say(strings.Trim(o.ETag, `"`)), Class: say(o.StorageClass), Content: say(o.Content), Modified: p.when(o.LastModified),
		})
	}
	return all
}

// An attemptRow is one submission.
type attemptRow struct {
	Number                                         int
	Outcome, Icon, Took, Task, Reason, Words, Asks string
	Started                                        when
}

// attempts are the newest first.
func (p *site) attempts(m *manifest.Manifest) []attemptRow {
	var all []attemptRow
	for _, a := range slices.Backward(m.Attempts) {
		r := attemptRow{
			Number: a.Number, Started: p.when(a.StartedAt), Outcome: say(string(a.Outcome)), Icon: outcomeIcon(a.Outcome), Task: say(a.TaskID),
			Reason: say(a.Reason), Words: say(joined(": ", a.Code, a.Message)), Asks: say(a.RequestID),
		}
		if r.Outcome == "" {
			r.Outcome = "open"
		}
		if a.EndedAt != nil {
			r.Took = span(a.EndedAt.Sub(a.StartedAt))
		}
		all = append(all, r)
	}
	return all
}

// outcomeIcon is the shape and colour of the state that an outcome is most like.
func outcomeIcon(o manifest.Outcome) string {
	switch o {
	case manifest.Finished:
		return string(manifest.Exported)
	case manifest.Accepted, manifest.Adopted:
		return string(manifest.Exporting)
	case manifest.Refused:
		return string(manifest.Skipped)
	case manifest.Stopped:
		return string(manifest.Cancelled)
	case manifest.Broken, manifest.Lost:
		return string(manifest.Failed)
	}
	return string(manifest.Submitting)
}

// document is the manifest as it is stored, with hidden characters as JSON's own escapes.
func document(m *manifest.Manifest) string {
	data, err := manifest.Encode(m)
	if err != nil {
		return ""
	}
	return string(words.SafeJSON(data))
}
