package unpack

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// A transfer cuts the file in an archive into segments and stores each as a part. One goroutine reads, unpacks and cuts;
// others check, send and copy.
type transfer struct {
	*run
	in      *source
	archive *archive
	layout  layout
	upload  Upload
	have    map[int]Part // what the upload held before
	pool    *pool
	zeros   zeros
	blank   []byte // a chunk of zeros, never written to
	tail    []byte // the last tailBytes of the file so far

	lock  sync.Mutex
	parts []Part // by number, from 1
	crcs  []uint64
}

func newTransfer(r *run, in *source, a *archive, upload Upload, have map[int]Part) *transfer {
	l := newLayout(a.size, r.limits)
	t := &transfer{run: r, in: in, archive: a, layout: l, upload: upload, have: have, pool: newPool(l)}
	t.blank = make([]byte, l.chunk)
	t.zeros = zeros{store: r.to, key: r.dst.Key + zerosSuffix, size: l.zeros, blank: t.blank, meter: &r.meter, sums: map[int64]string{}}
	return t
}

// move returns nil when all parts are stored and everything read was right, to the last checksum. No goroutine outlives it.
// stopReading makes a read of the source that is under way return.
func (t *transfer) move(ctx context.Context, stopReading func()) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1 + t.opts.Parallel)
	defer context.AfterFunc(ctx, stopReading)()
	group.Go(func() error {
		return t.cut(ctx, func(s *segment) {
			group.Go(func() error {
				defer s.release(t.pool)
				return t.keep(ctx, s)
			})
		})
	})
	return group.Wait()
}

// cut reads the file chunk by chunk and dispatches its segments.
func (t *transfer) cut(ctx context.Context, dispatch func(*segment)) error {
	where := cutter{layout: t.layout}
	open := t.segment(1)
	for done := int64(0); done < t.archive.size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk, err := t.pool.get(ctx)
		if err != nil {
			return err
		}
		n := min(t.layout.chunk, t.archive.size-done)
		if err := t.archive.read(chunk[:n]); err != nil {
			return err
		}
		done += n
		t.remember(chunk[:n])
		if bytes.Equal(chunk[:n], t.blank[:n]) {
			t.pool.put(chunk)
			chunk = nil
		}
		if where.next(chunk == nil, n) {
			dispatch(open)
			open = t.segment(open.number + 1)
		}
		open.add(chunk, n)
		t.meter.add(func(p *Progress) { p.Read, p.Unpacked = t.in.offset, done })
	}
	dispatch(open)
	if err := t.archive.finish(); err != nil {
		return err
	}
	t.meter.add(func(p *Progress) { p.Read = t.in.offset })
	return t.verifySource()
}

func (t *transfer) segment(number int) *segment {
	return &segment{number: number, chunk: t.layout.chunk, zero: true}
}

func (t *transfer) verifySource() error {
	known := []*uint64{t.src.CRC64}
	if t.in.object.HasCRC64 {
		known = append(known, &t.in.object.CRC64)
	}
	return t.in.verify(known...)
}

// remember keeps the end of the file.
func (t *transfer) remember(chunk []byte) {
	t.tail = append(t.tail, chunk[max(0, len(chunk)-tailBytes):]...)
	t.tail = append(t.tail[:0], t.tail[max(0, len(t.tail)-tailBytes):]...)
}

// keep makes sure that the segment is a part of the upload.
func (t *transfer) keep(ctx context.Context, s *segment) error {
	var (
		sum string
		crc uint64
	)
	if s.zero {
		sum, crc = t.zeros.md5(s.size), zerosCRC(s.size)
	} else {
		sum, crc = s.sums(t.blank)
	}
	part, err := t.store(ctx, s, sum)
	if err != nil {
		return err
	}
	t.lock.Lock()
	defer t.lock.Unlock()
	for len(t.parts) < s.number {
		t.parts, t.crcs = append(t.parts, Part{}), append(t.crcs, 0)
	}
	t.parts[s.number-1], t.crcs[s.number-1] = part, crc
	return nil
}

