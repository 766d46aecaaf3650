// Package metrics shows imageferry in the text format of Prometheus: the exports as an overview counts them, and the calls
// that this instance of the function has made.
package metrics

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// ContentType is the media type of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Metrics are those of one instance. All methods are safe for concurrent use.
type Metrics struct {
	version string
	reasons map[string]bool
	calls   *calls
}

// New makes the metrics of an instance that runs the version. The reasons are all that a series may be labelled with; any
// other one, of a newer version's journal, counts as "other".
func New(version string, reasons []export.Reason) *Metrics {
	m := &Metrics{version: version, reasons: map[string]bool{}, calls: newCalls()}
	for _, r := range reasons {
		m.reasons[r.Code] = true
	}
	return m
}

// other stands for every label value beyond the ones that are known: what others write must not make series.
const other = "other"

// Write writes everything, with the exports as the overview has them. The only errors are those of w.
func (m *Metrics) Write(w io.Writer, o export.Overview, now time.Time) error {
	var page bytes.Buffer
	for _, f := range append(m.gauges(o, now), m.calls.families()...) {
		f.write(&page)
	}
	if _, err := w.Write(page.Bytes()); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}

// states are in the order in which an export meets them.
var states = [...]manifest.State{
	manifest.Queued, manifest.Submitting, manifest.Exporting, manifest.Exported, manifest.Skipped, manifest.Failed,
	manifest.Cancelled,
}

// gauges are those of an overview. What it does not know has no series.
func (m *Metrics) gauges(o export.Overview, now time.Time) []*family {
	info := gauge("imageferry_info", "The version that answers; always 1.")
	info.set(1, "version", m.version)

	exports := gauge("imageferry_exports", "Exports by state.")
	for _, s := range states {
		exports.set(float64(o.States[s]), "state", string(s))
	}
	byReason := gauge("imageferry_exports_by_reason", "Exports that have a reason, by its code; of those that wait, the first ones.")
	for reason, n := range o.Reasons {
		byReason.add(float64(n), "reason", m.reason(reason))
	}
	oldest := gauge("imageferry_oldest_queued_age_seconds", "How long the export waits that has been queued the longest; 0 when none waits.")
	oldest.set(age(o.OldestQueued, now))
	kept := gauge("imageferry_exported_bytes", "Bytes of the verified objects of all exports.")
	kept.set(float64(o.Bytes))

	wanted := gauge("imageferry_images_wanted", "Images that the newest complete sweep wanted exported.")
	covered := gauge("imageferry_images_exported", "Images among those wanted that were exported when the newest complete sweep looked.")
	swept := gauge("imageferry_coverage_timestamp_seconds", "When the newest complete sweep counted the images.")
	if c := o.Coverage; c != nil {
		wanted.set(float64(c.Wanted))
		covered.set(float64(c.Exported))
		swept.set(unix(c.At))
	}
	hold := gauge("imageferry_hold", "1 while nothing is submitted, with the reason that all exports share.")
	since := gauge("imageferry_hold_since_timestamp_seconds", "Since when nothing is submitted.")
	if o.Hold != nil {
		hold.set(1, "reason", m.reason(o.Hold.Reason))
		since.set(unix(o.Hold.Since))
	}
	rounds, failed := roundsOf(o.Heartbeats)
	return []*family{info, exports, byReason, oldest, kept, wanted, covered, swept, hold, since, rounds, failed}
}

// roundsOf shows the newest rounds of the timers that are known.
func roundsOf(beats []manifest.Heartbeat) (at, failed *family) {
	at = gauge("imageferry_last_round_timestamp_seconds", "When the newest round of a timer ended.")
	failed = gauge("imageferry_last_round_failed", "1 when the newest round of a timer ended with an error.")
	for _, b := range beats {
		switch b.Action {
		case "follow", "drain", "sweep", "notify":
			at.set(unix(b.At), "action", b.Action)
			failed.set(truth(b.Failed), "action", b.Action)
		}
	}
	return at, failed
}

func (m *Metrics) reason(code string) string {
	if m.reasons[code] {
		return code
	}
	return other
}

func age(since *time.Time, now time.Time) float64 {
	if since == nil {
		return 0
	}
	return max(0, now.Sub(*since).Seconds())
}

func unix(t time.Time) float64 { return float64(t.Unix()) }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
