package manifest

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Encode renders a revision as it is stored: indented, because people read it.
func Encode(m *Manifest) ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode manifest of %s: %w", m.Image.ID, err)
	}
	return append(data, '\n'), nil
}

// Decode reads a stored revision. What is no manifest is ErrUnreadable; one with another schema name is ErrNewer, because
// only a newer program can have written it. Unknown fields are kept out, not refused: a newer program may add some under
// the same schema name.
func Decode(data []byte) (*Manifest, error) {
	if !utf8.Valid(data) {
		// encoding/json would put replacement characters where bytes were damaged.
		return nil, fmt.Errorf("decode manifest: %w: it is not UTF-8", ErrUnreadable)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("decode manifest: %w: %v", ErrUnreadable, err)
	}
	if head.Schema == "" {
		return nil, fmt.Errorf("decode manifest: %w: it names no schema", ErrUnreadable)
	}
	if head.Schema != SchemaV1 {
		return nil, fmt.Errorf("decode manifest: %w: schema %.64q, this program knows %q", ErrNewer, head.Schema, SchemaV1)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("decode manifest: %w: %v", ErrUnreadable, err)
	}
	if problem := m.problem(); problem != "" {
		return nil, fmt.Errorf("decode manifest: %w: %s", ErrUnreadable, problem)
	}
	return &m, nil
}

// problem names the first thing without which the protocol could not go on from this revision.
func (m *Manifest) problem() string {
	switch {
	case m.Revision < 1:
		return fmt.Sprintf("revision is %d", m.Revision)
	case !m.State.Valid():
		return fmt.Sprintf("state is %.64q", m.State)
	case m.Image.ID == "":
		return "image.id is missing"
	case m.Destination.Region == "" || m.Destination.Bucket == "" || m.Destination.Format == "":
		return "destination is incomplete"
	case m.State == Submitting && (m.Lease == nil || m.DueAt == nil):
		return "it is submitting without a lease and a due time"
	case m.State == Queued && m.DueAt == nil:
		return "it is queued without a due time"
	case m.State == Exporting && (m.Task == nil || m.Task.ID == ""):
		return "it is exporting without a task"
	case !m.State.Terminal() && m.CreatedAt.IsZero():
		return "createdAt is missing"
	}
	for _, a := range m.Attempts {
		if a.Outcome == "" && a.StartedAt.IsZero() {
			return "an open attempt has no startedAt" // from when its task is looked for
		}
	}
	return ""
}

// Clone copies a revision so that the next one can be made from it.
func (m *Manifest) Clone() *Manifest {
	c := *m
	c.Attempts = append([]Attempt(nil), m.Attempts...)
	c.Objects = append([]Object(nil), m.Objects...)
	if m.Task != nil {
		task := *m.Task
		c.Task = &task
	}
	return &c
}
