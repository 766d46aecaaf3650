package ecsd

import (
	"crypto/sha256"
	"fmt"

	"imageferry/internal/localcloud/content"
)

const (
	sectorSize = 512
	// defaultSample is the size of the disk that stands for one whose bytes nobody gave.
	defaultSample = 4 << 10
	// island and islands are the size and number of the places of a sample that hold data.
	island  = 64 << 10
	islands = 8
)

// SampleDisk is a disk of the size in bytes, a multiple of 512: a boot sector, some places with data that cannot be compressed,
// the last of them at the end, and zeros everywhere else. It is always the same for a seed, and different for any other.
func SampleDisk(seed string, size int64) content.Content {
	if size < islands*2*island {
		return bootable(noise(seed, 0, size))
	}
	parts := []content.Content{bootable(noise(seed, 0, island))}
	gap := (size/islands - island) &^ (sectorSize - 1)
	done := int64(island)
	for n := range islands - 1 {
		last := n == islands-2
		if last {
			gap = size - done - island
		}
		parts = append(parts, content.Zeros(gap), content.Of(noise(seed, n+1, island)))
		done += gap + island
	}
	return content.Join(parts...)
}

// bootable puts the mark of a master boot record into the first sector.
func bootable(data []byte) content.Content {
	copy(data[sectorSize-2:], "\x55\xaa")
	return content.Of(data)
}

// noise is n bytes that follow from the seed and the number.
func noise(seed string, number int, n int64) []byte {
	data := make([]byte, 0, n+sha256.Size)
	for at := 0; int64(len(data)) < n; at++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", seed, number, at))
		data = append(data, sum[:]...)
	}
	return data[:n]
}

// content is the bytes of a disk of the image.
func (i *Image) content(d Disk) content.Content {
	if d.Content.Size() > 0 {
		return d.Content
	}
	return SampleDisk(i.ID+" "+d.Device, defaultSample)
}

// DiskContent is the bytes of the disk at the device, such as "/dev/xvda", of an image, and whether there is such a disk.
func (s *Server) DiskContent(imageID, device string) (content.Content, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok := s.images.byID[imageID]
	if !ok {
		return content.Content{}, false
	}
	for _, d := range image.Disks {
		if d.Device == device {
			return image.content(d), true
		}
	}
	return content.Content{}, false
}
