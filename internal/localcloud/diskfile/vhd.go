package diskfile

import (
	"encoding/binary"
	"fmt"

	"imageferry/internal/localcloud/content"
)

// The layout of VHD as its published specification has it.
const (
	vhdCookie     = "conectix"
	vhdSparse     = "cxsparse"
	vhdHeader     = 1024
	vhdTable      = sector + vhdHeader // where the table of blocks begins
	vhdBlock      = 2 << 20
	vhdBitmap     = sector // a bit for each sector of a block
	vhdFixed      = 2
	vhdDynamic    = 3
	vhdUnused     = 0xffffffff
	vhdMaxEntries = maxDisk / (4 << 10)
)

// encodeVHD writes a dynamic disk, in which only blocks with data take space.
func encodeVHD(disk content.Content) content.Content {
	footer := content.Of(vhdFooter(disk))
	entries := ceil(disk.Size(), vhdBlock)
	table := make([]byte, ceil(entries*4, sector)*sector)
	for n := range table {
		table[n] = 0xff
	}
	bitmap := make([]byte, vhdBitmap)
	for n := range bitmap {
		bitmap[n] = 0xff
	}
	parts := []content.Content{footer, content.Of(vhdSparseHeader(entries)), {}}
	next := vhdTable + int64(len(table))
	for n := range entries {
		data := disk.Slice(n*vhdBlock, min((n+1)*vhdBlock, disk.Size()))
		if data.Stored() == 0 {
			continue
		}
		binary.BigEndian.PutUint32(table[n*4:], uint32(next/sector)) // #nosec G115 -- a disk of 2 TiB has fewer sectors
		parts = append(parts, content.Of(bitmap), padded(data, vhdBlock))
		next += vhdBitmap + vhdBlock
	}
	parts[2] = content.Of(table)
	return content.Join(append(parts, footer)...)
}

func vhdFooter(disk content.Content) []byte {
	f := make([]byte, sector)
	big := binary.BigEndian
	copy(f, vhdCookie)
	big.PutUint32(f[8:], 2)            // features: the reserved bit, which is always set
	big.PutUint32(f[12:], 0x0001_0000) // version
	big.PutUint64(f[16:], sector)      // the sparse header
	copy(f[28:], "ecs ")
	big.PutUint32(f[32:], 0x0001_0000)
	copy(f[36:], "Wi2k")
	big.PutUint64(f[40:], uint64(disk.Size()))
	big.PutUint64(f[48:], uint64(disk.Size()))
	big.PutUint32(f[56:], 0xffff_10ff) // the largest geometry; readers take the size
	big.PutUint32(f[60:], vhdDynamic)
	big.PutUint64(f[68:], disk.CRC64()) // half of the id, so that it follows from the disk
	big.PutUint32(f[64:], vhdChecksum(f, 64))
	return f
}

func vhdSparseHeader(entries int64) []byte {
	h := make([]byte, vhdHeader)
	big := binary.BigEndian
	copy(h, vhdSparse)
	big.PutUint64(h[8:], 1<<64-1)
	big.PutUint64(h[16:], vhdTable)
	big.PutUint32(h[24:], 0x0001_0000)
	big.PutUint32(h[28:], uint32(entries)) // #nosec G115 -- a disk of 2 TiB has a million
	big.PutUint32(h[32:], vhdBlock)
	big.PutUint32(h[36:], vhdChecksum(h, 36))
	return h
}

// vhdChecksum is the complement of the sum of all bytes but the four of the checksum itself.
func vhdChecksum(p []byte, at int) uint32 {
	var sum uint32
	for n, b := range p {
		if n < at || n >= at+4 {
			sum += uint32(b)
		}
	}
	return ^sum
}

// decodeVHD reads a fixed or a dynamic disk. The footer at the end decides, so that a file that was cut off is found out.
func decodeVHD(file content.Content) (content.Content, error) {
	f, ok := read(file, file.Size()-sector, sector)
	if !ok || string(f[:8]) != vhdCookie {
		return content.Content{}, fmt.Errorf("%w: it has no footer", ErrTruncated)
	}
	big := binary.BigEndian
	size, kind := big.Uint64(f[48:]), big.Uint32(f[60:])
	switch {
	case big.Uint32(f[64:]) != vhdChecksum(f, 64):
		return content.Content{}, fmt.Errorf("%w: the checksum of the footer is wrong", ErrFormat)
	case size > maxDisk:
		return content.Content{}, fmt.Errorf("%w: a disk of %d bytes", ErrUnsupported, size)
	case kind == vhdFixed:
		if uint64(file.Size()-sector) != size {
			return content.Content{}, fmt.Errorf("%w: %d bytes of %d", ErrTruncated, file.Size()-sector, size)
		}
		return file.Slice(0, int64(size)), nil
	case kind == vhdDynamic:
		return decodeDynamic(file, int64(size), int64(big.Uint64(f[16:])))
	}
	return content.Content{}, fmt.Errorf("%w: a disk of type %d", ErrUnsupported, kind)
}

func decodeDynamic(file content.Content, size, at int64) (content.Content, error) {
	h, ok := read(file, at, vhdHeader)
	if !ok {
		return content.Content{}, fmt.Errorf("%w: it has no sparse header", ErrTruncated)
	}
	big := binary.BigEndian
	entries, block := int64(big.Uint32(h[28:])), int64(big.Uint32(h[32:]))
	switch {
	case string(h[:8]) != vhdSparse || big.Uint32(h[36:]) != vhdChecksum(h, 36):
		return content.Content{}, fmt.Errorf("%w: the sparse header is damaged", ErrFormat)
	case block < 8*sector || block%(8*sector) != 0 || entries > vhdMaxEntries || entries*block < size:
		return content.Content{}, fmt.Errorf("%w: %d blocks of %d bytes for a disk of %d", ErrFormat, entries, block, size)
	}
	table, ok := read(file, int64(big.Uint64(h[16:])), int(entries)*4)
	if !ok {
		return content.Content{}, fmt.Errorf("%w: within the table of blocks", ErrTruncated)
	}
	bitmap := ceil(block/sector/8, sector) * sector
	var parts []content.Content
	for done := int64(0); done < size; done, table = done+block, table[4:] {
		length := min(block, size-done)
		entry := big.Uint32(table)
		if entry == vhdUnused {
			parts = append(parts, content.Zeros(length))
			continue
		}
		start := int64(entry)*sector + bitmap
		if start+length > file.Size() {
			return content.Content{}, fmt.Errorf("%w: block at %d", ErrTruncated, start)
		}
		parts = append(parts, file.Slice(start, start+length))
	}
	return content.Join(parts...), nil
}
