package unpack

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash/crc64"
	"io"
	"sync"
)

// A pool hands out the buffers of chunks. It makes them only when they are needed, so that a file of zeros needs one.
type pool struct {
	free  chan []byte
	made  int
	chunk int64
}

func newPool(l layout) *pool {
	return &pool{free: make(chan []byte, l.buffers()), chunk: l.chunk}
}

// get waits for a buffer. Only one goroutine may call it.
func (p *pool) get(ctx context.Context) ([]byte, error) {
	select {
	case b := <-p.free:
		return b, nil
	default:
	}
	if p.made < cap(p.free) {
		p.made++
		return make([]byte, p.chunk), nil
	}
	select {
	case b := <-p.free:
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// put takes a buffer back.
func (p *pool) put(b []byte) { p.free <- b[:p.chunk] }

// A segment is a run of the file that becomes one part: chunks, of which only the last of the file is short. A chunk of zeros
// is nil.
type segment struct {
	number int
	size   int64
	zero   bool
	chunk  int64

	lock   sync.RWMutex
	chunks [][]byte
	closed bool
}

func (s *segment) add(chunk []byte, n int64) {
	s.chunks = append(s.chunks, chunk)
	s.size += n
	s.zero = s.zero && chunk == nil
}

// errReleased: the segment was read after its end.
var errReleased = errors.New("read a part that is done with")

// ReadAt reads the segment's bytes until it is released. An HTTP client may go on reading a request's body for a moment
// after the request has failed, so the buffers are guarded against being read while others fill them.
func (s *segment) ReadAt(p []byte, offset int64) (int, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	if s.closed {
		return 0, errReleased
	}
	done := 0
	for done < len(p) && offset < s.size {
		from := offset % s.chunk
		n := int(min(int64(len(p)-done), s.chunk-from, s.size-offset))
		if chunk := s.chunks[offset/s.chunk]; chunk == nil {
			clear(p[done : done+n])
		} else {
			copy(p[done:done+n], chunk[from:])
		}
		done += n
		offset += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// release gives the buffers back.
func (s *segment) release(p *pool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	for _, chunk := range s.chunks {
		if chunk != nil {
			p.put(chunk)
		}
	}
	s.chunks = nil
}

// sums returns the MD5, in hexadecimal as in an ETag, and the CRC-64 of a segment that is not all zeros.
func (s *segment) sums(zeros []byte) (md5sum string, crc uint64) {
	h := md5.New()
	for i, chunk := range s.chunks {
		if chunk == nil {
			chunk = zeros
		}
		chunk = chunk[:min(s.chunk, s.size-int64(i)*s.chunk)]
		h.Write(chunk)
		crc = crc64.Update(crc, ecma, chunk)
	}
	return hex.EncodeToString(h.Sum(nil)), crc
}
