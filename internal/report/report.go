// Package report tells which images of an account are exported and which are not, and whether that is enough.
package report

import (
	"cmp"
	"slices"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// A Class is where an image stands for the purpose of the report. Every image is in one.
type Class string

// The classes.
const (
	Exported Class = "exported" // exported and verified
	Pending  Class = "pending"  // queued, submitting or exporting
	Missing  Class = "missing"  // wanted, and there is no export
	Failed   Class = "failed"   // given up, cancelled, or its record cannot be read
	Skipped  Class = "skipped"  // can never be exported, for the reason given
	Excluded Class = "excluded" // the selection does not want it, and it is not exported
)

// Classes lists them in the order of a report.
func Classes() []Class { return []Class{Exported, Pending, Missing, Failed, Skipped, Excluded} }

// A Row is one custom image of the account.
type Row struct {
	ImageID string     `json:"imageId"`
	Name    string     `json:"name,omitempty"`
	Status  string     `json:"status,omitempty"` // of the image, as ECS spells it
	Created *time.Time `json:"created,omitempty"`
	// AgeSeconds is the image's age when the report was made, 0 when its creation time is not known.
	AgeSeconds int64 `json:"ageSeconds"`
	// SizeGiB is the size of all disks together.
	SizeGiB int   `json:"sizeGiB"`
	Class   Class `json:"class"`
	// State, Reason and Remedy are the export's, or, where there is none, Reason is what would speak against it.
	State      manifest.State `json:"state,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Remedy     string         `json:"remedy,omitempty"`
	VerifiedAt *time.Time     `json:"verifiedAt,omitempty"`
	Objects    int            `json:"objects,omitempty"`
	Bytes      int64          `json:"bytes,omitempty"`
	// ProvenAt is when a rehearsal last restored the export, nil when none has.
	ProvenAt *time.Time `json:"provenAt,omitempty"`
	// RehearsalFailed is the reason of the last rehearsal of the export, if that failed.
	RehearsalFailed string `json:"rehearsalFailed,omitempty"`
	// Late: a gate counts the image as one that should be exported by now, and it is not.
	Late bool `json:"late,omitempty"`
	// Unproven: a gate asks for a rehearsal of the export that is newer than the last one that went well, or the last one failed.
	Unproven bool `json:"unproven,omitempty"`
}

// A Report is the coverage of one account and region at one destination.
type Report struct {
	Schema      string               `json:"schema"`
	GeneratedAt time.Time            `json:"generatedAt"`
	AccountID   string               `json:"accountId"`
	Destination manifest.Destination `json:"destination"`
	Summary     Summary              `json:"summary"`
	Gate        *Gate                `json:"gate,omitempty"` // nil when none was asked for
	Images      []Row                `json:"images"`
}

// SchemaV1 names the form of the JSON document.
const SchemaV1 = "imageferry.report/v1"

// A Summary counts images by class. Images = Exported + Pending + Missing + Failed + Skipped + Excluded.
type Summary struct {
	Images   int `json:"images"`
	Exported int `json:"exported"`
	Pending  int `json:"pending"`
	Missing  int `json:"missing"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	Excluded int `json:"excluded"`
	// Counted are the images that coverage is a share of: all but the excluded ones, and without the skipped ones if they
	// are ignored.
	Counted        int  `json:"counted"`
	IgnoresSkipped bool `json:"ignoresSkipped"`
	// CoveragePercent is Exported of Counted, cut (not rounded) to two decimals; 100 when there is nothing to count.
	CoveragePercent float64 `json:"coveragePercent"`
	ExportedBytes   int64   `json:"exportedBytes"`
	// Deleted are exported images that the account no longer has: not counted, but their objects may still be there.
	Deleted int `json:"deleted"`
}

// Input is what a report is made from.
type Input struct {
	Now         time.Time
	AccountID   string
	Destination manifest.Destination
	// Images are the custom images of the account in every status, Exports all that is published of exports.
	Images  []manifest.Image
	Exports map[string]export.Export
	// Wants is the selection; nil wants every image.
	Wants func(name, family string, tags map[string]string) bool
	// Proven is when a rehearsal last restored the export of an image.
	Proven map[string]time.Time
	// RehearsalFailed has the reason of the last rehearsal of an image's export, if that failed.
	RehearsalFailed map[string]string
	// IgnoreSkipped leaves images that can never be exported out of the count.
	IgnoreSkipped bool
}

// Make makes the report without a gate. Its rows are sorted: what needs attention first, the newest first within a class.
func Make(in Input) *Report {
	r := &Report{
		Schema: SchemaV1, GeneratedAt: in.Now.UTC().Truncate(time.Second), AccountID: in.AccountID, Destination: in.Destination,
		Images: make([]Row, 0, len(in.Images)),
	}
	r.Summary.IgnoresSkipped = in.IgnoreSkipped
	here := make(map[string]bool, len(in.Images))
	for _, image := range in.Images {
		here[image.ID] = true
		row := in.row(image)
		r.Images = append(r.Images, row)
		r.Summary.add(row)
	}
	for id, e := range in.Exports {
		if !here[id] && e.Manifest != nil && e.Manifest.State == manifest.Exported {
			r.Summary.Deleted++
		}
	}
	r.Summary.finish()
	slices.SortFunc(r.Images, compare)
	return r
}

func (in Input) row(image manifest.Image) Row {
	row := Row{ImageID: image.ID, Name: image.Name, Status: image.Status, Created: image.CreationTime, SizeGiB: size(image)}
	if row.Created != nil {
		row.AgeSeconds = int64(max(in.Now.Sub(*row.Created), 0).Seconds())
	}
	e, ok := in.Exports[image.ID]
	switch {
	case ok && e.Manifest != nil:
		row.fill(e.Manifest)
	case ok:
		row.Class, row.Reason, row.Remedy = Failed, e.Reason, e.Remedy
	default:
		row.foresee(image, in.AccountID)
	}
	if row.Class == Exported {
		row.RehearsalFailed = in.RehearsalFailed[image.ID]
	}
	switch at, proven := in.Proven[image.ID]; {
	case row.Class == Exported && proven:
		row.ProvenAt = &at
	case row.Class == Exported:
	case export.IsRehearsal(image.Name): // its reason says so already
		row.Class = Excluded
	case in.Wants != nil && !in.Wants(image.Name, image.Family, image.Tags):
		row.Class = Excluded
		if !ok {
			row.Reason, row.Remedy = "not-selected", ""
		}
	}
	return row
}

// foresee is what would become of an image that has no export.
func (row *Row) foresee(image manifest.Image, accountID string) {
	row.Class = Missing
	reason, _, bad := export.Unexportable(image, accountID)
	if !bad {
		return
	}
	row.Reason, row.Remedy = reason.Code, reason.Remedy
	switch reason.Class {
	case export.Skip:
		row.Class = Skipped
	case export.Wait:
		row.Class = Pending
	}
}

func (row *Row) fill(m *manifest.Manifest) {
	row.State, row.Reason, row.Remedy = m.State, m.Reason, m.Remedy
	switch m.State {
	case manifest.Exported:
		row.Class = Exported
	case manifest.Skipped:
		row.Class = Skipped
	case manifest.Failed, manifest.Cancelled:
		row.Class = Failed
	default:
		row.Class = Pending
	}
	if v := m.Verification; v != nil && m.State == manifest.Exported {
		row.VerifiedAt, row.Objects, row.Bytes = &v.VerifiedAt, v.Objects, v.Bytes
	}
}

// size is that of all disks, or of the system disk where ECS tells no more.
func size(image manifest.Image) int {
	total := 0
	for _, d := range image.Disks {
		total += d.SizeGiB
	}
	return max(total, image.SizeGiB)
}

func (s *Summary) add(row Row) {
	s.Images++
	s.ExportedBytes += row.Bytes
	switch row.Class {
	case Exported:
		s.Exported++
	case Pending:
		s.Pending++
	case Missing:
		s.Missing++
	case Failed:
		s.Failed++
	case Skipped:
		s.Skipped++
	case Excluded:
		s.Excluded++
	}
}

func (s *Summary) finish() {
	s.Counted = s.Images - s.Excluded
	if s.IgnoresSkipped {
		s.Counted -= s.Skipped
	}
	s.CoveragePercent = 100
	if s.Counted > 0 {
		s.CoveragePercent = float64(s.Exported*10000/s.Counted) / 100
	}
}

// rank puts what needs attention first.
func rank(c Class) int {
	return slices.Index([]Class{Failed, Missing, Pending, Skipped, Exported, Excluded}, c)
}

func compare(a, b Row) int {
	created := func(r Row) time.Time {
		if r.Created == nil {
			return time.Time{}
		}
		return *r.Created
	}
	return cmp.Or(cmp.Compare(rank(a.Class), rank(b.Class)), created(b).Compare(created(a)), cmp.Compare(a.ImageID, b.ImageID))
}
