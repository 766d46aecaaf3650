package export

import (
	"context"
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

// An Action is what a sweep would do with an image.
type Action string

// The actions.
const (
	PlanSubmit  Action = "submit"  // give it to ECS
	PlanSkip    Action = "skip"    // write down that it cannot be exported, and why
	PlanExclude Action = "exclude" // the selection does not want it
	PlanKeep    Action = "keep"    // its export has begun, or is over
)

// A Decision is what a sweep would do with one image, and why.
type Decision struct {
	ImageID string         `json:"imageId"`
	Name    string         `json:"name,omitempty"`
	Created *time.Time     `json:"created,omitempty"`
	Action  Action         `json:"action"`
	State   manifest.State `json:"state,omitempty"` // of the export that there is
	Reason  string         `json:"reason,omitempty"`
	Remedy  string         `json:"remedy,omitempty"`
	Detail  string         `json:"detail,omitempty"`
}

// Plan decides, for every image that a sweep with this age looks at, what the sweep would do. Nothing is written. A
// negative age looks at every image, 0 takes the configured age.
func (f *Ferry) Plan(ctx context.Context, maxAge time.Duration) ([]Decision, error) {
	known, _, err := f.inventory(ctx, true)
	if err != nil {
		return nil, fmt.Errorf("plan sweep: %w", err)
	}
	since := f.since(maxAge)
	var decisions []Decision
	seen := map[string]bool{} // a page shifts when an image is created meanwhile
	for images, err := range f.imagePages(ctx, since, func() int { return maxPagesAhead }) {
		if err != nil {
			return nil, fmt.Errorf("plan sweep: %w", err)
		}
		for _, image := range images {
			if !seen[image.ID] {
				seen[image.ID] = true
				_, ok := known[image.ID]
				decisions = append(decisions, f.plan(image, ok))
			}
		}
	}
	return decisions, f.explainKept(ctx, decisions)
}

// plan decides in the order of Sweep.
func (f *Ferry) plan(image manifest.Image, known bool) Decision {
	d := Decision{ImageID: image.ID, Name: image.Name, Created: image.CreationTime}
	unwanted := f.unwanted(image)
	switch bad := checkImage(image, f.settings.AccountID); {
	case known:
		d.Action = PlanKeep
	case unwanted != "":
		d.Action, d.Reason, d.Remedy = PlanExclude, unwanted, reasons[unwanted].Remedy
	case bad != nil:
		d.Action, d.Reason, d.Remedy, d.Detail = PlanSkip, bad.Code, bad.Remedy, bad.detail
	default:
		d.Action = PlanSubmit
	}
	return d
}

// explainKept adds what became of the images that have an export.
func (f *Ferry) explainKept(ctx context.Context, decisions []Decision) error {
	var ids []string
	var at []int
	for i, d := range decisions {
		if d.Action == PlanKeep {
			ids, at = append(ids, d.ImageID), append(at, i)
		}
	}
	exports, err := f.readExports(ctx, ids)
	if err != nil {
		return fmt.Errorf("plan sweep: %w", err)
	}
	for i, e := range exports {
		d := &decisions[at[i]]
		d.Reason, d.Remedy, d.Detail = e.Reason, e.Remedy, e.Detail
		if m := e.Manifest; m != nil {
			d.State, d.Reason, d.Remedy, d.Detail = m.State, m.Reason, m.Remedy, m.Detail
		}
	}
	return nil
}

// RebuildIndex writes the index anew if somebody has emptied it, and tells of the exports whose journal cannot be read; a
// sweep begins with that.
func (f *Ferry) RebuildIndex(ctx context.Context) ([]Result, error) { return f.rebuild(ctx) }

// Unexportable tells why an image can never be exported, or not now, as far as the image itself shows; ok is false when
// nothing speaks against it.
func Unexportable(image manifest.Image, accountID string) (reason Reason, detail string, ok bool) {
	bad := checkImage(image, accountID)
	if bad == nil {
		return Reason{}, "", false
	}
	return bad.Reason, bad.detail, true
}
