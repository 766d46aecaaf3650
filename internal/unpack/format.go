package unpack

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// A Format is what an object is by its bytes.
type Format string

// The formats. The first four are what ImportImage takes, under the names that it knows them by.
const (
	FormatRAW   Format = "RAW"
	FormatQCOW2 Format = "QCOW2"
	FormatVHD   Format = "VHD"
	FormatVMDK  Format = "VMDK"
	// FormatTarGzip and FormatTar have to be unpacked.
	FormatTarGzip Format = "tar.gz"
	FormatTar     Format = "tar"
)

// Archive reports whether an object of the format has to be unpacked before it can be imported.
func (f Format) Archive() bool { return f == FormatTarGzip || f == FormatTar }

const (
	// headBytes of the beginning and tailBytes of the end tell every format.
	headBytes = 1024
	tailBytes = vhdFooter
	vhdFooter = 512
)

// foreign are the beginnings of files that ImportImage does not take and this package does not unpack, with their names.
// Imported as RAW, they would become disks without content.
var foreign = []struct {
	offset int
	magic  string
	name   string
}{
	{0, "vhdxfile", "VHDX"},
	{64, "\x7f\x10\xda\xbe", "VDI"},
	{0, "COWD", "VMDK of ESX 2"},
	{0, "# Disk DescriptorFile", "VMDK descriptor without its data"},
	{0, "\xfd7zXZ\x00", "xz"},
	{0, "\x28\xb5\x2f\xfd", "zstd"},
	{4, "\x31\x41\x59\x26\x53\x59", "bzip2"}, // after "BZh" and a digit
	{0, "7z\xbc\xaf\x27\x1c", "7z"},
	{0, "PK\x03\x04", "zip"},
	{0, "\x04\x22\x4d\x18", "lz4"},
}

// detect tells the format from the first headBytes and the last tailBytes, or all there is. What has no signature is RAW.
// The name of a format that is of no use here is returned instead.
//
// RAW content is written by the guest, which can put the signature of any format there: callers compare with the format that
// the manifest records before they trust it.
func detect(head, tail []byte) (f Format, useless string) {
	for _, known := range foreign {
		if len(head) > known.offset && strings.HasPrefix(string(head[known.offset:]), known.magic) {
			return "", known.name
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return FormatTarGzip, ""
	case tarHeader(head):
		return FormatTar, ""
	case bytes.HasPrefix(head, []byte("QFI\xfb")):
		if len(head) < 8 || (binary.BigEndian.Uint32(head[4:]) != 2 && binary.BigEndian.Uint32(head[4:]) != 3) {
			return "", "QCOW of an unknown version"
		}
		return FormatQCOW2, ""
	case bytes.HasPrefix(head, []byte("KDMV")):
		return FormatVMDK, ""
	case bytes.HasPrefix(head, []byte("conectix")), vhd(tail):
		return FormatVHD, ""
	default:
		return FormatRAW, ""
	}
}

// vhd reports whether the end of a file is the footer of a VHD: the signature and a fitting checksum, the one's complement of
// the sum of all other bytes.
func vhd(tail []byte) bool {
	if len(tail) < vhdFooter {
		return false
	}
	footer := tail[len(tail)-vhdFooter:]
	if !bytes.HasPrefix(footer, []byte("conectix")) {
		return false
	}
	var sum uint32
	for i, b := range footer {
		if i < 64 || i >= 68 {
			sum += uint32(b)
		}
	}
	return binary.BigEndian.Uint32(footer[64:]) == ^sum
}

// tarHeader reports whether the block is the first of a POSIX or GNU tar archive: the signature and a fitting checksum, so
// that no boot sector is taken for one.
func tarHeader(head []byte) bool {
	if len(head) < 512 || !bytes.HasPrefix(head[257:], []byte("ustar")) {
		return false
	}
	want, err := strconv.ParseUint(strings.Trim(string(head[148:156]), " \x00"), 8, 32)
	if err != nil {
		return false
	}
	var sum uint64
	for i, b := range head[:512] {
		if i >= 148 && i < 156 {
			b = ' '
		}
		sum += uint64(b)
	}
	return sum == want
}
