package unpack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Discard removes everything that Run made for the target: unfinished uploads, temporary objects, the object itself and the
// record. Without a record nothing is touched, and an object that the record does not show to be ours stays. It may be
// repeated; its errors are the store's.
func (u *Unpacker) Discard(ctx context.Context, key string) error {
	old, err := loadRecord(ctx, u.to, key)
	if err != nil || old == nil {
		return err
	}
	target, err := u.to.Head(ctx, key)
	if err != nil && !errors.Is(err, ErrAbsent) {
		return fmt.Errorf("look for the target: %w", err)
	}
	if err == nil && old.Seal.fits(target) {
		if err := u.to.Delete(ctx, key); err != nil {
			return fmt.Errorf("delete the target: %w", err)
		}
	}
	return u.abandon(ctx, key)
}

// abandon removes what is there for an unfinished target: uploads, temporary objects and the record. A finished target keeps
// its record.
func (u *Unpacker) abandon(ctx context.Context, key string) error {
	old, err := loadRecord(ctx, u.to, key)
	if err != nil || old == nil {
		return err
	}
	if err := u.tidy(ctx, key); err != nil {
		return err
	}
	target, err := u.to.Head(ctx, key)
	switch {
	case err != nil && !errors.Is(err, ErrAbsent):
		return fmt.Errorf("look for the target: %w", err)
	case err == nil && old.Seal.fits(target):
		return nil
	}
	if err := u.to.Delete(ctx, key+recordSuffix); err != nil {
		return fmt.Errorf("delete the record: %w", err)
	}
	return nil
}

// abort ends all uploads for the target but one.
func (u *Unpacker) abort(ctx context.Context, key, but string) error {
	uploads, err := u.to.Uploads(ctx, key)
	if err != nil {
		return fmt.Errorf("list the uploads: %w", err)
	}
	for _, upload := range uploads {
		if upload.Key != key || upload.ID == but {
			continue
		}
		if err := u.to.Abort(ctx, upload); err != nil {
			return fmt.Errorf("abort an upload: %w", err)
		}
	}
	return nil
}

// tidy removes what is not needed beside a finished target: uploads, of which a run at the same time may have left one, and
// the object of zeros.
func (u *Unpacker) tidy(ctx context.Context, key string) error {
	if err := u.abort(ctx, key, ""); err != nil {
		return err
	}
	if err := u.to.Delete(ctx, key+zerosSuffix); err != nil {
		return fmt.Errorf("delete the object of zeros: %w", err)
	}
	return nil
}

// Cleaned counts what Clean removed.
type Cleaned struct {
	// Targets are those of which something was removed; Uploads and Objects are what was removed.
	Targets, Uploads, Objects int
}

// Clean removes what runs that nobody resumed have left under the prefix: the uploads, temporary objects and records of
// targets whose records were last written before olderThan. Finished targets with their records stay, and so do objects and
// uploads without a record, which are not ours. olderThan has to be longer ago than the longest run takes. It goes on after
// a failure with the next target, and returns all failures.
func Clean(ctx context.Context, store Store, prefix string, olderThan time.Time) (Cleaned, error) {
	var done Cleaned
	objects, err := store.List(ctx, prefix)
	if err != nil {
		return done, fmt.Errorf("list the objects: %w", err)
	}
	u := New(store, store, Options{})
	var failures []error
	for _, o := range objects {
		key, ok := strings.CutSuffix(o.Key, recordSuffix)
		if !ok || !strings.HasPrefix(key, prefix) || !o.Modified.Before(olderThan) {
			continue
		}
		if err := u.clean(ctx, key, olderThan, &done); err != nil {
			failures = append(failures, fmt.Errorf("clean %s: %w", key, err))
		}
	}
	return done, errors.Join(failures...)
}

// clean abandons one target, unless a run has taken it up since it was listed, and counts what that removes.
func (u *Unpacker) clean(ctx context.Context, key string, olderThan time.Time, done *Cleaned) error {
	switch o, err := u.to.Head(ctx, key+recordSuffix); {
	case errors.Is(err, ErrAbsent) || err == nil && !o.Modified.Before(olderThan):
		return nil
	case err != nil:
		return fmt.Errorf("look at the record: %w", err)
	}
	uploads, objects, err := u.left(ctx, key)
	if err != nil {
		return err
	}
	if err := u.abandon(ctx, key); err != nil {
		return err
	}
	uploadsNow, objectsNow, err := u.left(ctx, key)
	if err != nil {
		return err
	}
	done.Uploads += uploads - uploadsNow
	done.Objects += objects - objectsNow
	if uploads+objects > uploadsNow+objectsNow {
		done.Targets++
	}
	return nil
}

// left counts what is there beside the target.
func (u *Unpacker) left(ctx context.Context, key string) (uploads, objects int, err error) {
	all, err := u.to.Uploads(ctx, key)
	if err != nil {
		return 0, 0, fmt.Errorf("list the uploads: %w", err)
	}
	for _, upload := range all {
		if upload.Key == key {
			uploads++
		}
	}
	for _, suffix := range []string{recordSuffix, zerosSuffix} {
		switch _, err := u.to.Head(ctx, key+suffix); {
		case err == nil:
			objects++
		case !errors.Is(err, ErrAbsent):
			return 0, 0, fmt.Errorf("look at %s: %w", key+suffix, err)
		}
	}
	return uploads, objects, nil
}
