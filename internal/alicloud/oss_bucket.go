package alicloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/unpack"
)

// A bucket is an unpack.Store: whole objects, of any length, and multipart uploads.
type bucket struct {
	oss  *OSS
	name string
}

// Unpacking is a bucket to unpack from and into.
func (o *OSS) Unpacking(name string) unpack.Store { return &bucket{oss: o, name: name} }

// slowest is the rate below which a body on its way is given up, in bytes a second.
const slowest = 64 << 10

// patient is the client with enough time for a body of so many bytes.
func (o *OSS) patient(size int64) *OSS {
	slow := *o
	slow.line.timeout += time.Duration(size/slowest) * time.Second
	return &slow
}

// failed puts a fault into the words of unpack.
func failed(key string, f *fault) error {
	cause := error(f.CallError)
	switch {
	case f.Code == "NoSuchUpload":
		cause = unpack.ErrNoUpload
	case f.Code == "FileAlreadyExists":
		cause = unpack.ErrExists
	case f.Status == http.StatusPreconditionFailed:
		cause = unpack.ErrChanged
	case f.Code == "NoSuchKey", f.Status == http.StatusNotFound && f.Code == "":
		cause = unpack.ErrAbsent
	}
	return fmt.Errorf("%s %s: %w", f.Op, key, cause)
}

// Head describes an object.
func (b *bucket) Head(ctx context.Context, key string) (unpack.Object, error) {
	info, found, err := b.oss.Object(ctx, b.name, key)
	if err == nil && !found {
		err = unpack.ErrAbsent
	}
	if err != nil {
		return unpack.Object{}, fmt.Errorf("HeadObject %s: %w", key, err)
	}
	object := unpack.Object{Key: key, Size: info.Size, ETag: info.ETag, Modified: info.LastModified}
	object.CRC64, object.HasCRC64 = crc64Of(info.CRC64)
	return object, nil
}

func crc64Of(text string) (crc uint64, ok bool) {
	crc, err := strconv.ParseUint(text, 10, 64)
	return crc, err == nil
}

// Read opens a range of an object.
func (b *bucket) Read(ctx context.Context, r unpack.Range) (io.ReadCloser, error) {
	if r.Length == 0 {
		return http.NoBody, nil // a range of none cannot be asked for
	}
	options := []oss.Option{
		oss.WithContext(ctx), oss.NormalizedRange(fmt.Sprintf("%d-%d", r.Offset, r.Offset+r.Length-1)), oss.RangeBehavior("standard"),
	}
	if r.ETag != "" {
		options = append(options, oss.IfMatch(quoted(r.ETag)))
	}
	opening := &stream{http: b.oss.line.http, ctx: ctx, idle: b.oss.line.timeout}
	streaming := *b.oss
	streaming.line.http = opening
	f := streaming.object(ctx, "GetObject", b.name, func(in *oss.Bucket, x *exchange) error {
		answer, err := in.GetObject(r.Key, options...)
		if err != nil {
			return err
		}
		_ = answer.Close() // what the SDK has is empty
		if x.status == http.StatusPartialContent && rangeLength(x.header.Get("Content-Range")) != r.Length ||
			x.status != http.StatusPartialContent && x.header.Get("Content-Length") != strconv.FormatInt(r.Length, 10) {
			return errors.New("another part than the one asked for")
		}
		return nil
	})
	if f != nil {
		opening.close()
		return nil, failed(r.Key, f)
	}
	return opening.body, nil
}

func quoted(etag string) string { return `"` + strings.Trim(etag, `"`) + `"` }

// Put stores an object over whatever is there.
func (b *bucket) Put(ctx context.Context, key string, body io.ReaderAt, size int64) (unpack.Object, error) {
	g := &gate{body: body}
	defer g.shut()
	var object unpack.Object
	f := b.oss.patient(size).object(ctx, "PutObject", b.name, func(in *oss.Bucket, x *exchange) error {
		var data io.Reader // none for no data: the SDK would send an empty one in chunks, without a length
		if size > 0 {
			data = io.NewSectionReader(g, 0, size)
		}
		err := in.PutObject(key, data, oss.WithContext(ctx), oss.ContentLength(size))
		if err == nil {
			object = written(key, size, x.header)
		}
		return err
	})
	if f != nil {
		return unpack.Object{}, failed(key, f)
	}
	return object, nil
}

// written is an object as the answer to its making tells.
func written(key string, size int64, header http.Header) unpack.Object {
	object := unpack.Object{Key: key, Size: size, ETag: strings.Trim(header.Get("ETag"), `"`)}
	object.CRC64, object.HasCRC64 = crc64Of(header.Get(oss.HTTPHeaderOssCRC64))
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		object.Modified = at.UTC()
	}
	return object
}

// Delete removes an object.
func (b *bucket) Delete(ctx context.Context, key string) error {
	return b.oss.Store(b.name).Delete(ctx, key)
}

// List lists every object under a prefix.
func (b *bucket) List(ctx context.Context, prefix string) ([]unpack.Object, error) {
	listing := &store{oss: b.oss, bucket: b.name}
	var all []unpack.Object
	for next := ""; ; {
		page, f := listing.page(ctx, append([]oss.Option{oss.Prefix(prefix)}, paging(next, maxKeys)...))
		if f != nil {
			return nil, failed(prefix, f)
		}
		for _, o := range page.Objects {
			all = append(all, unpack.Object{Key: o.Key, Size: o.Size, ETag: strings.Trim(o.ETag, `"`), Modified: o.LastModified.UTC()})
		}
		if !page.IsTruncated || page.NextContinuationToken == "" || page.NextContinuationToken == next {
			return all, nil
		}
		next = page.NextContinuationToken
	}
}

// maxKeys is the longest page that OSS lists.
const maxKeys = 1000
