package restore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"imageferry/internal/manifest"
	"imageferry/internal/unpack"
)

// prepare finds the image of an attempt whose answer was lost, or makes everything ready for the next one.
func (r *Restorer) prepare(ctx context.Context, head *Record, watch func(Progress)) (*Record, error) {
	id, bad := r.seek(ctx, head)
	if id != "" {
		return r.accepted(ctx, head, Accepted{ImageID: id}, manifest.Adopted)
	}
	if bad != nil {
		return r.settle(ctx, head, bad)
	}
	head, err := r.hold(ctx, head, func(ctx context.Context, t *tenure) error {
		if all := r.check(ctx, head.Disks); len(all) > 0 && ctx.Err() == nil {
			bad = worst(all)
			return nil
		}
		return t.ready(ctx, watch)
	})
	switch {
	case bad != nil:
		return r.settle(ctx, head, bad)
	case errors.Is(err, manifest.ErrExists):
		return nil, err
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return r.settle(ctx, head, found(interrupted, "the objects were not ready in time"))
	case err != nil:
		return r.settle(ctx, head, explain(err, ossUnavailable))
	}
	next := r.leased(ctx, r.following(head, Submitting))
	r.begin(next)
	next.Request.Disks = mappings(next.Disks)
	next.Request.ClientToken = clientToken(next)
	return next, r.commit(ctx, next)
}

// worst is what ends the restore, if something does.
func worst(all []*finding) *finding {
	for _, bad := range all {
		if _, over := bad.ends(); over {
			return bad
		}
	}
	return all[0]
}

// ready makes the object to import of every disk.
func (t *tenure) ready(ctx context.Context, watch func(Progress)) error {
	disks := t.newest().Disks
	for i, d := range disks {
		made, err := t.make(ctx, d, func(p unpack.Progress) {
			if watch != nil {
				watch(Progress{Disk: i + 1, Disks: len(disks), Progress: p})
			}
		})
		if err != nil {
			return fmt.Errorf("make %s: %w", d.Key, err)
		}
		if made == d {
			continue
		}
		if err := t.revise(ctx, func(next *Record) { next.Disks[i] = made }); err != nil {
			return err
		}
	}
	return nil
}

// make is a disk whose object to import is there.
func (r *Restorer) make(ctx context.Context, d Disk, watch func(unpack.Progress)) (Disk, error) {
	var object unpack.Object
	switch d.Work {
	case Unpack:
		result, err := r.unpacker(d.Source.Bucket, watch).Run(ctx, source(d), unpack.Target{Key: d.Key, MinSize: 1, MaxSize: int64(d.SizeGiB) << 30})
		if err != nil {
			return d, err
		}
		d.Format = string(result.Format)
		d.Sent += result.Work.Sent
		object = result.Object
	case Copy:
		var err error
		if object, err = r.copy(ctx, d); err != nil {
			return d, err
		}
	default:
		d.Bytes, d.CRC64, d.Ready = d.Source.Size, d.Source.CRC64, true
		return d, nil
	}
	if d.SizeGiB == 0 && d.Format == string(unpack.FormatRAW) {
		d.SizeGiB = int((object.Size + 1<<30 - 1) >> 30)
	}
	d.Bytes, d.Ready = object.Size, true
	if object.HasCRC64 {
		d.CRC64 = strconv.FormatUint(object.CRC64, 10)
	}
	return d, nil
}

// copyPart is how much one call copies; OSS takes parts up to 5 GB.
const copyPart = 1 << 30

// copy makes a copy of an object under a name that ImportImage takes, on the server.
func (r *Restorer) copy(ctx context.Context, d Disk) (unpack.Object, error) {
	store := r.Bucket(d.Source.Bucket)
	from, err := store.Head(ctx, d.Source.Key)
	if err != nil {
		return unpack.Object{}, err
	}
	if made, err := r.copied(ctx, d, from); err == nil || !errors.Is(err, unpack.ErrAbsent) {
		return made, err
	}
	if err := r.abortUploads(ctx, d); err != nil {
		return unpack.Object{}, err
	}
	upload, err := store.Begin(ctx, d.Key)
	if err != nil {
		return unpack.Object{}, err
	}
	var parts []unpack.Part
	for at := int64(0); at < from.Size; at += copyPart {
		part, err := store.CopyPart(ctx, upload, len(parts)+1, unpack.Range{
			Key: d.Source.Key, ETag: from.ETag, Offset: at, Length: min(copyPart, from.Size-at),
		})
		if err != nil {
			return unpack.Object{}, err
		}
		parts = append(parts, part)
	}
	if _, err := store.Complete(ctx, upload, parts); err != nil && !errors.Is(err, unpack.ErrExists) {
		return unpack.Object{}, err
	}
	return r.copied(ctx, d, from)
}

// copied is the copy, if there is one: unpack.ErrAbsent.
func (r *Restorer) copied(ctx context.Context, d Disk, from unpack.Object) (unpack.Object, error) {
	made, err := r.Bucket(d.Source.Bucket).Head(ctx, d.Key)
	if err == nil && (made.Size != from.Size || made.HasCRC64 && from.HasCRC64 && made.CRC64 != from.CRC64) {
		return made, &unpack.Error{Reason: unpack.ReasonTargetExists, Detail: "another object has the key " + d.Key}
	}
	return made, err
}

func (r *Restorer) abortUploads(ctx context.Context, d Disk) error {
	store := r.Bucket(d.Source.Bucket)
	uploads, err := store.Uploads(ctx, d.Key)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		if err := store.Abort(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
