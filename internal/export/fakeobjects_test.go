package export

import (
	"context"
	"slices"
	"time"
)

type fakeObject struct {
	info       ObjectInfo
	head, tail []byte
}

// newObject is an object of 3 GiB that begins as its format does.
func newObject(format string) fakeObject {
	o := fakeObject{info: ObjectInfo{
		Size: 3 << 30, CRC64: "9548687815775124833", ETag: "5B3C1A2E053D763E1B002CC607C5A0FE-16",
		StorageClass: "Standard", LastModified: time.Now(),
	}, head: make([]byte, 4096), tail: make([]byte, 512)}
	switch format {
	case "raw":
		copy(o.head, "\x1f\x8b\x08")
	case "qcow2":
		copy(o.head, "QFI\xfb")
	case "vmdk":
		copy(o.head, "KDMV")
	case "vhd":
		copy(o.tail, "conectix")
	case "vdi":
		copy(o.head, "<<< Oracle VM VirtualBox Disk Image >>>\n")
		copy(o.head[64:], "\x7f\x10\xda\xbe")
	}
	return o
}

func (c *fakeCloud) Bucket(ctx context.Context, name string) (bucket Bucket, found bool, err error) {
	err = c.do(ctx, opBucket, name, func() error { bucket, found = c.buckets[name]; return nil })
	return bucket, found, err
}

func (c *fakeCloud) Object(ctx context.Context, bucket, key string) (object ObjectInfo, found bool, err error) {
	err = c.do(ctx, opObject, bucket+"/"+key, func() error {
		o, ok := c.objects[bucket+"/"+key]
		object, found = o.info, ok
		return nil
	})
	return object, found, err
}

func (c *fakeCloud) Read(ctx context.Context, bucket, key string, offset, length int64) (data []byte, err error) {
	err = c.do(ctx, opRead, bucket+"/"+key, func() error {
		o := c.objects[bucket+"/"+key]
		if offset < 0 {
			data = o.tail[max(0, int64(len(o.tail))+offset):]
		} else {
			data = o.head[min(offset, int64(len(o.head))):]
		}
		data = slices.Clone(data[:min(length, int64(len(data)))])
		return nil
	})
	return data, err
}
