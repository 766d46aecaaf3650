package unpack

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"time"
)

const (
	// mostBreaks is how often in a row reading may break off, beyond the store's own retries, with less than enoughProgress
	// in between.
	mostBreaks     = 6
	enoughProgress = 1 << 20
	firstPause     = 500 * time.Millisecond
	longestPause   = 20 * time.Second
)

// A source reads one version of an object from its beginning to its end. When the connection breaks it goes on where it was,
// in the same version, after a pause. It keeps the CRC-64 of what it has read.
type source struct {
	ctx    context.Context
	from   Reader
	object Object
	sleep  func(context.Context, time.Duration) error
	random func() float64

	body   io.ReadCloser
	offset int64
	crc    uint64
	breaks int   // in a row
	mark   int64 // the offset of the last break
}

// Read returns io.EOF only after the last byte of the object; other errors are *Error.
func (s *source) Read(p []byte) (int, error) {
	for {
		rest := s.object.Size - s.offset
		if rest == 0 {
			return 0, io.EOF
		}
		if err := s.open(rest); err != nil {
			return 0, err
		}
		if s.body == nil {
			continue
		}
		n, err := s.body.Read(p[:min(int64(len(p)), rest)])
		s.crc = crc64.Update(s.crc, ecma, p[:n])
		s.offset += int64(n)
		if err != nil && s.offset < s.object.Size {
			if err := s.pause(err); err != nil {
				return n, err
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// open continues at the offset, unless that is being done. A failure that may pass leaves the body nil, after a pause.
func (s *source) open(rest int64) error {
	if s.body != nil {
		return nil
	}
	body, err := s.from.Read(s.ctx, Range{Key: s.object.Key, ETag: s.object.ETag, Offset: s.offset, Length: rest})
	switch {
	case err == nil:
		s.body = body
		return nil
	case errors.Is(err, ErrChanged):
		return &Error{Reason: ReasonSourceChanged, Detail: "the object changed while it was read", Err: err}
	case errors.Is(err, ErrAbsent):
		return &Error{Reason: ReasonSourceAbsent, Detail: "the object was deleted while it was read", Err: err}
	default:
		return s.pause(err)
	}
}

// pause closes what is broken and waits before the next attempt, longer each time ("full jitter": a random part of a growing
// bound). It gives up after mostBreaks attempts without progress worth mentioning, and when the context ends.
func (s *source) pause(cause error) error {
	s.close()
	if err := s.ctx.Err(); err != nil {
		return &Error{Reason: ReasonInterrupted, Err: err}
	}
	if s.offset-s.mark >= enoughProgress {
		s.breaks = 0
	}
	s.mark = s.offset
	s.breaks++
	if s.breaks > mostBreaks {
		return &Error{
			Reason: ReasonSourceInterrupted,
			Detail: fmt.Sprintf("reading %s broke off at byte %d, %d times in a row", s.object.Key, s.offset, s.breaks),
			Err:    cause,
		}
	}
	bound := min(firstPause<<(s.breaks-1), longestPause)
	if err := s.sleep(s.ctx, time.Duration(s.random()*float64(bound))); err != nil {
		return &Error{Reason: ReasonInterrupted, Err: err}
	}
	return nil
}

// close ends reading; a closed source may be read on.
func (s *source) close() {
	if s.body != nil {
		_ = s.body.Close() // nothing is lost: what was read is checked by CRC
		s.body = nil
	}
}

// verify compares the CRC-64 of everything that was read with those known of the object.
func (s *source) verify(known ...*uint64) error {
	for _, want := range known {
		if want != nil && *want != s.crc {
			return &Error{
				Reason: ReasonSourceChecksum,
				Detail: fmt.Sprintf("%s has the CRC-64 %d, not %d", s.object.Key, s.crc, *want),
			}
		}
	}
	return nil
}
