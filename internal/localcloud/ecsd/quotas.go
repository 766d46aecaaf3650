package ecsd

import (
	"slices"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// Quotas bound the exports and images of the account; 0 means no bound. The platform does not document its numbers.
type Quotas struct {
	// ConcurrentExports is the number of tasks in progress.
	ConcurrentExports int
	// WeeklyExports is the number of tasks submitted within a week of the platform's time.
	// Guess: the last seven days, whatever became of the tasks.
	WeeklyExports int
	// Images is the number of images of the account beyond which none is imported.
	Images int
}

const week = 7 * 24 * time.Hour

// SetQuotas replaces the quotas; tasks in progress go on.
func (s *Server) SetQuotas(q Quotas) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quotas = q
}

// checkQuotas tells whether one more export is within the quotas. The caller holds the lock.
func (s *Server) checkQuotas(now time.Time) *openapi.Error {
	start := now.Add(-s.scaled(week))
	recent, _ := slices.BinarySearchFunc(s.submitted, start, time.Time.Compare)
	s.submitted = slices.Delete(s.submitted, 0, recent)
	if s.quotas.ConcurrentExports > 0 && s.tasks.exporting >= s.quotas.ConcurrentExports {
		return s.refuse(refuseConcurrent)
	}
	if s.quotas.WeeklyExports > 0 && len(s.submitted) >= s.quotas.WeeklyExports {
		return s.refuse(refuseWeekly)
	}
	return nil
}
