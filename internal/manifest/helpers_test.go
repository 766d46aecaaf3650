package manifest_test

import (
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

const layout manifest.Layout = "imageferry/"

func destination() manifest.Destination {
	return manifest.Destination{Region: "cn-hangzhou", Bucket: "golden-images", Prefix: "nightly", Format: "qcow2"}
}

var start = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

// queued is a valid revision of an export that waits.
func queued(imageID string, revision int) *manifest.Manifest {
	due := start.Add(time.Minute)
	return &manifest.Manifest{
		Revision:    revision,
		State:       manifest.Queued,
		Reason:      "image-not-available",
		Remedy:      "Wait.",
		CreatedAt:   start,
		UpdatedAt:   start,
		DueAt:       &due,
		Destination: destination(),
		Image:       manifest.Image{ID: imageID},
		Trigger:     manifest.Trigger{Kind: "event"},
	}
}

// appendAll writes revisions 1 to n of an export.
func appendAll(t *testing.T, j *manifest.Journal, imageID string, n int) {
	t.Helper()
	for revision := 1; revision <= n; revision++ {
		if err := j.Append(t.Context(), queued(imageID, revision)); err != nil {
			t.Fatal(err)
		}
	}
}

func publish(t *testing.T, j *manifest.Journal, m *manifest.Manifest) {
	t.Helper()
	m.Schema, m.Writer = manifest.SchemaV1, "0123456789abcdef0123456789abcdef"
	if err := j.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func newJournal(t *testing.T) (*manifest.Journal, *manifesttest.Store) {
	store := manifesttest.NewStore(t, layout)
	return manifest.NewJournal(store, layout), store
}
