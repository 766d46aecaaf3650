package ossd_test

import (
	"bytes"
	"hash/crc64"
	"io"
	"runtime"
	"strconv"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/localcloud/content"
)

// An object of 64 GiB, made of a short part and copies of zeros, takes the memory of its few bytes, and any range of it is
// read as what it is.
func TestSparseObject(t *testing.T) {
	c := newCloud(t)
	b := c.objects(t, c.admin)
	const size, partSize = int64(64 << 30), int64(64 << 20)
	before := heap()
	noError(t, c.oss.PutContentAs(t.Context(), c.admin, bucket, "zeros", content.Zeros(partSize)))
	upload := initiate(t, b, "disk")
	island := pattern("island", 200<<10)
	parts := []oss.UploadPart{uploadPart(t, b, upload, 1, island)}
	for n := 2; n <= int(size/partSize); n++ {
		part, err := b.UploadPartCopy(upload, bucket, "zeros", 0, partSize, n)
		noError(t, err)
		parts = append(parts, part)
	}
	done, err := b.CompleteMultipartUpload(upload, parts)
	noError(t, err)
	head, err := b.GetObjectDetailedMeta("disk")
	noError(t, err)
	whole := int64(len(island)) + size - partSize
	want := content.Join(content.Of(island), content.Zeros(size-partSize))
	if head.Get("Content-Length") != strconv.FormatInt(whole, 10) ||
		head.Get("x-oss-hash-crc64ecma") != strconv.FormatUint(want.CRC64(), 10) || head.Get("ETag") != done.ETag {
		t.Errorf("HEAD answers %v", head)
	}
	if got := get(t, b, "disk", oss.Range(int64(len(island))-4, int64(len(island))+3)); got != string(island[len(island)-4:])+"\x00\x00\x00\x00" {
		t.Errorf("range is %q", got)
	}
	if got := get(t, b, "disk", oss.NormalizedRange("-4"), oss.IfMatch(done.ETag)); got != "\x00\x00\x00\x00" {
		t.Errorf("end is %q", got)
	}
	stored, ok := c.oss.Content(bucket, "disk")
	if !ok || !content.Equal(stored, want) || stored.Stored() > 1<<20 {
		t.Errorf("%d bytes are stored of %d", stored.Stored(), stored.Size())
	}
	grown := heap() - before
	t.Logf("an object of %d GiB in %d parts grew the heap by %d KiB", whole>>30, len(parts), grown>>10)
	if grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// A range is streamed, whatever its length.
func TestLongRangeIsStreamed(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	const size = 64 << 20
	disk := content.Join(content.Of([]byte("begin")), content.Zeros(size-8), content.Of([]byte("end")))
	noError(t, c.oss.PutContentAs(t.Context(), c.admin, bucket, "disk", disk))
	body, err := c.objects(t, c.admin).GetObject("disk")
	noError(t, err)
	defer func() { _ = body.Close() }()
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	if n, err := io.Copy(sum, body); n != size || err != nil || sum.Sum64() != disk.CRC64() {
		t.Errorf("read %d bytes, %v", n, err)
	}
	var tail bytes.Buffer
	body, err = c.objects(t, c.admin).GetObject("disk", oss.Range(size-5, size-1))
	noError(t, err)
	defer func() { _ = body.Close() }()
	if _, err := io.Copy(&tail, body); err != nil || tail.String() != "\x00\x00end" {
		t.Errorf("%q, %v", tail.String(), err)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
