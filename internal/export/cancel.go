package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"imageferry/internal/manifest"
)

// Cancel stops an export: the task in ECS, if there is one, and what is queued. ErrUnknown and ErrState as their names
// say.
func (f *Ferry) Cancel(ctx context.Context, imageID string, t manifest.Trigger) (Result, error) {
	for {
		head, err := f.journal.Head(ctx, f.settings.Destination, imageID)
		if errors.Is(err, manifest.ErrNotFound) {
			return Result{}, fmt.Errorf("cancel export of %s: %w", imageID, ErrUnknown)
		}
		if err != nil {
			return unreadable(imageID, err)
		}
		if err := f.cancellable(ctx, head); err != nil {
			return Result{}, fmt.Errorf("cancel export of %s: %w", imageID, err)
		}
		bad := found(cancelledByRequest, fmt.Sprintf("cancelled by %s %s", t.Kind, cmp.Or(t.ID, t.RequestID)))
		next := f.after(head, bad)
		err = f.commit(ctx, next, markersOf(head))
		if err == nil {
			return resultOf(next, true), nil
		}
		if !errors.Is(err, manifest.ErrExists) {
			return Result{}, err
		}
	}
}

// cancellable stops the task, and tells why an export cannot be cancelled now.
func (f *Ferry) cancellable(ctx context.Context, head *manifest.Manifest) error {
	switch head.State {
	case manifest.Queued:
		if openAttempt(head) != nil {
			return fmt.Errorf("%w: a task may have been started, which has to be looked up first; try again in a few minutes", ErrState)
		}
		return nil
	case manifest.Submitting:
		return fmt.Errorf("%w: it is being submitted; try again in a few minutes", ErrState)
	case manifest.Exporting:
		err := f.Tasks.Cancel(ctx, head.Task.ID)
		var call *CallError
		if errors.As(err, &call) && (call.Code == "InvalidTaskId.IncorrectTaskStatus" || call.Code == "IncorrectTaskStatus") {
			return fmt.Errorf("%w: its task has ended; the next tick records how", ErrState)
		}
		return err
	}
	return fmt.Errorf("%w: it is %s", ErrState, head.State)
}
