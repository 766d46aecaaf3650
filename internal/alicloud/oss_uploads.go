package alicloud

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/unpack"
)

var _ unpack.Store = (*bucket)(nil)

func (b *bucket) upload(u unpack.Upload) oss.InitiateMultipartUploadResult {
	return oss.InitiateMultipartUploadResult{Bucket: b.name, Key: u.Key, UploadID: u.ID}
}

// Begin starts a multipart upload.
func (b *bucket) Begin(ctx context.Context, key string) (unpack.Upload, error) {
	u := unpack.Upload{Key: key}
	f := b.oss.object(ctx, "InitiateMultipartUpload", b.name, func(in *oss.Bucket, x *exchange) error {
		answer, err := in.InitiateMultipartUpload(key, oss.WithContext(ctx))
		if err == nil && answer.UploadID == "" {
			err = fmt.Errorf("no upload id")
		}
		u.ID, u.Begun = answer.UploadID, written(key, 0, x.header).Modified
		return err
	})
	if f != nil {
		return unpack.Upload{}, failed(key, f)
	}
	return u, nil
}

// Uploads lists every unfinished upload under a prefix.
func (b *bucket) Uploads(ctx context.Context, prefix string) ([]unpack.Upload, error) {
	var all []unpack.Upload
	for key, id := "", ""; ; {
		var page oss.ListMultipartUploadResult
		f := b.oss.object(ctx, "ListMultipartUploads", b.name, func(in *oss.Bucket, _ *exchange) (err error) {
			page, err = in.ListMultipartUploads(oss.WithContext(ctx), oss.Prefix(prefix), oss.MaxUploads(maxKeys),
				oss.KeyMarker(key), oss.UploadIDMarker(id))
			return err
		})
		if f != nil {
			return nil, failed(prefix, f)
		}
		for _, u := range page.Uploads {
			all = append(all, unpack.Upload{Key: u.Key, ID: u.UploadID, Begun: u.Initiated.UTC()})
		}
		if !page.IsTruncated || page.NextKeyMarker == key && page.NextUploadIDMarker == id {
			return all, nil
		}
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

// Abort ends an upload and removes its parts.
func (b *bucket) Abort(ctx context.Context, u unpack.Upload) error {
	f := b.oss.object(ctx, "AbortMultipartUpload", b.name, func(in *oss.Bucket, _ *exchange) error {
		return in.AbortMultipartUpload(b.upload(u), oss.WithContext(ctx))
	})
	if f != nil && f.Code != "NoSuchUpload" {
		return failed(u.Key, f)
	}
	return nil
}

// PutPart stores a part. OSS compares it with its MD5 before it keeps it.
func (b *bucket) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, body io.ReaderAt) (unpack.Part, error) {
	digest, err := hex.DecodeString(p.ETag)
	if err != nil {
		return unpack.Part{}, fmt.Errorf("UploadPart %s: the MD5 %q is not in hexadecimal", u.Key, p.ETag)
	}
	g := &gate{body: body}
	defer g.shut()
	var made oss.UploadPart
	f := b.oss.patient(p.Size).object(ctx, "UploadPart", b.name, func(in *oss.Bucket, _ *exchange) (err error) {
		made, err = in.UploadPart(b.upload(u), io.NewSectionReader(g, 0, p.Size), p.Size, p.Number,
			oss.WithContext(ctx), oss.ContentMD5(base64.StdEncoding.EncodeToString(digest)))
		return err
	})
	if f != nil {
		return unpack.Part{}, failed(u.Key, f)
	}
	p.ETag = strings.Trim(made.ETag, `"`)
	return p, nil
}

// CopyPart makes a part out of a range of an object in the same bucket.
func (b *bucket) CopyPart(ctx context.Context, u unpack.Upload, number int, from unpack.Range) (unpack.Part, error) {
	options := []oss.Option{oss.WithContext(ctx)}
	if from.ETag != "" {
		options = append(options, oss.CopySourceIfMatch(quoted(from.ETag)))
	}
	var made oss.UploadPart
	f := b.oss.object(ctx, "UploadPartCopy", b.name, func(in *oss.Bucket, _ *exchange) (err error) {
		made, err = in.UploadPartCopy(b.upload(u), b.name, from.Key, from.Offset, from.Length, number, options...)
		return err
	})
	if f != nil {
		return unpack.Part{}, failed(u.Key, f)
	}
	return unpack.Part{Number: number, Size: from.Length, ETag: strings.Trim(made.ETag, `"`)}, nil
}

// Parts lists every part of an upload.
func (b *bucket) Parts(ctx context.Context, u unpack.Upload) ([]unpack.Part, error) {
	var all []unpack.Part
	for marker := 0; ; {
		var page oss.ListUploadedPartsResult
		f := b.oss.object(ctx, "ListParts", b.name, func(in *oss.Bucket, _ *exchange) (err error) {
			page, err = in.ListUploadedParts(b.upload(u), oss.WithContext(ctx), oss.MaxParts(maxKeys), oss.PartNumberMarker(marker))
			return err
		})
		if f != nil {
			return nil, failed(u.Key, f)
		}
		for _, p := range page.UploadedParts {
			all = append(all, unpack.Part{Number: p.PartNumber, Size: int64(p.Size), ETag: strings.Trim(p.ETag, `"`)})
		}
		next, err := strconv.Atoi(page.NextPartNumberMarker)
		if !page.IsTruncated || err != nil || next <= marker {
			return all, nil
		}
		marker = next
	}
}

// Complete makes the object, unless there is one.
func (b *bucket) Complete(ctx context.Context, u unpack.Upload, parts []unpack.Part) (unpack.Object, error) {
	list := make([]oss.UploadPart, len(parts))
	size := int64(0)
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return unpack.Object{}, fmt.Errorf("CompleteMultipartUpload %s: the parts are not in order", u.Key) // the SDK would sort them
		}
		list[i] = oss.UploadPart{PartNumber: p.Number, ETag: quoted(p.ETag)}
		size += p.Size
	}
	var object unpack.Object
	f := b.oss.object(ctx, "CompleteMultipartUpload", b.name, func(in *oss.Bucket, x *exchange) error {
		answer, err := in.CompleteMultipartUpload(b.upload(u), list, oss.WithContext(ctx), oss.ForbidOverWrite(true))
		object = written(u.Key, size, x.header)
		if object.ETag == "" {
			object.ETag = strings.Trim(answer.ETag, `"`)
		}
		return err
	})
	if f != nil {
		return unpack.Object{}, failed(u.Key, f)
	}
	return object, nil
}
