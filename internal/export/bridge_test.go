package export

import (
	"context"
	"hash/crc64"
	"strconv"
	"time"

	"imageferry/internal/manifest"
)

// A FakeCloud lets the tests outside this package reach the fake that those inside it rest on.
type FakeCloud struct{ *fakeCloud }

// NewFakeCloud has an image that can be exported, one that is being created, and buckets in two regions. Its exports take
// so long, in real time.
func NewFakeCloud(duration time.Duration) FakeCloud {
	c := newCloud()
	c.duration = duration
	image, creating, elsewhere := goodImage("m-1"), goodImage("m-creating"), goodBucket("elsewhere")
	image.Disks = append(image.Disks, manifest.Disk{Device: "/dev/xvdb", Type: "data", SizeGiB: 20})
	creating.Status, elsewhere.Location = "Creating", "oss-cn-beijing"
	c.images["m-1"] = []imageVersion{{image: image}}
	c.images["m-creating"] = []imageVersion{{image: creating}}
	c.buckets["golden-images"] = goodBucket("golden-images")
	c.buckets["elsewhere"] = elsewhere
	return FakeCloud{c}
}

// PutObject stores an object in golden-images.
func (c FakeCloud) PutObject(_ context.Context, key string, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects["golden-images/"+key] = fakeObject{head: data, tail: data, info: ObjectInfo{
		Size: int64(len(data)), ETag: "E", LastModified: time.Now(),
		CRC64: strconv.FormatUint(crc64.Checksum(data, crc64.MakeTable(crc64.ECMA)), 10),
	}}
	return nil
}

// DeleteObject removes an object from golden-images.
func (c FakeCloud) DeleteObject(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, "golden-images/"+key)
	return nil
}
