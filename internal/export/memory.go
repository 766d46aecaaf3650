package export

import (
	"context"
	"sync"
	"time"
)

// bucketTTL is how long a bucket that was found usable is not asked about again.
const bucketTTL = time.Minute

// A BucketMemory remembers buckets for a minute, over the invocations of a warm instance. Safe for concurrent use.
type BucketMemory struct {
	mu    sync.Mutex
	known map[string]remembered
}

type remembered struct {
	bucket Bucket
	at     time.Time
}

// NewBucketMemory returns an empty one.
func NewBucketMemory() *BucketMemory { return &BucketMemory{known: map[string]remembered{}} }

// bucket asks for a bucket, or remembers it.
func (f *Ferry) bucket(ctx context.Context, name string) (Bucket, bool, error) {
	f.buckets.mu.Lock()
	r, ok := f.buckets.known[name]
	f.buckets.mu.Unlock()
	if ok && f.now().Sub(r.at) < bucketTTL {
		return r.bucket, true, nil
	}
	b, found, err := f.Objects.Bucket(ctx, name)
	if err == nil && found {
		f.buckets.mu.Lock()
		f.buckets.known[name] = remembered{bucket: b, at: f.now()}
		f.buckets.mu.Unlock()
	}
	return b, found, err
}

// forgetBucket makes the next look a fresh one, after the bucket proved unusable.
func (f *Ferry) forgetBucket(name string) {
	f.buckets.mu.Lock()
	defer f.buckets.mu.Unlock()
	delete(f.buckets.known, name)
}
