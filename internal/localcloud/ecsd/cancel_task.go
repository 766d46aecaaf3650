package ecsd

import (
	"context"
	"net/http"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// cancelTask ends a running task, of which no object and no image remains.
// Guess: a task that has begun to write or read its objects can no longer be cancelled, and the image of a cancelled import
// is deleted, as that of a cancelled copy is.
func (s *Server) cancelTask(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	t, err := s.cancel(req)
	if err != nil {
		return nil, err
	}
	if t.Action == ActionImport {
		s.stateChanged(t.ImageID, statusDeleted)
	}
	return &openapi.Header{}, nil
}

func (s *Server) cancel(req *openapi.Request) (*task, *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tasks.byID[req.Params.Get("TaskId")]
	switch {
	case !ok:
		return nil, noSuchTask()
	case t.Status != TaskProcessing:
		return nil, openapi.Errorf(http.StatusForbidden, "InvalidTaskId.IncorrectTaskStatus", "The specified task status is invalid.")
	case t.busy:
		return nil, openapi.Errorf(http.StatusForbidden, "CancelTaskFailed", "Cancel task failed.")
	}
	t.stop()
	s.tasks.end(t, TaskDeleted, time.Now())
	if t.Action == ActionImport {
		s.images.remove(t.ImageID)
	}
	return t, nil
}
