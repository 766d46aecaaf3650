package ecsd

import (
	"context"
	"errors"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/openapi"
)

// finishExport writes the disks of a task whose time has come and ends it.
func (s *Server) finishExport(ctx context.Context, t *task) {
	order, disks, failure := s.beginWriting(t)
	if order == nil {
		return
	}
	subtasks := make([]Subtask, 0, len(order.Subtasks))
	role, err := s.options.Directory.AssumeByService("ecs.aliyuncs.com", order.RoleName, "ecs-export", time.Hour)
	if failure == nil && err != nil {
		failure = s.refuse(refuseRole)
	}
	for n, sub := range order.Subtasks {
		problem := failure
		if problem == nil {
			problem = s.writeDisk(ctx, role, sub, disks[n])
		}
		sub.Status = "Success"
		if problem != nil {
			sub.Status, sub.ErrorCode, sub.ErrorMessage = TaskFailed, problem.Code, problem.Message
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
		status = TaskFailed // Guess: one failed disk fails the task.
	}
	s.tasks.end(t, status, time.Now())
}

// beginWriting makes a task uncancellable and returns a copy of it with the bytes of its disks, and what it fails with
// without writing anything. It returns nil when the task was cancelled.
func (s *Server) beginWriting(t *task) (*Task, []content.Content, *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Status != TaskProcessing {
		return nil, nil, nil
	}
	t.busy = true
	c := t.snapshot(time.Now())
	image, ok := s.images.byID[t.ImageID]
	if !ok {
		return &c, nil, s.refuse(refuseMissingImage)
	}
	if failure, ok := s.failures[t.ImageID]; ok {
		delete(s.failures, t.ImageID)
		return &c, nil, &failure
	}
	disks := make([]content.Content, len(c.Subtasks))
	for n, sub := range c.Subtasks {
		for _, d := range image.Disks {
			if d.Device == sub.Device {
				disks[n] = image.content(d)
			}
		}
	}
	return &c, disks, nil
}

// writeDisk writes one object with all the calls that the documented policy of the export role is made for, so that a role
// that lacks one of them fails here. Guess: which calls ECS really makes, and in which order.
func (s *Server) writeDisk(ctx context.Context, role account.Identity, sub Subtask, disk content.Content) *openapi.Error {
	body, err := artefact(disk, sub.Object, sub.Format)
	if err != nil {
		return s.writeError(err)
	}
	path := sub.Bucket + "/" + sub.Object
	for _, call := range []func() error{
		func() error { return s.touch(ctx, role, "oss:ListMultipartUploads", sub.Bucket) },
		func() error { return s.touch(ctx, role, "oss:AbortMultipartUpload", path) },
		func() error { return s.touch(ctx, role, "oss:DeleteObject", path) },
		func() error { return s.options.Buckets.PutObject(ctx, role, sub.Bucket, sub.Object, body) },
		func() error { return s.touch(ctx, role, "oss:ListParts", path) },
		func() error { return s.touch(ctx, role, "oss:GetObject", path) },
	} {
		if err := call(); err != nil {
			return s.writeError(err)
		}
	}
	return nil
}

// writeError is the error of a subtask. Guess: OSS's errors are reported in the words of ExportImage.
func (s *Server) writeError(err error) *openapi.Error {
	var refused *openapi.Error
	if errors.As(err, &refused) {
		return refused
	}
	return s.refuse(bucketRefusal(err))
}
