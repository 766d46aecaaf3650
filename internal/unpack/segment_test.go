package unpack

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
)

func TestSegmentReadsWhatItHolds(t *testing.T) {
	t.Parallel()
	s := &segment{chunk: 4, zero: true}
	s.add([]byte("abcd"), 4)
	s.add(nil, 4)
	s.add([]byte("efgh"), 2)
	want := "abcd\x00\x00\x00\x00ef"
	for from := range len(want) + 1 {
		for to := from; to <= len(want); to++ {
			got := bytes.Repeat([]byte("?"), to-from)
			if _, err := s.ReadAt(got, int64(from)); err != nil || string(got) != want[from:to] {
				t.Errorf("%d to %d: %q, %v", from, to, got, err)
			}
		}
	}
	if n, err := s.ReadAt(make([]byte, 11), 0); n != 10 || err != io.EOF {
		t.Errorf("read %d past the end: %v", n, err)
	}
	if s.zero {
		t.Error("it is taken for zeros")
	}
}

// An HTTP client may still read a body when its request has failed: it must not see what the buffers hold next.
func TestReleasedSegmentIsNotRead(t *testing.T) {
	t.Parallel()
	p := newPool(layout{limits: limits{chunk: 1024, part: 1024, memory: 1024}})
	chunk, err := p.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clear(chunk)
	s := &segment{chunk: 1024}
	s.add(chunk, 1024)
	var wg sync.WaitGroup
	wg.Go(func() {
		got := make([]byte, 512)
		for {
			if _, err := s.ReadAt(got, 256); err != nil {
				if !errors.Is(err, errReleased) {
					t.Error(err)
				}
				return
			}
			if got[0] != 0 || got[511] != 0 {
				t.Error("read what came later")
			}
		}
	})
	s.release(p)
	next, err := p.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range next {
		next[i] = 'x'
	}
	wg.Wait()
}
