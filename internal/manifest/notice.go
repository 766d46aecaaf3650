package manifest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Notice is an entry of the outbox: that a revision has ended an export, somebody still has to be told, at Due or later.
// It is removed when they were, so they may be told twice, but not never.
type Notice struct {
	Due time.Time
	// Since is when it was entered, to the second: a notice that nobody takes is given up some day.
	Since       time.Time
	Revision    int
	Destination Destination
	ImageID     string
}

func (l Layout) notices() string { return l.Active() + "notices/" }

func (l Layout) notice(n Notice) string {
	return fmt.Sprintf("%s%s/%d/%08d/%s/%s", l.notices(), n.Due.UTC().Format(dueFormat), n.Since.Unix(), n.Revision,
		n.Destination.path(), n.ImageID)
}

// parseNotice reads a key back; a key that no notice has is not ok.
func (l Layout) parseNotice(key string) (Notice, bool) {
	rest, ok := strings.CutPrefix(key, l.notices())
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 8 || slices.Contains(parts, "") {
		return Notice{}, false
	}
	due, dueErr := time.Parse(dueFormat, parts[0])
	since, sinceErr := strconv.ParseInt(parts[1], 10, 64)
	revision, revisionErr := strconv.Atoi(parts[2])
	if dueErr != nil || sinceErr != nil || revisionErr != nil {
		return Notice{}, false
	}
	n := Notice{Due: due, Since: time.Unix(since, 0).UTC(), Revision: revision, Destination: destinationOf(parts[3:7]), ImageID: parts[7]}
	return n, revision > 0 && l.notice(n) == key
}

// PutNotice enters a notice; entering it again does no harm.
func (x *Index) PutNotice(ctx context.Context, n Notice) error {
	if err := x.store.Put(ctx, x.layout.notice(n), nil); err != nil {
		return fmt.Errorf("put notice of %s: %w", n.ImageID, err)
	}
	return nil
}

// RemoveNotice takes a notice out; one that is not there is no error.
func (x *Index) RemoveNotice(ctx context.Context, n Notice) error {
	if err := x.store.Delete(ctx, x.layout.notice(n)); err != nil {
		return fmt.Errorf("remove notice of %s: %w", n.ImageID, err)
	}
	return nil
}

// Notices lists the first page of the outbox, by due time.
func (x *Index) Notices(ctx context.Context) ([]Notice, error) {
	notices, _, err := listPage(ctx, x.store, x.layout.notices(), "", x.layout.parseNotice)
	return notices, err
}
