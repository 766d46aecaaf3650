package unpack

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cleaning bounds the removal of what a refused source has left, which goes on when the caller's context has ended.
const cleaning = time.Minute

// A run is one call of Run.
type run struct {
	*Unpacker
	src   Source
	dst   Target
	meter meter
}

// Run unpacks the source into the target, or goes on where an earlier Run for them ended. It returns when the target is
// complete and verified, or at once if the source needs no unpacking or the target is there already. After a final error
// (Reason.Final) nothing is left of the attempt; after any other, running again goes on. Run MUST NOT be called twice at the
// same time for one target.
func (u *Unpacker) Run(ctx context.Context, src Source, dst Target) (Result, error) {
	if dst.MaxSize == 0 {
		dst.MaxSize = LargestFile
	}
	dst.MinSize = max(dst.MinSize, 1)
	r := &run{Unpacker: u, src: src, dst: dst, meter: meter{report: u.opts.Progress}}
	result, err := r.do(ctx)
	result.Work = r.meter.progress()
	err = reasoned(ctx, err)
	if refused, ok := errors.AsType[*Error](err); ok && refused.Reason.Final() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
		defer cancel()
		if err := u.abandon(ctx, dst.Key); err != nil {
			refused.Err = errors.Join(refused.Err, err)
		}
	}
	return result, err
}

func (r *run) do(ctx context.Context) (Result, error) {
	old, err := loadRecord(ctx, r.to, r.dst.Key)
	if err != nil {
		return Result{}, err
	}
	if old != nil && old.serves(r.src) {
		if result, ok, err := r.finished(ctx, old); ok || err != nil {
			return result, err
		}
	}
	f, object, err := r.inspect(ctx, r.src)
	if err != nil {
		return Result{}, err
	}
	if !f.Archive() {
		return Result{Format: f, Object: object}, r.abandon(ctx, r.dst.Key)
	}
	r.meter.add(func(p *Progress) { p.ReadTotal = object.Size })

	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	in := &source{ctx: reading, from: r.from, object: object, sleep: r.opts.Sleep, random: r.opts.Random}
	defer in.close()
	a, err := openArchive(in, f, r.dst.MinSize, r.dst.MaxSize)
	if err != nil {
		return Result{}, err
	}
	r.meter.add(func(p *Progress) { p.UnpackedTotal = a.size })
	now := &record{
		Version: recordVersion,
		Source:  origin{Bucket: r.src.Bucket, Key: r.src.Key, ETag: object.ETag, Size: object.Size},
	}
	now.Plan = plan(now.Source, r.limits)
	upload, have, err := r.begin(ctx, old, now)
	if err != nil {
		return Result{}, err
	}
	t := newTransfer(r, in, a, upload, have)
	if err := t.move(ctx, stopReading); err != nil {
		return Result{}, err
	}
	now.Seal = t.seal()
	result, err := r.complete(ctx, now, t.parts)
	result.Resumed = have != nil
	return result, err
}

// finished looks whether an earlier run for the source has made the target, or all of it but the last call.
func (r *run) finished(ctx context.Context, old *record) (result Result, ok bool, err error) {
	if old.Seal == nil || old.Seal.Size < r.dst.MinSize || old.Seal.Size > r.dst.MaxSize {
		return Result{}, false, nil
	}
	target, err := r.to.Head(ctx, r.dst.Key)
	if err != nil && !errors.Is(err, ErrAbsent) {
		return Result{}, false, fmt.Errorf("look for the target: %w", err)
	}
	if err == nil {
		if !old.Seal.fits(target) {
			return Result{}, false, nil
		}
		result := Result{Unpacked: true, Format: old.Seal.Format, Object: target, Found: true}
		return result, true, r.tidy(ctx, r.dst.Key)
	}
	if old.Plan != plan(old.Source, r.limits) {
		return Result{}, false, nil
	}
	parts, err := r.to.Parts(ctx, Upload{Key: r.dst.Key, ID: old.Upload})
	if errors.Is(err, ErrNoUpload) || err == nil && digest(parts) != old.Seal.Parts {
		return Result{}, false, nil
	}
	if err != nil {
		return Result{}, false, fmt.Errorf("list the parts: %w", err)
	}
	r.meter.add(func(p *Progress) {
		p.UnpackedTotal, p.Kept, p.Parts = old.Seal.Size, old.Seal.Size, len(parts)
	})
	result, err = r.complete(ctx, old, parts)
	result.Resumed = true
	return result, true, err
}

