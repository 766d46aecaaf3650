package export

import (
	"slices"
	"time"

	"imageferry/internal/manifest"
)

// openAttempt is the attempt whose end is not known, nil when there is none. At most the last one is open.
func openAttempt(m *manifest.Manifest) *manifest.Attempt {
	if n := len(m.Attempts); n > 0 && m.Attempts[n-1].Outcome == "" {
		return &m.Attempts[n-1]
	}
	return nil
}

// openNew begins an attempt.
func openNew(m *manifest.Manifest, now time.Time) {
	number := 1
	if n := len(m.Attempts); n > 0 {
		number = m.Attempts[n-1].Number + 1
	}
	m.Attempts = append(m.Attempts, manifest.Attempt{Number: number, StartedAt: now})
	if n := len(m.Attempts); n > manifest.MaxAttemptsKept {
		out := leastTelling(m.Attempts[:n-1])
		m.Attempts = slices.Delete(m.Attempts, out, out+1)
	}
}

// leastTelling is the oldest attempt without a task, or else the oldest: a long wait for a quota must not make the journal
// forget the tasks that it knows.
func leastTelling(attempts []manifest.Attempt) int {
	return max(0, slices.IndexFunc(attempts, func(a manifest.Attempt) bool { return a.TaskID == "" }))
}

// closeAttempt ends the last attempt with an outcome, and with the finding behind it.
func closeAttempt(m *manifest.Manifest, now time.Time, o manifest.Outcome, bad *finding) {
	n := len(m.Attempts)
	if n == 0 {
		return
	}
	a := &m.Attempts[n-1]
	a.Outcome = o
	a.EndedAt = &now
	if bad == nil {
		return
	}
	a.Reason, a.Message = bad.Code, bad.detail
	if bad.call != nil {
		a.Code, a.Message = bad.call.Code, bad.call.Message
		a.RequestID = bad.call.RequestID
	}
}

// dropOpen forgets an attempt that never reached ECS.
func dropOpen(m *manifest.Manifest) {
	if openAttempt(m) != nil {
		m.Attempts = m.Attempts[:len(m.Attempts)-1]
	}
}
