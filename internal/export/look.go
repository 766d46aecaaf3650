package export

import (
	"context"
	"sort"
	"strings"
	"time"

	"imageferry/internal/manifest"
)

// longestTask is how far back a running task may have been created; nobody documents how long an export can take.
const longestTask = 7 * 24 * time.Hour

// lostTask finds the task of the open attempt: one that ECS created since the intent and that the journal does not know,
// finished ones too.
func (f *Ferry) lostTask(ctx context.Context, m *manifest.Manifest) (string, error) {
	since := m.CreatedAt
	if a := openAttempt(m); a != nil {
		since = a.StartedAt
	}
	// ECS gives some times without seconds, and its clock is not ours.
	return f.unknownTask(ctx, m, since.Add(-f.settings.ClockSkew).Truncate(time.Minute), false)
}

// unknownTask finds the export task of the image that the journal does not know and that is most likely this export's: the
// one whose related items say so, and otherwise the first that was created, as long as nothing speaks against it.
func (f *Ferry) unknownTask(ctx context.Context, m *manifest.Manifest, since time.Time, runningOnly bool) (string, error) {
	tasks, err := f.Tasks.TasksOf(ctx, m.Image.ID, since)
	if err != nil {
		return "", err
	}
	sort.SliceStable(tasks, func(i, k int) bool { return tasks[i].CreatedAt.Before(tasks[k].CreatedAt) })
	best, bestID := noEvidence, ""
	for _, t := range tasks {
		status := statusOf(t.Status)
		if knows(m, t.ID) || t.CreatedAt.Before(since) || runningOnly && status != taskRunning {
			continue
		}
		detail, ok, err := f.Tasks.Detail(ctx, t.ID)
		if err != nil {
			return "", err
		}
		e := bare
		if ok {
			e = evidenceOf(detail, m)
		}
		if status == taskCancelledStatus && e < sameObject {
			continue // somebody else may have cancelled something else
		}
		if e > best {
			best, bestID = e, t.ID
		}
	}
	return bestID, nil
}

// evidence is how much speaks for a task being this export's.
type evidence int

const (
	noEvidence evidence = iota
	bare                // nothing speaks against it
	sameBucket
	sameObject
)

func evidenceOf(d TaskDetail, m *manifest.Manifest) evidence {
	if foreign(d, m) != "" {
		return noEvidence
	}
	e := bare
	for _, s := range d.Subtasks {
		switch {
		case s.Object != "":
			return sameObject
		case s.Bucket != "":
			e = sameBucket
		}
	}
	return e
}

// knows tells whether the journal has the task already.
func knows(m *manifest.Manifest, taskID string) bool {
	if m.Task != nil && m.Task.ID == taskID {
		return true
	}
	for _, a := range m.Attempts {
		if a.TaskID == taskID {
			return true
		}
	}
	return false
}

// foreign tells why a task cannot be ours, as far as its related items are known; empty when nothing speaks against it.
func foreign(d TaskDetail, m *manifest.Manifest) string {
	start := m.Image.ID
	if m.Destination.Prefix != "" {
		start = m.Destination.Prefix + "_" + start
	}
	for _, s := range d.Subtasks {
		switch {
		case s.Bucket != "" && s.Bucket != m.Destination.Bucket:
			return "task " + d.ID + " writes to bucket " + s.Bucket
		case s.Object != "" && !strings.HasPrefix(s.Object, start):
			return "task " + d.ID + " writes " + s.Object
		// A region without a choice of formats exports raw whatever was asked for, as one page of the documents has it.
		case s.Format != "" && !strings.EqualFold(s.Format, m.Destination.Format) && !strings.EqualFold(s.Format, "raw"):
			return "task " + d.ID + " writes " + s.Format
		}
	}
	return ""
}
