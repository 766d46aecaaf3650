package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/alicloud/endpoint"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// anyImage in the place of an image means: choose one.
const anyImage = "random"

// maxManifest is far above what a manifest has, in bytes.
const maxManifest = 1 << 20

// manifestOf reads the manifest that an argument names.
func (s *session) manifestOf(ctx context.Context, args []string) (*manifest.Manifest, error) {
	if len(args) == 0 || args[0] == anyImage {
		return s.anyExport(ctx)
	}
	where := args[0]
	switch {
	case manifest.ValidImageID(where):
		return s.ferry.Get(ctx, where)
	case where == "-":
		return readManifest("standard input", s.in)
	case strings.HasPrefix(where, "oss://"):
		return s.manifestInOSS(ctx, where)
	case strings.HasPrefix(where, "https://"), strings.HasPrefix(where, "http://"):
		return s.manifestAt(ctx, where)
	}
	f, err := os.Open(where)
	if err != nil {
		return nil, usage(advised{fmt.Errorf("read manifest: %w", err), "Give the id of an image, a file, - or a URL."})
	}
	defer func() { _ = f.Close() }()
	return readManifest(where, f)
}

func readManifest(where string, r io.Reader) (*manifest.Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(data) > maxManifest {
		err = errors.New("it is too long for a manifest")
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest from %s: %w", where, err)
	}
	m, err := manifest.Decode(data)
	if err != nil {
		return nil, advised{fmt.Errorf("read manifest from %s: %w", where, err), "Give a manifest that imageferry has written."}
	}
	return m, nil
}

// manifestInOSS reads oss://bucket/key, wherever the bucket is.
func (s *session) manifestInOSS(ctx context.Context, where string) (*manifest.Manifest, error) {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(where, "oss://"), "/")
	if !ok || bucket == "" || key == "" {
		return nil, usage(fmt.Errorf("%.200q is not oss://bucket/key", where))
	}
	from := s.cloud.OSS
	b, found, err := from.Bucket(ctx, bucket)
	if err == nil && !found {
		err = fmt.Errorf("there is no bucket %s", bucket)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if region := strings.TrimPrefix(b.Location, "oss-"); region != s.options.Region && !s.local {
		options := s.options
		options.Region, options.OSSEndpoint = region, "https://"+b.Location+".aliyuncs.com"
		other, err := alicloud.Open(options)
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		from = other.OSS
	}
	data, err := from.Store(bucket).Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return readManifest(where, strings.NewReader(string(data)))
}

// manifestAt reads a URL. It may be signed, so nothing shows more of it than the host.
func (s *session) manifestAt(ctx context.Context, where string) (*manifest.Manifest, error) {
	u, err := url.Parse(where)
	if err != nil || u.Host == "" {
		return nil, usage(errors.New("the URL of the manifest is not one"))
	}
	if _, err := endpoint.Parse(u.Scheme + "://" + u.Host); err != nil {
		return nil, usage(fmt.Errorf("the URL of the manifest %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, usage(errors.New("the URL of the manifest is not one"))
	}
	client := &http.Client{Transport: s.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("read manifest from %s: %w", u.Host, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read manifest from %s: it answered %s", u.Host, answer.Status)
	}
	return readManifest(u.Host, answer.Body)
}

// anyExport chooses one of the exported images, each as likely as any other.
func (s *session) anyExport(ctx context.Context) (*manifest.Manifest, error) {
	m, err := s.ferry.AnyExported(ctx)
	if errors.Is(err, export.ErrUnknown) {
		return nil, advised{errors.New("no image is exported yet"), "Look with imageferry list."}
	}
	return m, err
}
