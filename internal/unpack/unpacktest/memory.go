// Package unpacktest holds what tests of unpack need: a bucket in memory, a conformance test for every unpack.Store, and a
// store that fails at a chosen call.
package unpacktest

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"imageferry/internal/unpack"
)

// Memory is a bucket in memory. It answers as OSS does, checks what OSS checks, and keeps of zeros only their number, so that
// it can hold a large empty disk. It is safe for concurrent use.
type Memory struct {
	// Now is the clock of what is stored.
	Now func() time.Time
	// SmallestPart is what every part but the last must have when an upload is completed; OSS wants 100 KiB.
	SmallestPart int64

	lock    sync.Mutex
	objects map[string]*object
	uploads map[string]*upload
	serial  int
	blanks  map[int64]string // MD5 of zeros, by their number
}

type object struct {
	facts   unpack.Object
	content extents
}

type upload struct {
	facts unpack.Upload
	parts map[int]part
}

type part struct {
	facts   unpack.Part
	content extents
}

// NewMemory returns an empty bucket.
func NewMemory() *Memory {
	return &Memory{
		Now:          time.Now,
		SmallestPart: 100 << 10,
		objects:      make(map[string]*object),
		uploads:      make(map[string]*upload),
		blanks:       make(map[int64]string),
	}
}

var _ unpack.Store = (*Memory)(nil)

// Head implements unpack.Store.
func (m *Memory) Head(ctx context.Context, key string) (unpack.Object, error) {
	o, err := m.object(ctx, key, "")
	if err != nil {
		return unpack.Object{}, err
	}
	return o.facts, nil
}

// Read implements unpack.Store.
func (m *Memory) Read(ctx context.Context, r unpack.Range) (io.ReadCloser, error) {
	o, err := m.object(ctx, r.Key, r.ETag)
	if err != nil {
		return nil, err
	}
	if r.Offset < 0 || r.Length <= 0 || r.Offset+r.Length > o.facts.Size {
		return nil, fmt.Errorf("range %d+%d of %d bytes", r.Offset, r.Length, o.facts.Size)
	}
	return io.NopCloser(&body{ctx: ctx, in: io.NewSectionReader(o.content, r.Offset, r.Length)}), nil
}

// body ends when its request's context does.
type body struct {
	ctx context.Context
	in  io.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.in.Read(p)
}

// Put implements unpack.Store.
func (m *Memory) Put(ctx context.Context, key string, in io.ReaderAt, size int64) (unpack.Object, error) {
	if err := ctx.Err(); err != nil {
		return unpack.Object{}, err
	}
	content, sum, err := take(in, size)
	if err != nil {
		return unpack.Object{}, err
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.keep(key, sum, content), nil
}

// Delete implements unpack.Store.
func (m *Memory) Delete(ctx context.Context, key string) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	delete(m.objects, key)
	return nil
}

// List implements unpack.Store.
func (m *Memory) List(ctx context.Context, prefix string) ([]unpack.Object, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	var all []unpack.Object
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) {
			all = append(all, o.facts)
		}
	}
	slices.SortFunc(all, func(a, b unpack.Object) int { return strings.Compare(a.Key, b.Key) })
	return all, ctx.Err()
}

// Begin implements unpack.Store.
func (m *Memory) Begin(ctx context.Context, key string) (unpack.Upload, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if err := ctx.Err(); err != nil {
		return unpack.Upload{}, err
	}
	m.serial++
	u := unpack.Upload{Key: key, ID: fmt.Sprintf("%032X", m.serial), Begun: m.Now()}
	m.uploads[u.ID] = &upload{facts: u, parts: make(map[int]part)}
	return u, nil
}

// Uploads implements unpack.Store.
func (m *Memory) Uploads(ctx context.Context, prefix string) ([]unpack.Upload, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	var all []unpack.Upload
	for _, u := range m.uploads {
		if strings.HasPrefix(u.facts.Key, prefix) {
			all = append(all, u.facts)
		}
	}
	slices.SortFunc(all, func(a, b unpack.Upload) int { return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID) })
	return all, ctx.Err()
}

// Abort implements unpack.Store.
func (m *Memory) Abort(ctx context.Context, u unpack.Upload) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	delete(m.uploads, u.ID)
	return nil
}

// PutPart implements unpack.Store.
func (m *Memory) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, in io.ReaderAt) (unpack.Part, error) {
	content, sum, err := take(in, p.Size)
	if err != nil {
		return unpack.Part{}, err
	}
	if !strings.EqualFold(sum, p.ETag) {
		return unpack.Part{}, fmt.Errorf("the MD5 is %s, not %s", sum, p.ETag)
	}
	return m.keepPart(ctx, u, part{facts: unpack.Part{Number: p.Number, Size: p.Size, ETag: sum}, content: content})
}

// CopyPart implements unpack.Store.
func (m *Memory) CopyPart(ctx context.Context, u unpack.Upload, number int, from unpack.Range) (unpack.Part, error) {
	o, err := m.object(ctx, from.Key, from.ETag)
	if err != nil {
		return unpack.Part{}, err
	}
	content, sum, err := m.slice(o.content, from)
	if err != nil {
		return unpack.Part{}, err
	}
	return m.keepPart(ctx, u, part{facts: unpack.Part{Number: number, Size: from.Length, ETag: sum}, content: content})
}

