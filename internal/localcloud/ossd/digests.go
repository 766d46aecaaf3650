package ossd

import (
	"crypto/md5" // #nosec G501 -- OSS's ETags are MD5; they are checksums
	"fmt"
	"sync"

	"imageferry/internal/localcloud/content"
)

// maxDigested is the longest content that is hashed, in bytes.
const maxDigested = 64 << 20

// digests computes what ETags are made of. It remembers runs of zeros by their length, because whoever copies a sparse
// object in parts copies thousands of them.
type digests struct {
	mu    sync.Mutex
	zeros map[int64][md5.Size]byte
}

// of is the MD5 of a content that no request carried. Guess: that of a longer content is opaque; it follows from its
// length and its checksum here.
func (d *digests) of(c content.Content) [md5.Size]byte {
	if c.Size() > maxDigested {
		return md5.Sum(fmt.Appendf(nil, "%d %d", c.Size(), c.CRC64())) // #nosec G401 -- a checksum
	}
	if c.Stored() > 0 {
		return sumOf(c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	sum, ok := d.zeros[c.Size()]
	if !ok {
		if d.zeros == nil {
			d.zeros = map[int64][md5.Size]byte{}
		}
		sum = sumOf(c)
		d.zeros[c.Size()] = sum
	}
	return sum
}

func sumOf(c content.Content) (sum [md5.Size]byte) {
	hash := md5.New() // #nosec G401 -- a checksum
	_, _ = c.WriteTo(hash)
	hash.Sum(sum[:0])
	return sum
}
