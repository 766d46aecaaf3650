package ecsd

import (
	"context"
	"errors"
	"net/http"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/diskfile"
	"imageferry/internal/localcloud/openapi"
)

// The image and the task of an import disagree for most of the time, as the platform's do: the task is Processing while the
// image is still Waiting, and Finished or Failed while the image is still Creating.

// beginImport is when the image leaves the queue.
func (s *Server) beginImport(t *task) {
	s.mu.Lock()
	image, ok := s.images.byID[t.ImageID]
	ok = ok && t.Status == TaskProcessing
	if ok {
		image.Status = StatusCreating
	}
	if t.Status == TaskProcessing {
		t.stop = s.timers.after(t.duration-t.duration/10, func(ctx context.Context) { s.finishImport(ctx, t) })
	}
	s.mu.Unlock()
	if ok {
		s.stateChanged(t.ImageID, StatusCreating)
	}
}

// finishImport reads the disks of a task whose time has come and ends it.
func (s *Server) finishImport(ctx context.Context, t *task) {
	order, failure := s.beginReading(t)
	if order == nil {
		return
	}
	role, err := s.assumeImportRole(order.RoleName)
	if failure == nil {
		failure = err
	}
	subtasks := make([]Subtask, 0, len(order.Subtasks))
	disks := make([]Disk, len(order.Subtasks))
	for n, sub := range order.Subtasks {
		problem := failure
		if problem == nil {
			disks[n], problem = s.readDisk(ctx, role, sub, n)
		}
		sub.Status = "Success"
		if problem != nil {
			sub.Status, sub.ErrorCode, sub.ErrorMessage = TaskFailed, problem.Code, problem.Message
		} else {
			sub.Format = disks[n].Format
		}
		subtasks = append(subtasks, sub)
	}
	if ctx.Err() != nil {
		return // the server is being closed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Subtasks = subtasks
	status := TaskFinished
	if t.count(TaskFailed) > 0 {
		status = TaskFailed // Guess: one failed disk fails the task and the image.
	}
	s.tasks.end(t, status, time.Now())
	s.timers.after(s.scaled(s.options.ImportSettle), func(context.Context) { s.settleImport(t, disks) })
}

// beginReading makes a task uncancellable and returns a copy of it, and what it fails with without reading anything. It
// returns nil when the task was cancelled.
func (s *Server) beginReading(t *task) (*Task, *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Status != TaskProcessing {
		return nil, nil
	}
	t.busy = true
	c := t.snapshot(time.Now())
	image, ok := s.images.byID[t.ImageID]
	if !ok {
		return &c, today(refuseMissingImage)
	}
	if failure, ok := s.importFail[image.Name]; ok {
		delete(s.importFail, image.Name)
		return &c, &failure
	}
	return &c, nil
}

// readDisk reads the object of the disk at the index. Guess: the codes of what is wrong with it; the platform documents none
// for a task.
func (s *Server) readDisk(ctx context.Context, role account.Identity, sub Subtask, n int) (Disk, *openapi.Error) {
	file, err := s.options.Buckets.GetObject(ctx, role, sub.Bucket, sub.Object)
	if err != nil {
		return Disk{}, importError(err)
	}
	bytes, format, err := diskfile.Decode(sub.Format, file)
	switch {
	case errors.Is(err, diskfile.ErrUnsupported) && format == diskfile.VMDK:
		return Disk{}, openapi.Errorf(http.StatusForbidden, "UserNotInTheWhiteList", "The user is not in the white list of importing image.")
	case err != nil:
		return Disk{}, openapi.Errorf(http.StatusBadRequest, "InvalidImageFormat.Malformed", "The specified Image Format is wrongly formed: %s.", err)
	}
	d := Disk{Content: bytes, Format: format, SizeGiB: sub.sizeGiB}
	if d.SizeGiB == 0 {
		d.SizeGiB = int((bytes.Size() + gib - 1) / gib)
	}
	if bytes.Size() > int64(d.SizeGiB)*gib || d.SizeGiB > maxImportGiB {
		return Disk{}, wrongSize(n)
	}
	return d, nil
}

// settleImport is when the image becomes what its task has been for a while.
func (s *Server) settleImport(t *task, disks []Disk) {
	s.mu.Lock()
	image, ok := s.images.byID[t.ImageID]
	status := StatusCreateFailed
	if ok {
		image.importing = nil
		if t.Status == TaskFinished {
			status = StatusAvailable
			image.Progress = "100%"
			for n, d := range disks[:min(len(disks), len(image.Disks))] {
				into := &image.Disks[n]
				into.Content, into.Format, into.SizeGiB = d.Content, d.Format, d.SizeGiB
			}
		}
		image.Status = status
	}
	s.mu.Unlock()
	if ok {
		s.stateChanged(t.ImageID, status)
	}
}
