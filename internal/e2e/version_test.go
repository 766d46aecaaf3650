package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"imageferry/internal/manifest"
	"imageferry/internal/version"
)

// TestVersionShows: one can tell from the outside which version did something: by the command line, by every line of the log,
// by every revision of a manifest, and by the User-Agent, as ActionTrail shows it.
func TestVersionShows(t *testing.T) {
	t.Parallel()
	var log, trail lines
	d := deploy(t, setup{output: &log})
	pattern := []byte(`{"source":["acs.ecs"],"type":["ecs:ActionTrail:ApiCall"],"data":{"eventName":["ExportImage"]}}`)
	if err := d.Bus.Subscribe(pattern, func(event []byte) { _, _ = trail.Write(append(bytes.TrimSpace(event), '\n')) }); err != nil {
		t.Fatal(err)
	}
	id := d.createImage(t)
	d.wait(t, id, manifest.Exported)
	idle(t, d)

	for _, m := range d.revisions(t, id) {
		if m.Program != version.Current {
			t.Errorf("revision %d was written by %q", m.Revision, m.Program)
		}
	}
	own := 0
	for _, line := range log.all() {
		var fields struct{ Version string }
		if json.Unmarshal([]byte(line), &fields) != nil {
			continue // of the runtime
		}
		if own++; fields.Version != version.Current {
			t.Errorf("a line of the log has the version %q: %s", fields.Version, line)
		}
	}
	if own == 0 {
		t.Error("the function has logged nothing")
	}
	if text := strings.Join(trail.all(), ""); !strings.Contains(text, "imageferry/"+version.Current) {
		t.Errorf("ActionTrail knows no imageferry/%s: %s", version.Current, text)
	}
	text, err := exec.CommandContext(t.Context(), built.cli, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(text), "imageferry "+version.Current) {
		t.Errorf("imageferry version says %q: %v", text, err)
	}
}

// lines keeps what is written to it. Safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}
