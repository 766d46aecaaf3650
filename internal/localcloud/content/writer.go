package content

import "errors"

// ErrLimit is the error of a Writer that was given more than it may keep.
var ErrLimit = errors.New("content: too much to keep in memory")

const (
	// block is what is looked at to find runs of zeros.
	block = 4 << 10
	// chunk bounds the bytes of an extent, so that cutting one stays cheap.
	chunk = 1 << 20
)

// A Writer makes a content of what is written to it. It is not safe for concurrent use.
type Writer struct {
	// Limit is the most bytes that may be kept in memory, zeros not counted; 0 for no limit.
	Limit int64

	content Content
	stored  int64
	pending []byte // whole blocks that are not zero, and have no extent yet
	rest    []byte // less than a block
}

// Write adds the bytes, which it copies. Error: ErrLimit, after which nothing is added.
func (w *Writer) Write(p []byte) (int, error) {
	total := len(p)
	if len(w.rest) > 0 {
		n := min(block-len(w.rest), len(p))
		w.rest, p = append(w.rest, p[:n]...), p[n:]
		if len(w.rest) == block {
			full := w.rest
			w.rest = w.rest[:0]
			if err := w.take(full); err != nil {
				return 0, err
			}
		}
	}
	for ; len(p) >= block; p = p[block:] {
		if err := w.take(p[:block]); err != nil {
			return 0, err
		}
	}
	w.rest = append(w.rest, p...)
	if w.Limit > 0 && w.stored+int64(len(w.rest)) > w.Limit {
		return 0, ErrLimit
	}
	return total, nil
}

// take adds one block.
func (w *Writer) take(p []byte) error {
	if allZero(p) {
		w.flush()
		w.content.add(extent{size: int64(len(p))})
		return nil
	}
	if w.stored += int64(len(p)); w.Limit > 0 && w.stored > w.Limit {
		return ErrLimit
	}
	w.pending = append(w.pending, p...)
	if len(w.pending) >= chunk {
		w.flush()
	}
	return nil
}

// flush makes an extent of what is pending.
func (w *Writer) flush() {
	if len(w.pending) == 0 {
		return
	}
	w.content.add(newExtent(append(make([]byte, 0, len(w.pending)), w.pending...)))
	w.pending = w.pending[:0]
}

// WriteZeros adds n zeros.
func (w *Writer) WriteZeros(n int64) error {
	if n < block {
		_, err := w.Write(zeros[:max(n, 0)])
		return err
	}
	if fill := (block - len(w.rest)) % block; fill > 0 {
		if _, err := w.Write(zeros[:fill]); err != nil {
			return err
		}
		n -= int64(fill)
	}
	whole := n - n%block
	w.flush()
	w.content.add(extent{size: whole})
	_, err := w.Write(zeros[:n-whole])
	return err
}

// Content is what was written. The Writer is not used afterwards.
func (w *Writer) Content() Content {
	switch {
	case len(w.rest) == 0:
	case allZero(w.rest):
		w.flush()
		w.content.add(extent{size: int64(len(w.rest))})
	default:
		w.pending = append(w.pending, w.rest...)
	}
	w.flush()
	return w.content
}
