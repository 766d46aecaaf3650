package unpack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Source is the object to unpack, as the manifest records it.
type Source struct {
	// Bucket names the bucket that the Reader reads: it tells sources of different buckets apart and is not used otherwise.
	Bucket, Key string
	// ETag, Size and CRC64 are what the object must have; "", 0 and nil mean that the manifest does not say.
	ETag  string
	Size  int64
	CRC64 *uint64
}

// A Target is the object to write.
type Target struct {
	// Key gets the unpacked file. ImportImage wants a suffix that fits the format, so the caller chooses it. The record and
	// the temporary objects lie under Key + ".unpack/".
	Key string
	// MinSize and MaxSize bound the size of the unpacked file in bytes, both included. Equal ones demand one size; a MaxSize
	// of 0 means LargestFile.
	MinSize, MaxSize int64
}

// LargestFile is the largest file that is unpacked: 2048 GiB, which is the largest disk that ImportImage takes.
const LargestFile = 2048 << 30

// A Result says what was done.
type Result struct {
	// Unpacked is false if the source is no archive: it can be imported as it is, and no target was written.
	Unpacked bool
	// Format is what ImportImage gets: the source's own, or that of the unpacked file. The guest can write the signature of
	// any format into a RAW disk: compare with the format that the manifest records.
	Format Format
	// Object is what to import: the verified target, or the source itself, with size, ETag and (if known) CRC-64.
	Object Object
	// Found is true if an earlier run had finished the target already.
	Found bool
	// Resumed is true if an upload of an earlier run was continued.
	Resumed bool
	// Work counts the bytes.
	Work Progress
}

// Options tune an Unpacker; the zero value is meant for use.
type Options struct {
	// Parallel bounds the parts that are on their way at the same time; 0 means 4. Memory bounds them, too: files of more
	// than 74 GiB have larger parts, of which fewer are sent at once.
	Parallel int
	// Progress, if set, is called after every step, by one goroutine at a time; it should return at once.
	Progress func(Progress)
	// Sleep waits between attempts to go on reading; nil waits in real time. It returns early with ctx's error.
	Sleep func(ctx context.Context, d time.Duration) error
	// Random returns a number in [0, 1) for the jitter of these waits; nil means a random one.
	Random func() float64
}

// An Unpacker unpacks objects of one bucket into one bucket of the same region. It is safe for concurrent use, for different
// targets. The buffers of a run take up to 48 MiB of memory, 70 MiB for a file of 500 GiB and 237 MiB for one of 2048 GiB.
type Unpacker struct {
	from   Reader
	to     Store
	opts   Options
	limits limits
}

// New returns an Unpacker that reads from and writes to; they may be the same bucket.
func New(from Reader, to Store, opts Options) *Unpacker {
	if opts.Parallel <= 0 {
		opts.Parallel = 4
	}
	if opts.Sleep == nil {
		opts.Sleep = wait
	}
	if opts.Random == nil {
		opts.Random = rand.Float64
	}
	return &Unpacker{from: from, to: to, opts: opts, limits: ordinary}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Inspect returns what the source is, from its bytes: its facts and at most two short reads. It writes nothing. A source that
// is not what the manifest records, or in a format that is of no use, is refused.
func (u *Unpacker) Inspect(ctx context.Context, src Source) (Format, Object, error) {
	f, object, err := u.inspect(ctx, src)
	return f, object, reasoned(ctx, err)
}

func (u *Unpacker) inspect(ctx context.Context, src Source) (Format, Object, error) {
	object, err := u.from.Head(ctx, src.Key)
	if errors.Is(err, ErrAbsent) {
		return "", object, &Error{Reason: ReasonSourceAbsent, Detail: src.Key, Err: err}
	}
	if err != nil {
		return "", object, fmt.Errorf("look at %s: %w", src.Key, err)
	}
	if err := src.check(object); err != nil {
		return "", object, err
	}
	object.Key = src.Key
	head, err := u.peek(ctx, object, 0, min(headBytes, object.Size))
	if err != nil {
		return "", object, err
	}
	last := min(tailBytes, object.Size)
	tail, err := u.peek(ctx, object, object.Size-last, last)
	if err != nil {
		return "", object, err
	}
	f, useless := detect(head, tail)
	if useless != "" {
		return "", object, &Error{Reason: ReasonSourceFormat, Detail: src.Key + " is " + useless}
	}
	return f, object, nil
}

// check compares the object with what the manifest records.
func (src Source) check(o Object) error {
	changed := func(format string, args ...any) error {
		return &Error{Reason: ReasonSourceChanged, Detail: src.Key + " " + fmt.Sprintf(format, args...)}
	}
	switch {
	case src.Size != 0 && src.Size != o.Size:
		return changed("has %d bytes, not %d", o.Size, src.Size)
	case src.ETag != "" && src.ETag != o.ETag:
		return changed("has the ETag %s, not %s", o.ETag, src.ETag)
	case src.CRC64 != nil && o.HasCRC64 && *src.CRC64 != o.CRC64:
		return changed("has the CRC-64 %d, not %d", o.CRC64, *src.CRC64)
	case o.Size == 0:
		return &Error{Reason: ReasonSourceEmpty, Detail: src.Key + " is empty"}
	}
	return nil
}

// peek reads a few bytes of the version that was looked at.
func (u *Unpacker) peek(ctx context.Context, o Object, offset, length int64) ([]byte, error) {
	data, err := readRange(ctx, u.from, Range{Key: o.Key, ETag: o.ETag, Offset: offset, Length: length})
	switch {
	case errors.Is(err, ErrChanged), errors.Is(err, ErrAbsent):
		return nil, &Error{Reason: ReasonSourceChanged, Detail: o.Key + " changed while it was looked at", Err: err}
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", o.Key, err)
	}
	return data, nil
}

// reasoned makes err an *Error. Once ctx has ended, every failure that is not final is taken for its consequence.
func reasoned(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	known, ok := errors.AsType[*Error](err)
	switch {
	case ok && (known.Reason.Final() || known.Reason == ReasonInterrupted || ctx.Err() == nil):
		return known
	case ctx.Err() != nil:
		return &Error{Reason: ReasonInterrupted, Err: err}
	case errors.Is(err, ErrNoUpload):
		return &Error{Reason: ReasonUploadLost, Err: err}
	default:
		return &Error{Reason: ReasonStore, Err: err}
	}
}
