package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"imageferry/internal/manifest"
)

const (
	// maxNotices bounds what one round tells: a receiver has its limits, too.
	maxNotices = 20
	// noticeDelay is the first wait after somebody could not be told; it doubles with the time that has passed.
	noticeDelay = 5 * time.Minute
	// noticeLife is how long telling somebody is tried.
	noticeLife = 3 * 24 * time.Hour
)

// A NoticeError is a notice that was not taken.
type NoticeError struct {
	// Final: asking again is of no use.
	Final bool
	// After is how long to wait before asking again at least; 0 when the receiver did not say.
	After time.Duration
	// Cause has no secret in its text.
	Cause error
}

func (e *NoticeError) Error() string { return e.Cause.Error() }

// Unwrap gives errors.Is the cause.
func (e *NoticeError) Unwrap() error { return e.Cause }

func noticeOf(m *manifest.Manifest) manifest.Notice {
	at := m.UpdatedAt.UTC()
	return manifest.Notice{Due: at, Since: at.Truncate(time.Second), Revision: m.Revision, Destination: m.Destination, ImageID: m.Image.ID}
}

// Notify tells people of the exports that have ended, the longest due first, and ends with the first that is not taken for
// now. It costs nothing where nobody is to be told. What is told twice has the same id.
func (f *Ferry) Notify(ctx context.Context) (Round, error) {
	round := Round{Action: "notify"}
	if f.Notifier == nil {
		return round, nil
	}
	notices, err := f.index.Notices(ctx)
	if err != nil {
		return round, fmt.Errorf("notify: %w", err)
	}
	for _, n := range notices {
		if n.Due.After(f.now()) {
			return round, nil
		}
		if round.Seen == maxNotices || !f.hasTime(ctx) {
			round.Incomplete = true
			return round, nil
		}
		round.Seen++
		if err := f.notifyOne(ctx, n); err != nil {
			return round, fmt.Errorf("notify: %w", err)
		}
	}
	return round, nil
}

// notifyOne has an error when the others should not be tried now either.
func (f *Ferry) notifyOne(ctx context.Context, n manifest.Notice) error {
	m, err := f.journal.Revision(ctx, n.Destination, n.ImageID, n.Revision)
	if _, other := unreadable(n.ImageID, err); err != nil && other != nil && !errors.Is(err, manifest.ErrNotFound) {
		return err
	}
	if err != nil {
		f.log.WarnContext(ctx, "notice has no revision", "imageId", n.ImageID, "revision", n.Revision, "error", err.Error())
		return f.index.RemoveNotice(ctx, n)
	}
	err = f.Notifier.Send(ctx, m)
	if err == nil {
		return f.index.RemoveNotice(ctx, n)
	}
	var refused *NoticeError
	if !errors.As(err, &refused) {
		refused = &NoticeError{Cause: err}
	}
	age := f.now().Sub(n.Since)
	if refused.Final || age > noticeLife {
		f.log.ErrorContext(ctx, "notice is given up", "imageId", n.ImageID, "revision", n.Revision, "error", err.Error())
		return f.index.RemoveNotice(ctx, n)
	}
	later := n
	later.Due = f.now().Add(max(noticeDelay, refused.After, min(age, maxWait)))
	if putErr := f.index.PutNotice(ctx, later); putErr != nil {
		return errors.Join(err, putErr)
	}
	return errors.Join(err, f.index.RemoveNotice(ctx, n))
}
