package main

import (
	"bytes"
	"strings"
	"testing"

	"imageferry/internal/localcloud/samples"
	"imageferry/internal/manifest"
)

func sampleRow(id string, state manifest.State, reason string) row {
	r := row{Made: samples.Made{Sample: samples.Sample{Name: "image-" + id}, ImageID: id}, Status: "Available"}
	if state != "" {
		r.Export = &manifest.Manifest{State: state, Reason: reason, Remedy: "Do something.", Verification: &manifest.Verification{}}
	}
	return r
}

// TestBars ends with bars in every state: one that had ended before the first look, and one that never does.
func TestBars(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := &barView{w: &out, once: true}
	v.show([]row{sampleRow("1", manifest.Skipped, "image-windows"), sampleRow("2", manifest.Exporting, ""), sampleRow("3", "", "")})
	v.show([]row{sampleRow("1", manifest.Skipped, "image-windows"), sampleRow("2", manifest.Exported, ""), sampleRow("3", "", "")})
	v.stop()
}

// TestLines prints a line for each change, and none for what stays.
func TestLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	v := newView(localOptions{}, &out, false)
	for range 3 {
		v.show([]row{sampleRow("1", manifest.Queued, "quota-concurrent")})
	}
	v.show([]row{sampleRow("1", manifest.Exported, "")})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "quota-concurrent: Do something.") || !strings.Contains(lines[1], "exported") {
		t.Errorf("lines: %q", lines)
	}
}

// TestCounts says how many objects, one of which is no plural.
func TestCounts(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "exported   1 object, 0 B", 2: "exported   2 objects, 0 B"} {
		r := sampleRow("1", manifest.Exported, "")
		r.Export.Objects = make([]manifest.Object, n)
		if got := describe(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
