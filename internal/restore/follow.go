package restore

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// patience is how long what ECS has accepted may not be visible yet, or the task and the image may disagree.
const patience = 15 * time.Minute

// follow looks at task and image; nil while ECS is at it. An image may be Available before its task is finished, and the
// other way round: both have to be done.
func (r *Restorer) follow(ctx context.Context, head *Record) (*Record, error) {
	image, there, err := r.Images.Image(ctx, head.Image.ID)
	if err != nil {
		return nil, fmt.Errorf("follow restore of %s: %w", head.Name, err)
	}
	detail, known, err := r.task(ctx, head)
	if err != nil {
		return nil, fmt.Errorf("follow restore of %s: %w", head.Name, err)
	}
	late := r.now().Sub(head.Image.RecordedAt) > patience
	status := strings.ToLower(detail.Status)
	switch {
	case known && (status == "deleted" || strings.HasPrefix(status, "cancel")):
		return r.fail(ctx, head, image, found(importCancelled, "task "+detail.ID+" was cancelled in ECS"))
	case known && (status == "failed" || detail.Failed > 0), there && (image.Status == "CreateFailed" || image.Status == "UnAvailable"):
		return r.fail(ctx, head, image, importFailure(detail, image))
	case !there && (late || known && status == "finished"):
		if !late {
			return nil, nil
		}
		return r.fail(ctx, head, image, found(imageVanished, "ECS knows no image "+head.Image.ID))
	case !there || image.Status != "Available" || known && status != "finished" || !known && !late:
		return nil, nil
	}
	return r.finish(ctx, head, image)
}

// task is the import's task as ECS describes it; known is false when there is none to be found.
func (r *Restorer) task(ctx context.Context, head *Record) (detail export.TaskDetail, known bool, err error) {
	id := head.Image.TaskID
	if id == "" {
		since := head.BegunAt.Add(-r.settings.ClockSkew).Truncate(time.Minute)
		task, ok, err := r.Tasks.ImportOf(ctx, head.Image.ID, since)
		if err != nil || !ok {
			return export.TaskDetail{}, false, err
		}
		id = task.ID
	}
	return r.Tasks.Detail(ctx, id)
}

// importFailure keeps ECS's own reason.
func importFailure(d export.TaskDetail, image manifest.Image) *finding {
	for _, s := range d.Subtasks {
		if s.ErrorCode == "" && !strings.EqualFold(s.Status, "Failed") {
			continue
		}
		code := cmp.Or(codes[s.ErrorCode], importFailed)
		if reasons[code].Class != Fail {
			code = importFailed // the task is over
		}
		bad := found(code, strings.Trim(s.ErrorCode+": "+s.Message, ": "))
		bad.code, bad.message = s.ErrorCode, s.Message
		return bad
	}
	return found(importFailed, fmt.Sprintf("ECS gave no reason; task %s is %s, the image is %s", d.ID, cmp.Or(d.Status, "unknown"), cmp.Or(image.Status, "unknown")))
}

// fail ends a restore whose import came to nothing.
func (r *Restorer) fail(ctx context.Context, head *Record, image manifest.Image, bad *finding) (*Record, error) {
	next := head.clone()
	next.Image.Status = image.Status
	next.Image.Snapshots = snapshots(image)
	lastAttempt(next, r.now(), manifest.Broken, bad)
	return r.settle(ctx, next, bad)
}

// finish sets what ImportImage cannot set, compares the image with the manifest, and decides how the restore ends.
func (r *Restorer) finish(ctx context.Context, head *Record, image manifest.Image) (*Record, error) {
	next := head.clone()
	next.Image.Status, next.Image.Snapshots = image.Status, snapshots(image)
	change := head.After
	if image.Family == change.Family {
		change.Family = ""
	}
	if image.BootMode == change.BootMode {
		change.BootMode = ""
	}
	if !change.Empty() {
		var err error
		if image, err = r.modify(ctx, next, change); err != nil {
			return nil, err
		}
	}
	next.Verification = &Verification{VerifiedAt: r.now(), Facts: facts(head, image)}
	ends := Ends{State: Restored}
	if head.Rehearsal {
		ends.State = Rehearsed
		if different := next.Verification.Differences(); len(different) > 0 {
			bad := found(rehearsalDiffers, describe(different))
			ends, _ = bad.ends()
		}
	}
	lastAttempt(next, r.now(), manifest.Finished, nil)
	return r.end(ctx, next, ends)
}

// modify changes the image, and is the image after that. What ECS refuses for good becomes a warning: the rest is restored.
func (r *Restorer) modify(ctx context.Context, next *Record, change Change) (manifest.Image, error) {
	if err := r.Images.Modify(ctx, next.Image.ID, change); err != nil {
		bad := explain(err, importRefused)
		if bad.Class == Wait {
			return manifest.Image{}, fmt.Errorf("finish restore of %s: %w", next.Name, err)
		}
		next.Warnings = append(next.Warnings[:len(next.Warnings):len(next.Warnings)],
			fmt.Sprintf("ECS refused to set %+v: %s", change, bad.detail))
	}
	image, there, err := r.Images.Image(ctx, next.Image.ID)
	if err == nil && !there {
		err = fmt.Errorf("ECS knows no image %s", next.Image.ID)
	}
	if err != nil {
		return image, fmt.Errorf("finish restore of %s: %w", next.Name, err)
	}
	return image, nil
}

// lastAttempt ends the attempt that has led to an image.
func lastAttempt(next *Record, at time.Time, o manifest.Outcome, bad *finding) {
	if len(next.Attempts) == 0 {
		return
	}
	a := &next.Attempts[len(next.Attempts)-1]
	a.Outcome, a.EndedAt = o, &at
	if bad != nil {
		a.Reason, a.Code, a.Message = bad.Code, bad.code, cmp.Or(bad.message, bad.detail)
	}
}

func snapshots(image manifest.Image) []string {
	var ids []string
	for _, d := range image.Disks {
		if d.SnapshotID != "" {
			ids = append(ids, d.SnapshotID)
		}
	}
	return ids
}
