// Package diskfile writes and reads the files that hold a disk: archived raw images, QCOW2 and VHD, as the embedded ECS
// exports and imports them. What is written for a disk is always the same for the same bytes.
package diskfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"imageferry/internal/localcloud/content"
)

// The formats of files, as ECS names them in lower case, and what else [Detect] tells apart.
const (
	Raw     = "raw"
	QCOW2   = "qcow2"
	VHD     = "vhd"
	VMDK    = "vmdk"
	VDI     = "vdi"
	Archive = "archive" // compressed or packed in any way
)

// Errors of [Decode], to be told apart with errors.Is.
var (
	// ErrFormat: the file is not of the format that it should have.
	ErrFormat = errors.New("not of the declared format")
	// ErrTruncated: the file ends before its disk does.
	ErrTruncated = errors.New("truncated")
	// ErrUnsupported: the file has the format, and uses a feature of it that an import does not take.
	ErrUnsupported = errors.New("not supported")
)

const (
	sector = 512
	// maxDisk is the largest disk of an import, in bytes.
	maxDisk = 2048 << 30
)

// magics are how files begin.
var magics = []struct {
	format string
	offset int
	bytes  string
}{
	{Archive, 0, "\x1f\x8b"}, {Archive, 0, "PK\x03\x04"}, {Archive, 0, "\xfd7zXZ\x00"}, {Archive, 0, "BZh"},
	{Archive, 0, "\x28\xb5\x2f\xfd"}, {Archive, 257, "ustar"},
	{QCOW2, 0, "QFI\xfb"}, {VMDK, 0, "KDMV"}, {VHD, 0, "conectix"}, {VDI, 64, "\x7f\x10\xda\xbe"},
}

// Detect tells the format of a file by its bytes; Raw when it has no other's.
func Detect(file content.Content) string {
	head := make([]byte, sector)
	n, _ := file.ReadAt(head, 0)
	for _, m := range magics {
		if len(m.bytes)+m.offset <= n && bytes.HasPrefix(head[m.offset:], []byte(m.bytes)) {
			return m.format
		}
	}
	if tail, ok := read(file, file.Size()-sector, len(vhdCookie)); ok && string(tail) == vhdCookie {
		return VHD // a fixed one has only a footer
	}
	return Raw
}

// read returns the bytes at an offset, and whether the file has all of them.
func read(file content.Content, offset int64, n int) ([]byte, bool) {
	if offset < 0 || offset > file.Size()-int64(n) {
		return nil, false
	}
	p := make([]byte, n)
	_, err := file.ReadAt(p, offset)
	return p, err == nil
}

// Encode is the file of a format that holds the disk. A raw disk is the file; see [Pack] for its archive. VMDK and VDI
// are stand-ins: a header with the format's magic number and the disk behind it, which nothing here reads back.
func Encode(format string, disk content.Content) (content.Content, error) {
	switch format {
	case Raw:
		return disk, nil
	case QCOW2:
		return encodeQCOW2(disk), nil
	case VHD:
		return encodeVHD(disk), nil
	case VMDK:
		return standIn("KDMV\x01\x00\x00\x00", disk), nil
	case VDI:
		header := []byte("<<< Oracle VM VirtualBox Disk Image >>>\n" + strings.Repeat("\x00", 24))
		return standIn(string(binary.LittleEndian.AppendUint32(header, 0xbeda107f)), disk), nil
	}
	return content.Content{}, fmt.Errorf("encode disk as %s: %w", format, ErrUnsupported)
}

func standIn(magic string, disk content.Content) content.Content {
	header := make([]byte, sector)
	copy(header, magic)
	return content.Join(content.Of(header), disk)
}

// Decode is the disk that a file of a format holds; an empty format is detected. It returns the format as well. Errors:
// ErrFormat, ErrTruncated and ErrUnsupported, with a reason.
func Decode(format string, file content.Content) (content.Content, string, error) {
	found := Detect(file)
	if format == "" {
		format = found
	}
	if format != found {
		return content.Content{}, found, fmt.Errorf("read %s file: %w: its bytes are those of: %s", format, ErrFormat, found)
	}
	var disk content.Content
	var err error
	switch format {
	case Raw:
		disk = file
		if file.Size()%sector != 0 {
			err = fmt.Errorf("%w: %d bytes are not whole sectors", ErrTruncated, file.Size())
		}
	case QCOW2:
		disk, err = decodeQCOW2(file)
	case VHD:
		disk, err = decodeVHD(file)
	default:
		err = ErrUnsupported
	}
	if err != nil {
		return content.Content{}, format, fmt.Errorf("read %s file: %w", format, err)
	}
	return disk, format, nil
}
