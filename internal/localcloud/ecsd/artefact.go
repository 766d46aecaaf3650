package ecsd

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
)

// archived is the extension that a raw image gets in addition, because it is exported as an archive.
const archived = ".tar.gz"

// objectName is the key of a disk: [prefix_]<image>_system.raw.tar.gz, or _data_xvdb for the disk at /dev/xvdb.
// Guess: for the other formats, which are not known to be archived, the extension is the format.
func objectName(prefix, imageID string, disk Disk, format string) string {
	name := imageID + "_system"
	if disk.Type == "data" {
		name = imageID + "_data_" + path.Base(disk.Device)
	}
	if prefix != "" {
		name = prefix + "_" + name
	}
	name += "." + format
	if format == "raw" {
		name += archived
	}
	return name
}

// artefact is what is written for a disk: an image of a few KiB with the format's magic number, always the same for an
// image and device, and different for any other.
func artefact(imageID, device, object, format string) ([]byte, error) {
	content := diskContent(imageID, device)
	switch format {
	case "qcow2":
		copy(content, "QFI\xfb\x00\x00\x00\x03")
	case "vmdk":
		copy(content, "KDMV\x01\x00\x00\x00")
	case "vhd":
		copy(content, "conectix") // a dynamic disk starts with a copy of its footer
	case "vdi":
		copy(content, "<<< Oracle VM VirtualBox Disk Image >>>\n")
		binary.LittleEndian.PutUint32(content[64:], 0xbeda107f)
	default:
		copy(content[510:], "\x55\xaa") // a master boot record
		return archive(strings.TrimSuffix(object, archived), content)
	}
	return content, nil
}

// diskContent is 4 KiB that cannot be compressed away.
func diskContent(imageID, device string) []byte {
	const size = 4 << 10
	content := make([]byte, 0, size)
	for n := 0; len(content) < size; n++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", imageID, device, n))
		content = append(content, sum[:]...)
	}
	return content
}

// archive packs one regular file, without times, so that the same content gives the same bytes.
func archive(name string, content []byte) ([]byte, error) {
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	packed := tar.NewWriter(zipped)
	if err := packed.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	if _, err := packed.Write(content); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	if err := packed.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	return b.Bytes(), nil
}
