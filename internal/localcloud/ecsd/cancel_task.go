package ecsd

import (
	"context"
	"net/http"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// cancelTask ends a running task, of which no object remains.
// Guess: a task that has begun to write its objects can no longer be cancelled.
func (s *Server) cancelTask(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tasks.byID[req.Params.Get("TaskId")]
	switch {
	case !ok:
		return nil, noSuchTask()
	case t.Status != TaskProcessing:
		return nil, openapi.Errorf(http.StatusForbidden, "InvalidTaskId.IncorrectTaskStatus", "The specified task status is invalid.")
	case t.writing:
		return nil, openapi.Errorf(http.StatusForbidden, "CancelTaskFailed", "Cancel task failed.")
	}
	t.stop()
	s.tasks.end(t, TaskDeleted, time.Now())
	return &openapi.Header{}, nil
}
