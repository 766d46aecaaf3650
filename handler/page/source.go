package page

import (
	"context"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// A Source is what the page shows: see Ferry. Implementations MUST be safe for concurrent use and MUST honour ctx; reads are
// retried inside, within ctx, and what is returned is only read by the page. Everything may be some seconds old.
type Source interface {
	// Recent returns up to limit (1 to 100) exports that match the filter, the running ones first, then those that wait, then
	// those that are over, the newest first, from where cursor says; an empty cursor is the beginning, one of another list is
	// export.ErrCursor. No match is no error.
	Recent(ctx context.Context, filter export.Filter, cursor string, limit int) (export.Recent, error)
	// Overview counts all exports. It should cost little more for many exports than for few: every look at the page asks for it.
	Overview(ctx context.Context) (export.Overview, error)
	// History returns every revision of an export, oldest first, with an error in place of one that cannot be read;
	// export.ErrUnknown when there is none.
	History(ctx context.Context, imageID string) ([]manifest.Entry, error)
	// Progress returns the percentage done of running tasks by task id. It is optional: a task may be absent, and with an error
	// the page shows what came with it.
	Progress(ctx context.Context, taskIDs []string) (map[string]int, error)
	// Rehearsals tells what rehearsals of restores have shown of an export, nil when there was none. It is optional: with an error
	// the page says nothing of them.
	Rehearsals(ctx context.Context, imageID string) (*restore.Rehearsals, error)
	// AtWork returns the restores that have not ended, oldest first, and RestoresOf those of an exported image, the newest first.
	// Both are optional: with an error the page shows none.
	AtWork(ctx context.Context) ([]*restore.Record, error)
	RestoresOf(ctx context.Context, imageID string) ([]*restore.Record, error)
	// Destination is where the exports go. It calls nobody.
	Destination() manifest.Destination
}

// Actions are what the page's forms ask for. Each returns what became of the export: a Result without a State means that
// nothing was done, for its Reason. export.ErrUnknown and export.ErrState are shown as what they are, other errors only as "not
// possible for now". They are called once for each form sent, never again by themselves.
type Actions interface {
	// Submit exports an image unless it is exported already.
	Submit(ctx context.Context, imageID string) (export.Result, error)
	// Retry starts an export again from whatever state.
	Retry(ctx context.Context, imageID string) (export.Result, error)
	// Cancel stops an export that is not finished.
	Cancel(ctx context.Context, imageID string) (export.Result, error)
}
