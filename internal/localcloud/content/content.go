// Package content holds long sequences of bytes, such as objects and disks, in the memory that their distinct bytes need:
// runs of zeros take none, and what is cut out of a content or joined to another shares its bytes.
package content

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// A Content is a sequence of bytes that never changes. The zero Content is empty. Copying one is cheap, and its methods are
// safe for concurrent use.
type Content struct {
	extents []extent // none is empty
}

// An extent is a piece of a content: bytes, or a run of zeros.
type extent struct {
	end  int64  // where it ends in the content
	size int64  // in bytes
	data []byte // nil for zeros
	crc  uint64 // of the data; not set for zeros
}

// Zeros is a run of n zeros.
func Zeros(n int64) Content {
	if n <= 0 {
		return Content{}
	}
	return Content{[]extent{{end: n, size: n}}}
}

// Of is a content with a copy of the bytes.
func Of(data []byte) Content {
	var w Writer
	_, _ = w.Write(data) // a Writer without limit takes everything
	return w.Content()
}

// Join is the contents one after another.
func Join(parts ...Content) Content {
	var c Content
	for _, p := range parts {
		for _, e := range p.extents {
			c.add(e)
		}
	}
	return c
}

// add puts an extent at the end of a content that nobody else has seen yet.
func (c *Content) add(e extent) {
	if e.size == 0 {
		return
	}
	if last := len(c.extents) - 1; last >= 0 && e.data == nil && c.extents[last].data == nil {
		c.extents[last].size += e.size
		c.extents[last].end += e.size
		return
	}
	e.end = c.Size() + e.size
	c.extents = append(c.extents, e)
}

// Size is the length in bytes.
func (c Content) Size() int64 {
	if len(c.extents) == 0 {
		return 0
	}
	return c.extents[len(c.extents)-1].end
}

// Stored is how many bytes the content keeps in memory, shared ones included.
func (c Content) Stored() int64 {
	var n int64
	for _, e := range c.extents {
		n += int64(len(e.data))
	}
	return n
}

// Slice is the bytes from first up to end, both of which lie within the content, as in c[first:end].
func (c Content) Slice(first, end int64) Content {
	if first < 0 || end < first || end > c.Size() {
		panic(fmt.Sprintf("content: slice [%d:%d] of %d bytes", first, end, c.Size()))
	}
	var s Content
	for n := c.find(first); n < len(c.extents) && first < end; n++ {
		e := c.extents[n]
		piece := e.cut(first-(e.end-e.size), min(end, e.end)-(e.end-e.size))
		s.add(piece)
		first += piece.size
	}
	return s
}

// find is the index of the extent that holds the byte at the offset.
func (c Content) find(offset int64) int {
	return sort.Search(len(c.extents), func(n int) bool { return c.extents[n].end > offset })
}

// cut is the part of an extent between two offsets within it.
func (e extent) cut(first, end int64) extent {
	if first == 0 && end == e.size {
		return e
	}
	if e.data == nil {
		return extent{size: end - first}
	}
	return newExtent(e.data[first:end])
}

func newExtent(data []byte) extent {
	return extent{size: int64(len(data)), data: data, crc: checksum(data)}
}

// zeros is what a run of zeros is written from; nothing writes to it.
var zeros [64 << 10]byte

// Parts yields the content in order: bytes, which the caller must not change, or nil for a run of zeros, with their length.
func (c Content) Parts(yield func(data []byte, size int64) bool) {
	for _, e := range c.extents {
		if !yield(e.data, e.size) {
			return
		}
	}
}

// WriteTo writes the whole content.
func (c Content) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for _, e := range c.extents {
		for at := int64(0); at < e.size; {
			piece := e.data
			if piece == nil {
				piece = zeros[:min(e.size-at, int64(len(zeros)))]
			}
			n, err := w.Write(piece)
			written += int64(n)
			if err != nil {
				return written, err
			}
			at += int64(len(piece))
		}
	}
	return written, nil
}

// ReadAt reads from the offset, as an io.ReaderAt does.
func (c Content) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("content: negative offset")
	}
	read := 0
	for n := c.find(offset); n < len(c.extents) && read < len(p); n++ {
		e := c.extents[n]
		at := offset + int64(read) - (e.end - e.size)
		room := p[read:min(int64(len(p)), int64(read)+e.size-at)]
		if e.data == nil {
			clear(room)
		} else {
			copy(room, e.data[at:])
		}
		read += len(room)
	}
	if read < len(p) {
		return read, io.EOF
	}
	return read, nil
}

// Reader reads the content from its beginning.
func (c Content) Reader() *io.SectionReader { return io.NewSectionReader(c, 0, c.Size()) }

// Bytes is the whole content in new memory.
func (c Content) Bytes() []byte {
	data := make([]byte, c.Size())
	_, _ = c.ReadAt(data, 0) // reads exactly the content
	return data
}

// Equal tells whether two contents have the same bytes. Runs of zeros that both have are not looked at.
func Equal(a, b Content) bool {
	if a.Size() != b.Size() {
		return false
	}
	for at := int64(0); at < a.Size(); {
		x, y := a.extents[a.find(at)], b.extents[b.find(at)]
		end := min(x.end, y.end)
		if !samePiece(x.between(at, end), y.between(at, end)) {
			return false
		}
		at = end
	}
	return true
}

// between is the data of an extent between two offsets of its content, nil for zeros.
func (e extent) between(first, end int64) []byte {
	if e.data == nil {
		return nil
	}
	start := e.end - e.size
	return e.data[first-start : end-start]
}

func samePiece(x, y []byte) bool {
	switch {
	case x == nil && y == nil:
		return true
	case x == nil:
		return allZero(y)
	case y == nil:
		return allZero(x)
	}
	return bytes.Equal(x, y)
}

func allZero(data []byte) bool {
	for piece := range slices.Chunk(data, len(zeros)) {
		if !bytes.Equal(piece, zeros[:len(piece)]) {
			return false
		}
	}
	return true
}