// Parts implements unpack.Store.
func (m *Memory) Parts(ctx context.Context, u unpack.Upload) ([]unpack.Part, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	held, err := m.upload(ctx, u)
	if err != nil {
		return nil, err
	}
	all := make([]unpack.Part, 0, len(held.parts))
	for _, p := range held.parts {
		all = append(all, p.facts)
	}
	slices.SortFunc(all, func(a, b unpack.Part) int { return a.Number - b.Number })
	return all, nil
}

// Complete implements unpack.Store.
func (m *Memory) Complete(ctx context.Context, u unpack.Upload, parts []unpack.Part) (unpack.Object, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	held, err := m.upload(ctx, u)
	if err != nil {
		return unpack.Object{}, err
	}
	if _, ok := m.objects[u.Key]; ok {
		return unpack.Object{}, unpack.ErrExists
	}
	var all extents
	for i, want := range parts {
		p, ok := held.parts[want.Number]
		switch {
		case !ok || !strings.EqualFold(p.facts.ETag, want.ETag):
			return unpack.Object{}, fmt.Errorf("part %d is not there with the ETag %s", want.Number, want.ETag)
		case i > 0 && want.Number <= parts[i-1].Number:
			return unpack.Object{}, fmt.Errorf("part %d comes after part %d", want.Number, parts[i-1].Number)
		case i < len(parts)-1 && p.facts.Size < m.SmallestPart:
			return unpack.Object{}, fmt.Errorf("part %d has only %d bytes", want.Number, p.facts.Size)
		}
		all = all.append(p.content)
	}
	if len(parts) == 0 || len(parts) > unpack.MaxParts {
		return unpack.Object{}, fmt.Errorf("%d parts", len(parts))
	}
	delete(m.uploads, u.ID)
	return m.keep(u.Key, fmt.Sprintf("%s-%d", u.ID, len(parts)), all), nil
}

func (m *Memory) object(ctx context.Context, key, etag string) (*object, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o, ok := m.objects[key]
	if !ok {
		return nil, unpack.ErrAbsent
	}
	if etag != "" && etag != o.facts.ETag {
		return nil, unpack.ErrChanged
	}
	return o, nil
}

func (m *Memory) upload(ctx context.Context, u unpack.Upload) (*upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	held, ok := m.uploads[u.ID]
	if !ok || held.facts.Key != u.Key {
		return nil, unpack.ErrNoUpload
	}
	return held, nil
}

func (m *Memory) keep(key, etag string, content extents) unpack.Object {
	facts := unpack.Object{
		Key: key, Size: content.size(), ETag: strings.ToUpper(etag), CRC64: content.crc(), HasCRC64: true, Modified: m.Now(),
	}
	m.objects[key] = &object{facts: facts, content: content}
	return facts
}

func (m *Memory) keepPart(ctx context.Context, u unpack.Upload, p part) (unpack.Part, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	held, err := m.upload(ctx, u)
	if err != nil {
		return unpack.Part{}, err
	}
	if p.facts.Number < 1 || p.facts.Number > unpack.MaxParts {
		return unpack.Part{}, fmt.Errorf("part number %d", p.facts.Number)
	}
	p.facts.ETag = strings.ToUpper(p.facts.ETag)
	held.parts[p.facts.Number] = p
	return p.facts, nil
}

// slice returns a range of an object and its MD5, which it computes only once for each number of zeros.
func (m *Memory) slice(content extents, r unpack.Range) (extents, string, error) {
	if len(content) != 1 || content[0].data != nil || r.Offset+r.Length > content[0].length {
		return take(io.NewSectionReader(content, r.Offset, r.Length), r.Length)
	}
	m.lock.Lock()
	sum, ok := m.blanks[r.Length]
	m.lock.Unlock()
	if ok {
		return extents{{length: r.Length}}, sum, nil
	}
	part, sum, err := take(io.NewSectionReader(content, r.Offset, r.Length), r.Length)
	if err == nil {
		m.lock.Lock()
		m.blanks[r.Length] = sum
		m.lock.Unlock()
	}
	return part, sum, err
}

// take reads a body of the size, and returns its MD5. Zeros are recognised in blocks.
func take(in io.ReaderAt, size int64) (extents, string, error) {
	var (
		content extents
		sum     = md5.New()
		block   = make([]byte, max(1, min(size, 64<<10)))
		zero    = make([]byte, len(block))
		all     = io.NewSectionReader(in, 0, size)
	)
	for {
		n, err := io.ReadFull(all, block)
		sum.Write(block[:n])
		if bytes.Equal(block[:n], zero[:n]) {
			content = content.add(extent{length: int64(n)})
		} else {
			content = content.add(extent{length: int64(n), data: bytes.Clone(block[:n])})
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			if content.size() != size {
				return nil, "", fmt.Errorf("the body has %d bytes, not %d", content.size(), size)
			}
			return content, hex.EncodeToString(sum.Sum(nil)), nil
		case err != nil:
			return nil, "", err
		}
	}
}

var ecma = crc64.MakeTable(crc64.ECMA)