// store returns the part that is the segment: one that is there already, a copy of zeros, or one that it sends.
func (t *transfer) store(ctx context.Context, s *segment, sum string) (Part, error) {
	if part, ok := t.have[s.number]; ok && part.Size == s.size && strings.EqualFold(part.ETag, sum) {
		t.meter.add(func(p *Progress) { p.Kept += s.size; p.Parts++ })
		return part, nil
	}
	if s.zero {
		// The ETag of a copy is not compared: Guess: OSS answers with the MD5 as for a part that was sent. Were it anything
		// else, the copy would be made again by each run, and the CRC-64 of the target would still prove it.
		part, err := t.zeros.copy(ctx, t.upload, s.number, s.size)
		if err == nil {
			t.meter.add(func(p *Progress) { p.Copied += s.size; p.Parts++ })
		}
		return part, err
	}
	part, err := t.to.PutPart(ctx, t.upload, Part{Number: s.number, Size: s.size, ETag: sum}, s)
	if err != nil {
		return Part{}, fmt.Errorf("send part %d: %w", s.number, err)
	}
	if !strings.EqualFold(part.ETag, sum) {
		detail := fmt.Sprintf("part %d has the MD5 %s, not %s", s.number, part.ETag, sum)
		return Part{}, &Error{Reason: ReasonPartChecksum, Detail: detail}
	}
	t.meter.add(func(p *Progress) { p.Sent += s.size; p.Parts++ })
	return Part{Number: s.number, Size: s.size, ETag: part.ETag}, nil
}

// seal says what the target is going to be, after move.
func (t *transfer) seal() *seal {
	var crc uint64
	for i, part := range t.parts {
		crc = combineCRC(crc, t.crcs[i], part.Size)
	}
	// What is useless by its beginning was refused before; the end can only make it a VHD.
	f, _ := detect(t.archive.head, t.tail)
	return &seal{Size: t.archive.size, CRC64: crc, Format: f, Parts: digest(t.parts)}
}

// zeros is the temporary object that runs of zeros are copied from. It is made when the first is needed.
type zeros struct {
	store Store
	key   string
	size  int64
	blank []byte
	meter *meter

	lock   sync.Mutex
	object *Object
	sumsMu sync.Mutex
	sums   map[int64]string // MD5 by length
}

// copy makes a part of n zeros.
func (z *zeros) copy(ctx context.Context, upload Upload, number int, n int64) (Part, error) {
	object, err := z.ready(ctx)
	if err != nil {
		return Part{}, err
	}
	part, err := z.store.CopyPart(ctx, upload, number, Range{Key: z.key, ETag: object.ETag, Length: n})
	switch {
	case errors.Is(err, ErrAbsent), errors.Is(err, ErrChanged):
		return Part{}, &Error{Reason: ReasonZerosLost, Detail: "the object of zeros was replaced or removed", Err: err}
	case err != nil:
		return Part{}, fmt.Errorf("copy part %d: %w", number, err)
	}
	return Part{Number: number, Size: n, ETag: part.ETag}, nil
}

// ready returns the object, which an earlier run may have left.
func (z *zeros) ready(ctx context.Context) (*Object, error) {
	z.lock.Lock()
	defer z.lock.Unlock()
	if z.object != nil {
		return z.object, nil
	}
	o, err := z.store.Head(ctx, z.key)
	if err != nil && !errors.Is(err, ErrAbsent) {
		return nil, fmt.Errorf("look for the object of zeros: %w", err)
	}
	if err != nil || o.Size != z.size || !o.HasCRC64 || o.CRC64 != zerosCRC(z.size) {
		if o, err = z.store.Put(ctx, z.key, nothing{}, z.size); err != nil {
			return nil, fmt.Errorf("store the object of zeros: %w", err)
		}
		z.meter.add(func(p *Progress) { p.Sent += z.size })
	}
	z.object = &o
	return z.object, nil
}

// md5 returns the MD5 of n zeros.
func (z *zeros) md5(n int64) string {
	z.sumsMu.Lock()
	defer z.sumsMu.Unlock()
	if sum, ok := z.sums[n]; ok {
		return sum
	}
	h := md5.New()
	for rest := n; rest > 0; {
		step := min(rest, int64(len(z.blank)))
		h.Write(z.blank[:step])
		rest -= step
	}
	z.sums[n] = hex.EncodeToString(h.Sum(nil))
	return z.sums[n]
}

// nothing is zeros without end.
type nothing struct{}

func (nothing) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}
