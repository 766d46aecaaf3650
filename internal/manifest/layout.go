package manifest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Layout knows the keys under FERRY_MANIFEST_PREFIX. It is the prefix itself, ending with a slash, or empty.
type Layout string

// dueFormat sorts as time does, in byte order.
const dueFormat = "20060102T150405.000000000Z"

func revisionKey(prefix string, revision int) string {
	return fmt.Sprintf("%s%08d.json", prefix, revision)
}

func (l Layout) revisions(d Destination, imageID string) string {
	return string(l) + "journal/" + d.path() + "/" + imageID + "/"
}

// Manifest is the stable key of an export's newest revision.
func (l Layout) Manifest(d Destination, imageID string) string {
	return l.Manifests(d) + imageID + ".json"
}

// Manifests is the prefix of all manifests of a destination.
func (l Layout) Manifests(d Destination) string {
	return string(l) + "manifests/" + d.path() + "/"
}

// Journal is the prefix of every revision of an export.
func (l Layout) Journal(d Destination, imageID string) string { return l.revisions(d, imageID) }

func (l Layout) hold() string      { return string(l) + "active/hold" }
func (l Layout) complete() string  { return string(l) + "active/complete" }
func (l Layout) queued() string    { return string(l) + "active/queued/" }
func (l Layout) exporting() string { return string(l) + "active/exporting/" }

// path is the destination as it stands in keys: <region>/<bucket>/<prefix or ->/<format>.
func (d Destination) path() string {
	return d.Region + "/" + d.Bucket + "/" + dash(d.Prefix) + "/" + d.Format
}

// destinationOf is the destination that stands in a key as the four segments of path.
func destinationOf(segments []string) Destination {
	return Destination{Region: segments[0], Bucket: segments[1], Prefix: undash(segments[2]), Format: segments[3]}
}

// imageOf is the image id in the key of a manifest, if the key is one directly under prefix.
func imageOf(key, prefix string) (string, bool) {
	name, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return "", false
	}
	id, ok := strings.CutSuffix(name, ".json")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// revisionOf is the number in the key of a revision under prefix.
func revisionOf(key, prefix string) (int, bool) {
	name, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return 0, false
	}
	digits, ok := strings.CutSuffix(name, ".json")
	if !ok {
		return 0, false
	}
	// Only as revision spells it: another spelling of a number is another key, and not ours.
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && fmt.Sprintf("%08d", n) == digits
}

// A Marker stands in the index of exports at work: under the time at which a queued (or submitting) one is due, or under
// the task of an exporting one.
type Marker struct {
	Due         time.Time // zero for an exporting marker
	TaskID      string    // empty for a queued marker
	Destination Destination
	ImageID     string
}

// MarkerOf is the marker that a revision calls for; a terminal one calls for none.
func MarkerOf(m *Manifest) (Marker, bool) {
	marker := Marker{Destination: m.Destination, ImageID: m.Image.ID}
	switch m.State {
	case Submitting, Queued:
		marker.Due = m.DueAt.UTC()
	case Exporting:
		marker.TaskID = m.Task.ID
	default:
		return Marker{}, false
	}
	return marker, true
}

func (l Layout) marker(m Marker) string {
	if m.TaskID != "" {
		// The id is ECS's own; escaping keeps a strange one within its path segment.
		return l.exporting() + url.PathEscape(m.TaskID) + "/" + m.Destination.path() + "/" + m.ImageID
	}
	return l.queued() + m.Due.UTC().Format(dueFormat) + "/" + m.Destination.path() + "/" + m.ImageID
}

// parseMarker reads a key back; a key that no marker has is not ok.
func (l Layout) parseMarker(key string) (Marker, bool) {
	rest, queued := strings.CutPrefix(key, l.queued())
	if !queued {
		var ok bool
		if rest, ok = strings.CutPrefix(key, l.exporting()); !ok {
			return Marker{}, false
		}
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 6 || slices.Contains(parts, "") {
		return Marker{}, false
	}
	marker := Marker{Destination: destinationOf(parts[1:5]), ImageID: parts[5]}
	var err error
	if queued {
		marker.Due, err = time.Parse(dueFormat, parts[0])
	} else {
		marker.TaskID, err = url.PathUnescape(parts[0])
	}
	// A marker that is not spelled as this layout spells it would be repaired under another key, and never removed.
	if err != nil || l.marker(marker) != key {
		return Marker{}, false
	}
	return marker, true
}
