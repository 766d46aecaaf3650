package alicloud_test

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/export/exporttest"
	"imageferry/internal/localcloud"
	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// A lent account is a real one that somebody lets the tests use; docs/real-account.md tells what they do in it.
type lent struct {
	*alicloud.Session
	region, bucket, image string
}

// borrow skips the test unless an account is lent.
func borrow(t *testing.T) lent {
	t.Helper()
	l := lent{
		region: os.Getenv("IMAGEFERRY_REAL_REGION"),
		bucket: os.Getenv("IMAGEFERRY_REAL_BUCKET"),
		image:  os.Getenv("IMAGEFERRY_REAL_IMAGE"),
	}
	if l.region == "" || l.bucket == "" || l.image == "" {
		t.Skip("no real account: set IMAGEFERRY_REAL_REGION, IMAGEFERRY_REAL_BUCKET and IMAGEFERRY_REAL_IMAGE (docs/real-account.md)")
	}
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	var err error
	l.Session, err = alicloud.Open(alicloud.Options{
		Region: l.region, Credentials: alicloud.DefaultChain(), HTTP: transport, Version: "conformance",
		OSSEndpoint: optional("IMAGEFERRY_REAL_OSS_ENDPOINT", "https://oss-"+l.region+".aliyuncs.com"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func optional(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// folder is a part of the bucket that nobody else uses, empty, and emptied again after the test.
func (l lent) folder(t *testing.T) folder {
	f := folder{store: l.OSS.Store(l.bucket), prefix: "imageferry-conformance/" + strings.ToLower(rand.Text()) + "/"}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		keys, _, err := f.List(ctx, "", "", 1000)
		for _, key := range keys {
			if deleteErr := f.Delete(ctx, key); deleteErr != nil {
				err = deleteErr
			}
		}
		if err != nil {
			t.Errorf("objects under %s stay: %v", f.prefix, err)
		}
	})
	return f
}

// A folder is a store whose keys begin with a prefix.
type folder struct {
	store  manifest.Store
	prefix string
}

func (f folder) Create(ctx context.Context, key string, data []byte) error {
	return f.store.Create(ctx, f.prefix+key, data)
}

func (f folder) Put(ctx context.Context, key string, data []byte) error {
	return f.store.Put(ctx, f.prefix+key, data)
}

func (f folder) Get(ctx context.Context, key string) ([]byte, error) {
	return f.store.Get(ctx, f.prefix+key)
}

func (f folder) Delete(ctx context.Context, key string) error {
	return f.store.Delete(ctx, f.prefix+key)
}

func (f folder) List(ctx context.Context, prefix, after string, limit int) ([]string, bool, error) {
	if after != "" {
		after = f.prefix + after
	}
	keys, more, err := f.store.List(ctx, f.prefix+prefix, after, limit)
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], f.prefix)
	}
	return keys, more, err
}

// TestRealStore holds OSS itself against what the journal rests on.
func TestRealStore(t *testing.T) {
	l := borrow(t)
	manifesttest.Conformance(t, func(t *testing.T) manifest.Store { return l.folder(t) })
}

// TestRealPorts holds ECS and OSS themselves against what the domain rests on.
func TestRealPorts(t *testing.T) {
	l := borrow(t)
	finish, err := time.ParseDuration(optional("IMAGEFERRY_REAL_FINISH", "0s"))
	if err != nil {
		t.Fatalf("IMAGEFERRY_REAL_FINISH: %v", err)
	}
	exporttest.Conformance(t, func(t *testing.T) exporttest.Account {
		store := l.OSS.Store(l.bucket)
		return exporttest.Account{
			Images: l.ECS, Tasks: l.ECS, Objects: l.OSS,
			Destination: manifest.Destination{Region: l.region, Bucket: l.bucket, Prefix: "conformance", Format: "raw"},
			Role:        optional("IMAGEFERRY_REAL_ROLE", localcloud.ExportRole),
			Image:       l.image,
			Elsewhere:   os.Getenv("IMAGEFERRY_REAL_ELSEWHERE"),
			Keys:        l.folder(t).prefix,
			Put:         store.Put,
			Delete:      store.Delete,
			Finish:      finish,
			Poll:        15 * time.Second,
		}
	})
}

// TestFolderConforms keeps what the real store is tested through from failing by itself.
func TestFolderConforms(t *testing.T) {
	t.Parallel()
	manifesttest.Conformance(t, func(*testing.T) manifest.Store {
		return folder{store: &manifesttest.Memory{}, prefix: "imageferry-conformance/x/"}
	})
}