// begin returns the upload to put parts into and, if an earlier run has begun it for the same plan, the parts that it has
// (not nil then). Everything of another plan is removed, and an object that is not ours is left alone.
func (r *run) begin(ctx context.Context, old, now *record) (Upload, map[int]Part, error) {
	if old != nil && (old.Plan != now.Plan || old.Upload == "" || old.Seal != nil) {
		// With a seal, the target was lost or the parts are not those that were sealed: nothing of it is to be trusted.
		if err := r.Discard(ctx, r.dst.Key); err != nil {
			return Upload{}, nil, err
		}
		old = nil
	}
	switch _, err := r.to.Head(ctx, r.dst.Key); {
	case err == nil:
		return Upload{}, nil, &Error{Reason: ReasonTargetExists, Detail: r.dst.Key + " exists and is not ours"}
	case !errors.Is(err, ErrAbsent):
		return Upload{}, nil, fmt.Errorf("look for the target: %w", err)
	}
	if old != nil {
		upload := Upload{Key: r.dst.Key, ID: old.Upload}
		have, err := r.resume(ctx, upload)
		if err != nil && !errors.Is(err, ErrNoUpload) {
			return Upload{}, nil, err
		}
		if err == nil {
			now.Upload = upload.ID
			return upload, have, saveRecord(ctx, r.to, r.dst.Key, now) // so that Clean sees that it is in work
		}
	}
	if err := saveRecord(ctx, r.to, r.dst.Key, now); err != nil {
		return Upload{}, nil, err
	}
	upload, err := r.to.Begin(ctx, r.dst.Key)
	if err != nil {
		return Upload{}, nil, fmt.Errorf("begin the upload: %w", err)
	}
	now.Upload = upload.ID
	return upload, nil, saveRecord(ctx, r.to, r.dst.Key, now)
}

// resume finds the parts of the upload, and aborts others for the target: those whose begin was not recorded any more.
func (r *run) resume(ctx context.Context, upload Upload) (map[int]Part, error) {
	if err := r.abort(ctx, r.dst.Key, upload.ID); err != nil {
		return nil, err
	}
	parts, err := r.to.Parts(ctx, upload)
	if err != nil {
		return nil, fmt.Errorf("list the parts: %w", err)
	}
	have := make(map[int]Part, len(parts))
	for _, p := range parts {
		have[p.Number] = p
	}
	return have, nil
}

// complete makes the target out of the parts and compares it with the seal. The record holds the seal before, so that a
// target whose creation was not answered is known again.
func (r *run) complete(ctx context.Context, sealed *record, parts []Part) (Result, error) {
	key := r.dst.Key
	if err := saveRecord(ctx, r.to, key, sealed); err != nil {
		return Result{}, err
	}
	target, err := r.to.Complete(ctx, Upload{Key: key, ID: sealed.Upload}, parts)
	if err != nil || !target.HasCRC64 || target.ETag == "" {
		cause := err
		target, err = r.to.Head(ctx, key)
		switch {
		case errors.Is(cause, ErrExists) && err == nil && !sealed.Seal.fits(target):
			return Result{}, &Error{Reason: ReasonTargetExists, Detail: key + " was made by somebody else", Err: cause}
		case cause != nil && (err != nil || !sealed.Seal.fits(target)):
			return Result{}, fmt.Errorf("complete the upload: %w", cause)
		case err != nil:
			return Result{}, fmt.Errorf("look at the target: %w", err)
		}
	}
	if !sealed.Seal.fits(target) {
		detail := fmt.Sprintf("%s has %d bytes with the CRC-64 %d, not %d with %d",
			key, target.Size, target.CRC64, sealed.Seal.Size, sealed.Seal.CRC64)
		return Result{}, &Error{Reason: ReasonTargetChecksum, Detail: detail, Err: r.to.Delete(ctx, key)}
	}
	target.Key = key
	return Result{Unpacked: true, Format: sealed.Seal.Format, Object: target}, r.tidy(ctx, key)
}
