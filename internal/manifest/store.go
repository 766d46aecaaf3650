package manifest

import (
	"context"
	"errors"
)

// Errors of a Store and of the journal on it, to be told apart with errors.Is.
var (
	// ErrExists: the key is taken by another writer.
	ErrExists = errors.New("already exists")
	// ErrNotFound: nothing is stored under the key.
	ErrNotFound = errors.New("not found")
	// ErrUnreadable: what is stored is no manifest of this export: damaged, or foreign.
	ErrUnreadable = errors.New("unreadable manifest")
	// ErrNewer: a newer version of imageferry wrote it.
	ErrNewer = errors.New("manifest of a newer version")
)

// A Store keeps small objects (up to a few hundred KiB) under keys. Implementations MUST be safe for concurrent use, MUST
// honour ctx, and MUST be durable and strongly consistent by key when a write returns nil: every later Get of the key sees
// it. Reads and idempotent writes are retried inside, within ctx; an error is what remains after that.
type Store interface {
	// Create stores data under a key that MUST NOT be taken, atomically against every other Create of the key; a taken key
	// is ErrExists and keeps its content. Any other error leaves open whether data was stored: the caller reads the key to
	// find out. A Create is retried inside only so that its own write can come back as ErrExists, which the caller has to
	// expect.
	Create(ctx context.Context, key string, data []byte) error
	// Put stores data under the key, over whatever is there.
	Put(ctx context.Context, key string, data []byte) error
	// Get returns what is stored under the key; nothing is ErrNotFound, and what is too large for a manifest may be
	// ErrUnreadable.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete removes the key; a key that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List returns up to limit (1 to 1000) keys that begin with prefix and are greater than after, in byte order; more tells
	// whether there are others after them, and none comes with it empty. A listing may be stale.
	List(ctx context.Context, prefix, after string, limit int) (keys []string, more bool, err error)
}
