package ecsd

import (
	"path"
	"strings"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/diskfile"
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

// artefact is the object that a disk is exported as, always the same for the same bytes: an archive of the raw disk, or the
// disk in another format.
func artefact(disk content.Content, object, format string) (content.Content, error) {
	if format == diskfile.Raw {
		return diskfile.Pack(strings.TrimSuffix(object, archived), disk)
	}
	return diskfile.Encode(format, disk)
}
