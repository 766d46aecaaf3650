package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/manifest"
)

// A plot is a manifest.Store that writes into the embedded OSS without a request: what a benchmark finds there is planted fast.
// It lists nothing.
type plot struct {
	scene  *scene
	bucket string
}

func (p plot) Put(ctx context.Context, key string, data []byte) error {
	return p.scene.OSS.PutContentAs(ctx, p.scene.Administrator, p.bucket, key, content.Of(data))
}

func (p plot) Create(ctx context.Context, key string, data []byte) error {
	return p.Put(ctx, key, data)
}

func (p plot) Get(_ context.Context, key string) ([]byte, error) {
	body, ok := p.scene.OSS.Content(p.bucket, key)
	if !ok {
		return nil, fmt.Errorf("get %s: %w", key, manifest.ErrNotFound)
	}
	return body.Bytes(), nil
}

var errNotPlanted = errors.New("only what is planted can be had back")

func (plot) Delete(context.Context, string) error { return errNotPlanted }
func (plot) List(context.Context, string, string, int) ([]string, bool, error) {
	return nil, false, errNotPlanted
}
func (p plot) index(layout manifest.Layout) *manifest.Index { return manifest.NewIndex(p, layout) }
func (p plot) journal(layout manifest.Layout) *manifest.Journal {
	return manifest.NewJournal(p, layout)
}
func (s *scene) plot() plot { return plot{s, s.settings.ManifestBucket} }
func imageID(i int) string  { return fmt.Sprintf("m-bp1bench%012d", i) }

// images adds n images to ECS, the newest first in the order of their numbers.
func (s *scene) images(n int) {
	newest := time.Now()
	for i := range n {
		s.ECS.AddImage(ecsd.Image{
			ID: imageID(i), Name: fmt.Sprintf("image-%06d", i), Family: "web", Version: "1", Description: "an image of the benchmarks",
			Tags: map[string]string{"role": "web", "stage": "production"}, CreationTime: newest.Add(-time.Duration(i) * time.Second),
		})
	}
}

// finished plants the exports of the images from first up to end as they are after they have ended.
func (s *scene) finished(ctx context.Context, first, end int) error {
	p := s.plot()
	journal := p.journal(s.settings.Layout)
	for i := first; i < end; i++ {
		m := s.exported(i)
		if err := errors.Join(journal.Append(ctx, m), journal.Publish(ctx, m)); err != nil {
			return fmt.Errorf("plant export %d: %w", i, err)
		}
		if i%10_000 == 0 {
			s.recorder.take() // it counts these calls as well
		}
	}
	return s.endings(ctx, first, end)
}

// endings plants what the index has of the finished exports, which is all that a sweep reads of them.
func (s *scene) endings(ctx context.Context, first, end int) error {
	p := s.plot()
	index := p.index(s.settings.Layout)
	for i := first; i < end; i++ {
		ending, _ := manifest.EndingOf(s.exported(i))
		if err := index.PutEnding(ctx, ending); err != nil {
			return fmt.Errorf("plant export %d: %w", i, err)
		}
	}
	s.recorder.take()
	return index.SetComplete(ctx)
}

// objects plants the objects of exported images alone.
func (s *scene) objects(ctx context.Context, first, end int) error {
	bucket := plot{s, s.settings.Destination.Bucket}
	for i := first; i < end; i++ {
		if err := bucket.Put(ctx, s.objectKey(i), nil); err != nil {
			return fmt.Errorf("plant object %d: %w", i, err)
		}
	}
	s.recorder.take()
	return nil
}

func (s *scene) objectKey(i int) string {
	return s.settings.Destination.Prefix + "_" + imageID(i) + "_system.raw.tar.gz"
}

// exported is the last revision of an export that took half an hour.
func (s *scene) exported(i int) *manifest.Manifest {
	ended := s.opened.Add(-time.Duration(i) * time.Minute).Truncate(time.Second)
	began := ended.Add(-exportTakes)
	return &manifest.Manifest{
		Revision: 3, State: manifest.Exported, CreatedAt: began, UpdatedAt: ended, Program: "bench", Destination: s.settings.Destination,
		Image:   manifest.Image{ID: imageID(i), Name: fmt.Sprintf("image-%06d", i), Status: "Available", Region: s.Region, AccountID: s.Directory.ID(), SizeGiB: 40},
		Trigger: manifest.Trigger{Kind: "event"},
		Task:    &manifest.Task{ID: fmt.Sprintf("t-bp1bench%012d", i), Status: "Finished", RecordedAt: began, FinishedAt: &ended},
		Attempts: []manifest.Attempt{{Number: 1, StartedAt: began, EndedAt: &ended, Outcome: manifest.Finished,
			TaskID: fmt.Sprintf("t-bp1bench%012d", i)}},
		Objects: []manifest.Object{{Bucket: s.settings.Destination.Bucket,
			Key: s.objectKey(i), Role: "system", Content: "gzip", LastModified: ended, Size: 2 << 30, CRC64: "1", ETag: "E"}},
		Verification: &manifest.Verification{VerifiedAt: ended, Objects: 1, Bytes: 2 << 30},
	}
}

// queued plants the exports of images that wait because another one is all that the quota allows, and the hold that keeps them.
func (s *scene) queued(ctx context.Context, first, end int) error {
	if err := s.submit(ctx, 1); err != nil {
		return err
	}
	s.ECS.SetQuotas(ecsd.Quotas{ConcurrentExports: 1})
	s.images(end)
	p, layout := s.plot(), s.settings.Layout
	index, journal := p.index(layout), p.journal(layout)
	now := time.Now().UTC()
	for i := first; i < end; i++ {
		created := now.Add(-time.Hour).Add(time.Duration(i) * time.Millisecond)
		m := &manifest.Manifest{
			Revision: 2, State: manifest.Queued, Reason: "quota-concurrent", CreatedAt: created, UpdatedAt: created, DueAt: &created,
			Program: "bench", Destination: s.settings.Destination, Trigger: manifest.Trigger{Kind: "event"},
			Image: manifest.Image{ID: imageID(i), Name: "waiting", Status: "Available", Region: s.Region, AccountID: s.Directory.ID()},
		}
		marker, _ := manifest.MarkerOf(m)
		if err := errors.Join(journal.Append(ctx, m), journal.Publish(ctx, m), index.Put(ctx, marker)); err != nil {
			return fmt.Errorf("plant queued export %d: %w", i, err)
		}
	}
	s.recorder.take()
	return errors.Join(index.SetComplete(ctx),
		index.PutHold(ctx, manifest.Hold{Reason: "quota-concurrent", Since: now.Add(-time.Hour), Until: now.Add(time.Hour)}))
}
