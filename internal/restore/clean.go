package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// clean removes what is not to stay, and ends the restore. All of it can be repeated. What cannot be removed yet is tried again
// with the next round, and the record says why.
func (r *Restorer) clean(ctx context.Context, head *Record) (*Record, error) {
	err := r.removeTemporary(ctx, head)
	var left []string
	if err == nil && head.Ends.State != Restored && head.Image != nil {
		left, err = r.removeImage(ctx, head)
	}
	if err == nil && head.Rehearsal {
		err = r.recordRehearsal(ctx, head)
	}
	if err != nil {
		return r.blocked(ctx, head, err)
	}
	next := r.following(head, head.Ends.State)
	next.Reason, next.Detail = head.Ends.Reason, head.Ends.Detail
	next.Remedy = reasons[next.Reason].Remedy
	next.Warnings = slices.Concat(next.Warnings, left)
	if err := r.commit(ctx, next); err != nil {
		return nil, err
	}
	r.leave(ctx, next)
	return next, nil
}

// blocked writes down, once, why a restore cannot end yet.
func (r *Restorer) blocked(ctx context.Context, head *Record, err error) (*Record, error) {
	bad := found(cleanupBlocked, err.Error())
	if call, ok := errors.AsType[*export.CallError](err); ok {
		bad.detail = call.Op + ": " + call.Code + ": " + call.Message // without the id of the request, which is always another
	}
	err = fmt.Errorf("clean up after the restore of %s: %w", head.Name, err)
	if ctx.Err() != nil || head.Reason == bad.Code && head.Detail == bad.detail {
		return nil, err
	}
	next := r.following(head, Cleaning)
	next.Reason, next.Remedy, next.Detail = bad.Code, bad.Remedy, bad.detail
	if commitErr := r.commit(ctx, next); commitErr != nil {
		return nil, errors.Join(err, commitErr)
	}
	return nil, err
}

// removeTemporary removes unpacked objects and copies, with the unfinished uploads of them.
func (r *Restorer) removeTemporary(ctx context.Context, head *Record) error {
	if head.KeepTemporary && head.Ends.State == Restored {
		return nil
	}
	for _, d := range head.Disks {
		// Only what lies under this restore's own prefix is ours to remove, whatever the record says.
		if d.Work == Use || !strings.HasPrefix(d.Key, r.settings.Layout.Temporary(head.ID)) {
			continue
		}
		var err error
		if d.Work == Unpack {
			err = r.unpacker(d.Source.Bucket, nil).Discard(ctx, d.Key)
		} else if err = r.abortUploads(ctx, d); err == nil {
			err = r.Bucket(d.Source.Bucket).Delete(ctx, d.Key)
		}
		if err != nil {
			return fmt.Errorf("remove %s/%s: %w", d.Source.Bucket, d.Key, err)
		}
	}
	return nil
}

// removeImage deletes the image that is not to stay, and then its snapshots, which deleting an image leaves behind. Those that
// ECS refuses to delete for good are left, and named.
func (r *Restorer) removeImage(ctx context.Context, head *Record) (left []string, err error) {
	image, there, err := r.Images.Image(ctx, head.Image.ID)
	if err != nil {
		return nil, err
	}
	ids := head.Image.Snapshots
	switch {
	case there && image.Name != head.Name:
		return []string{"Image " + image.ID + " is called " + image.Name + " by now: it is left alone."}, nil
	case there:
		if ids == nil {
			ids = snapshots(image)
		}
		if err := r.Images.Delete(ctx, image.ID); err != nil {
			return nil, err
		}
	}
	for _, id := range ids {
		err := r.Images.DeleteSnapshot(ctx, id)
		if err == nil {
			continue
		}
		bad := explain(err, requestInvalid)
		if bad.Class == Wait {
			return nil, err
		}
		left = append(left, "Snapshot "+id+" is left, and costs: delete it. "+bad.detail)
	}
	return left, nil
}

// Cancel stops a restore, and removes what it has made. ErrUnknown and ErrState as their names say.
func (r *Restorer) Cancel(ctx context.Context, name string, t manifest.Trigger) (*Record, error) {
	head, err := r.journal.Head(ctx, r.settings.Region, name)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil, fmt.Errorf("cancel restore of %s: %w", name, ErrUnknown)
	}
	if err != nil {
		return nil, err
	}
	if err := r.cancellable(ctx, head); err != nil {
		return head, fmt.Errorf("cancel restore of %s: %w", name, err)
	}
	next, err := r.settle(ctx, head, found(cancelledByRequest, fmt.Sprintf("cancelled by %s %s", t.Kind, t.ID)))
	if err != nil {
		return r.lost(ctx, head, err)
	}
	return r.drive(ctx, next, nil)
}

// cancellable stops the task, and tells why a restore cannot be cancelled now.
func (r *Restorer) cancellable(ctx context.Context, head *Record) error {
	switch {
	case head.State.Terminal() || head.State == Cleaning:
		return fmt.Errorf("%w: it is %s", ErrState, head.State)
	case head.State.leased() && r.now().Before(head.Lease.Until):
		return fmt.Errorf("%w: somebody is at it until %s", ErrState, head.Lease.Until.Format("15:04:05"))
	case openAttempt(head) != nil:
		return fmt.Errorf("%w: ECS may have begun, which has to be looked up first: run the restore again", ErrState)
	case head.State != Importing || head.Image.TaskID == "":
		return nil
	}
	return r.Tasks.Cancel(ctx, head.Image.TaskID)
}
