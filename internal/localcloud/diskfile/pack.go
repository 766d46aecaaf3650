package diskfile

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"

	"imageferry/internal/localcloud/content"
)

// zeroRun is how many zeros are compressed at a time.
const zeroRun = 1 << 20

// Pack is a gzip-compressed tar archive that holds one regular file of the name. It has no times, so that the same file
// gives the same bytes. Runs of zeros are compressed once, however long they are.
func Pack(name string, file content.Content) (content.Content, error) {
	var header bytes.Buffer
	// The format that takes a long file without another entry before it.
	entry := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: file.Size(), Format: tar.FormatGNU}
	if err := tar.NewWriter(&header).WriteHeader(entry); err != nil {
		return content.Content{}, fmt.Errorf("pack %s: %w", name, err)
	}
	const end = 2 * sector
	archive := content.Join(content.Of(header.Bytes()), file, content.Zeros(-file.Size()&(sector-1)+end))
	packed, err := compress(archive)
	if err != nil {
		return content.Content{}, fmt.Errorf("pack %s: %w", name, err)
	}
	return packed, nil
}

// compress is the content as one gzip member. Each piece is compressed on its own and ends on a byte, so that the same run
// of zeros can stand in many places.
func compress(c content.Content) (content.Content, error) {
	z, err := newDeflater()
	if err != nil {
		return content.Content{}, err
	}
	pieces := []content.Content{content.Of([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})}
	var long content.Content // a compressed run of zeros
	for data, size := range c.Parts {
		if data != nil {
			pieces = append(pieces, z.deflate(content.Of(data)))
			continue
		}
		for ; size >= zeroRun; size -= zeroRun {
			if long.Size() == 0 {
				long = z.deflate(content.Zeros(zeroRun))
			}
			pieces = append(pieces, long)
		}
		pieces = append(pieces, z.deflate(content.Zeros(size)))
	}
	trailer := []byte{1, 0, 0, 0xff, 0xff} // a last block, which is empty
	trailer = binary.LittleEndian.AppendUint32(trailer, c.CRC32())
	trailer = binary.LittleEndian.AppendUint32(trailer, uint32(c.Size())) // #nosec G115 -- gzip keeps the size modulo 2³²
	return content.Join(append(pieces, content.Of(trailer))...), z.err
}

// A deflater compresses pieces of one stream independently of each other. Its first error stays.
type deflater struct {
	buf bytes.Buffer
	w   *flate.Writer
	err error
}

func newDeflater() (*deflater, error) {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	return &deflater{w: w}, err
}

func (d *deflater) deflate(c content.Content) content.Content {
	if c.Size() == 0 || d.err != nil {
		return content.Content{}
	}
	d.buf.Reset()
	d.w.Reset(&d.buf)
	if _, d.err = c.WriteTo(d.w); d.err == nil {
		d.err = d.w.Flush()
	}
	return content.Of(d.buf.Bytes())
}
