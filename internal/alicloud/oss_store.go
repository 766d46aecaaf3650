package alicloud

import (
	"bytes"
	"context"
	"crypto/md5" // #nosec G501 -- Content-MD5 is a checksum of the transport, asked for by OSS
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/manifest"
)

// A store is a manifest.Store in one bucket. OSS makes a write durable and visible by key before it answers; that two
// creates of one key exclude each other holds only where the bucket was never versioned.
type store struct {
	oss    *OSS
	bucket string
}

// Create writes with x-oss-forbid-overwrite. A repeated try may meet the object of the first one, whose answer was lost.
func (s *store) Create(ctx context.Context, key string, data []byte) error {
	f := s.put(ctx, key, data, oss.ForbidOverWrite(true))
	if f == nil {
		return nil
	}
	if f.Code == "FileAlreadyExists" {
		return fmt.Errorf("create %s: %w", key, manifest.ErrExists)
	}
	return fmt.Errorf("create %s: %w", key, f.CallError)
}

// Put writes over whatever is there.
func (s *store) Put(ctx context.Context, key string, data []byte) error {
	if f := s.put(ctx, key, data); f != nil {
		return fmt.Errorf("put %s: %w", key, f.CallError)
	}
	return nil
}

// put sends the digest along, so that OSS refuses what was damaged on the way before it stores it.
func (s *store) put(ctx context.Context, key string, data []byte, options ...oss.Option) *fault {
	digest := md5.Sum(data) // #nosec G401 -- Content-MD5 is a checksum of the transport, asked for by OSS
	options = append(options, oss.WithContext(ctx), oss.ContentMD5(base64.StdEncoding.EncodeToString(digest[:])))
	return s.oss.object(ctx, "PutObject", s.bucket, func(b *oss.Bucket, _ *exchange) error {
		var body io.Reader // none for no data: the SDK would send an empty one in chunks, without a length
		if len(data) > 0 {
			body = bytes.NewReader(data)
		}
		return b.PutObject(key, body, options...)
	})
}

// Get reads a whole object of at most 8 MiB and compares it with the checksum that OSS sends. What is longer is no
// manifest.
func (s *store) Get(ctx context.Context, key string) ([]byte, error) {
	var data []byte
	long := false
	f := s.oss.object(ctx, "GetObject", s.bucket, func(b *oss.Bucket, x *exchange) error {
		answer, err := b.GetObject(key, oss.WithContext(ctx))
		if err != nil {
			return err
		}
		_ = answer.Close()
		if long = x.cut; long {
			return nil
		}
		data = x.body
		return checkSum(x.header, data)
	})
	switch {
	case f == nil && long:
		return nil, fmt.Errorf("get %s: %w: it is longer than %d bytes", key, manifest.ErrUnreadable, maxAnswer)
	case f == nil:
		return data, nil
	}
	if f.Status == http.StatusNotFound && f.Code == "NoSuchKey" {
		return nil, fmt.Errorf("get %s: %w", key, manifest.ErrNotFound)
	}
	return nil, fmt.Errorf("get %s: %w", key, f.CallError)
}

func checkSum(header http.Header, data []byte) error {
	sent := header.Get(oss.HTTPHeaderOssCRC64)
	if sent == "" {
		return nil
	}
	if strconv.FormatUint(crc64.Checksum(data, oss.CrcTable()), 10) != sent {
		return errors.New("the object does not match its checksum")
	}
	return nil
}

// Delete removes an object; OSS does not tell whether there was one.
func (s *store) Delete(ctx context.Context, key string) error {
	f := s.oss.object(ctx, "DeleteObject", s.bucket, func(b *oss.Bucket, _ *exchange) error {
		return b.DeleteObject(key, oss.WithContext(ctx))
	})
	if f != nil && f.Code != "NoSuchKey" {
		return fmt.Errorf("delete %s: %w", key, f.CallError)
	}
	return nil
}

// List goes on while OSS says that there are more keys: a page may be shorter than was asked for.
func (s *store) List(ctx context.Context, prefix, after string, limit int) (keys []string, more bool, err error) {
	options := []oss.Option{oss.Prefix(prefix)}
	if after != "" {
		options = append(options, oss.StartAfter(after))
	}
	for next := ""; len(keys) < limit; {
		page, f := s.page(ctx, append(options[:len(options):len(options)], paging(next, limit-len(keys))...))
		if f != nil {
			return nil, false, fmt.Errorf("list %s: %w", prefix, f.CallError)
		}
		for _, object := range page.Objects {
			keys = append(keys, object.Key)
		}
		if !page.IsTruncated || page.NextContinuationToken == "" || page.NextContinuationToken == next {
			return keys[:min(limit, len(keys))], len(keys) > limit, nil
		}
		next = page.NextContinuationToken
	}
	return keys[:limit], true, nil
}

func paging(token string, limit int) []oss.Option {
	options := []oss.Option{oss.MaxKeys(min(limit, 1000))}
	if token != "" {
		options = append(options, oss.ContinuationToken(token))
	}
	return options
}

func (s *store) page(ctx context.Context, options []oss.Option) (oss.ListObjectsResultV2, *fault) {
	var page oss.ListObjectsResultV2
	f := s.oss.object(ctx, "ListObjectsV2", s.bucket, func(b *oss.Bucket, x *exchange) error {
		var err error
		page, err = b.ListObjectsV2(append(options, oss.WithContext(ctx))...)
		if err == nil && x.cut {
			err = errors.New("the listing is too long")
		}
		return err
	})
	return page, f
}
