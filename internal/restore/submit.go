package restore

import (
	"context"
	"errors"
	"slices"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// submit calls ImportImage, once. When its answer does not tell whether there is an image, the images do.
func (r *Restorer) submit(ctx context.Context, head *Record) (*Record, error) {
	answer, err := r.Tasks.Import(ctx, head.Request)
	if err == nil && answer.ImageID != "" {
		return r.accepted(ctx, head, answer, manifest.Accepted)
	}
	bad := found(answerLost, "ECS accepted the import and named no image")
	if err != nil {
		bad = explain(err, importRefused)
		if call, isCall := errors.AsType[*export.CallError](err); !isCall || call.Ambiguous {
			bad = found(answerLost, bad.detail)
		}
	}
	// An image that has the name, or is being imported, may be ours.
	if bad.Code == nameTaken || bad.Code == answerLost {
		id, other := r.seek(ctx, head)
		switch {
		case id != "":
			return r.accepted(ctx, head, Accepted{ImageID: id, RequestID: answer.RequestID}, manifest.Adopted)
		case bad.Code == answerLost, other != nil && other.Class != Fail:
			return r.settle(ctx, head, found(answerLost, bad.detail)) // the attempt stays open
		}
	}
	next := head.clone()
	r.closeAttempt(next, manifest.Refused, bad)
	return r.settle(ctx, next, bad)
}

// accepted is the revision that knows the image, in the journal.
func (r *Restorer) accepted(ctx context.Context, head *Record, answer Accepted, how manifest.Outcome) (*Record, error) {
	next := r.following(head, Importing)
	next.Image = &Imported{ID: answer.ImageID, TaskID: answer.TaskID, RecordedAt: next.UpdatedAt}
	next.Waits = 0
	if a := openAttempt(next); a != nil {
		a.Outcome, a.TaskID, a.RequestID = how, answer.TaskID, answer.RequestID
	}
	return next, r.commit(ctx, next)
}

// seek looks for the image of the open attempt by its name, which is unique in a region. Nothing, when there is none; a finding,
// when the name is somebody else's, or when it cannot be known yet.
func (r *Restorer) seek(ctx context.Context, head *Record) (imageID string, bad *finding) {
	image, ok, err := r.Images.Named(ctx, head.Name)
	switch {
	case err != nil:
		return "", explain(err, ecsUnavailable)
	case !ok:
		return "", nil
	}
	a := openAttempt(head)
	if a == nil {
		return "", found(nameTaken, "image "+image.ID+" has the name "+head.Name)
	}
	switch {
	case image.Tags[TagRestore] == head.ID, r.importedByUs(image, head, a.StartedAt):
		return image.ID, nil
	case len(image.Tags) == 0 && len(image.ImportedFromOSSObjects) == 0 && (image.Status == "Creating" || image.Status == "Waiting"):
		// Guess: ECS may show tags and disks of an image only when it is made.
		return "", found(answerLost, "image "+image.ID+" is "+image.Status+", and does not tell yet where it comes from")
	}
	return "", found(nameTaken, "image "+image.ID+" has the name "+head.Name)
}

// importedByUs tells whether an image shows that it is being made of our objects since the attempt began.
func (r *Restorer) importedByUs(image manifest.Image, head *Record, since time.Time) bool {
	if len(image.ImportedFromOSSObjects) != len(head.Disks) || image.CreationTime == nil {
		return false
	}
	// ECS gives some times without seconds, and its clock is not ours.
	if image.CreationTime.Before(since.Add(-r.settings.ClockSkew).Truncate(time.Minute)) {
		return false
	}
	return !slices.ContainsFunc(head.Disks, func(d Disk) bool {
		return d.Source.Bucket != image.ImportedFromOSSBucket || !slices.Contains(image.ImportedFromOSSObjects, d.Key)
	})
}
