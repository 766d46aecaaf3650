package unpacktest

import (
	"hash/crc64"
	"io"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"
)

// An extent is a run of bytes: zeros if it has no data.
type extent struct {
	length int64
	data   []byte
}

// extents are the content of an object or a part.
type extents []extent

// add appends an extent, and joins runs of zeros.
func (e extents) add(x extent) extents {
	if last := len(e) - 1; last >= 0 && e[last].data == nil && x.data == nil {
		e[last].length += x.length
		return e
	}
	if x.length == 0 {
		return e
	}
	return append(e, x)
}

func (e extents) append(more extents) extents {
	for _, x := range more {
		e = e.add(x)
	}
	return e
}

func (e extents) size() (n int64) {
	for _, x := range e {
		n += x.length
	}
	return n
}

// ReadAt implements io.ReaderAt.
func (e extents) ReadAt(p []byte, offset int64) (int, error) {
	done := 0
	for _, x := range e {
		if done == len(p) {
			return done, nil
		}
		if offset >= x.length {
			offset -= x.length
			continue
		}
		n := int(min(int64(len(p)-done), x.length-offset))
		if x.data == nil {
			clear(p[done : done+n])
		} else {
			copy(p[done:done+n], x.data[offset:])
		}
		done += n
		offset = 0
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// crc returns the CRC-64 of the content. Long runs of zeros go by the SDK's way of combining, which is not the one that is
// being tested.
func (e extents) crc() (crc uint64) {
	for _, x := range e {
		if x.data != nil {
			crc = crc64.Update(crc, ecma, x.data)
			continue
		}
		block, length := crc64.Checksum([]byte{0}, ecma), uint64(1)
		for n := uint64(x.length); n > 0; n >>= 1 {
			if n&1 != 0 {
				crc = oss.CRC64Combine(crc, block, length)
			}
			block, length = oss.CRC64Combine(block, block, length), 2*length
		}
	}
	return crc
}
