package handler

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// noCloud is an ECS and an OSS where nothing is found, and where nothing may be started.
type noCloud struct{ t *testing.T }

func (noCloud) Image(context.Context, string) (manifest.Image, bool, error) {
	return manifest.Image{}, false, nil
}

func (noCloud) Images(context.Context, time.Time, int) ([]manifest.Image, int, error) {
	return nil, 0, nil
}

func (c noCloud) Export(context.Context, export.Request) (export.Accepted, error) {
	c.t.Error("ExportImage was called")
	return export.Accepted{}, nil
}

func (noCloud) Tasks(context.Context, []string) ([]export.Task, error) { return nil, nil }

func (noCloud) TasksOf(context.Context, string, time.Time) ([]export.Task, error) { return nil, nil }

func (noCloud) Detail(context.Context, string) (export.TaskDetail, bool, error) {
	return export.TaskDetail{}, false, nil
}

func (noCloud) Cancel(context.Context, string) error { return nil }

func (noCloud) Bucket(context.Context, string) (export.Bucket, bool, error) {
	return export.Bucket{}, false, nil
}

func (noCloud) Object(context.Context, string, string) (export.ObjectInfo, bool, error) {
	return export.ObjectInfo{}, false, nil
}

func (noCloud) Read(context.Context, string, string, int64, int64) ([]byte, error) { return nil, nil }

// What a person sees of an export whose journal cannot be read, from the store to the answer.
func TestHTTPShowsQuarantinedExports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ revision, reason string }{
		"damaged": {"{", "journal-unreadable"},
		"foreign": {`{"hello":"world"}`, "journal-unreadable"},
		"newer":   {`{"schema":"imageferry.manifest/v2"}`, "journal-newer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, cloud := &manifesttest.Memory{}, noCloud{t: t}
			layout := manifest.Layout("imageferry/")
			at := manifest.Destination{Region: "cn-hangzhou", Bucket: "golden-images", Format: "raw"}
			for key, data := range map[string]string{
				layout.Journal(at, "m-1") + "00000001.json": c.revision, layout.Manifest(at, "m-1"): c.revision,
			} {
				if err := store.Put(t.Context(), key, []byte(data)); err != nil {
					t.Fatal(err)
				}
			}
			ferry := export.New(export.Cloud{Images: cloud, Tasks: cloud, Objects: cloud, Store: store},
				export.Settings{Destination: at, ManifestBucket: at.Bucket, Layout: layout, RetryDelay: time.Minute, MaxAttempts: 3},
				export.NewBucketMemory(), time.Now, slog.New(slog.DiscardHandler))
			h := newTestHandler(t, page.Ferry{Ferry: ferry}, Options{Auth: "token", Token: "t"})
			for _, request := range []struct {
				method, target, body string
				status               int
			}{
				{"GET", "/exports/m-1", "", 500},
				{"POST", "/exports/m-1/retry", "", 500},
				{"POST", "/exports/m-1/cancel", "", 409},
				{"POST", "/exports", `{"imageId":"m-1"}`, 409},
			} {
				r := do(t, h, invoked(t), httpEvent(t, request.method, request.target, request.body, bearer))
				checkProblem(t, r, request.status, c.reason)
				if !strings.Contains(r.Body, "m-1") {
					t.Errorf("%s %s does not say what is wrong: %s", request.method, request.target, r.Body)
				}
			}
			r := do(t, h, invoked(t), httpEvent(t, "GET", "/exports", "", bearer))
			var page export.Page
			if err := json.Unmarshal([]byte(r.Body), &page); err != nil {
				t.Fatal(err)
			}
			if len(page.Exports) != 0 || len(page.Unreadable) != 1 || page.Unreadable[0].Reason != c.reason || page.Unreadable[0].Remedy == "" {
				t.Errorf("listed are %s", r.Body)
			}
			r = do(t, h, invoked(t), httpEvent(t, "POST", "/sweep", "", bearer))
			if r.StatusCode != 200 || !strings.Contains(r.Body, c.reason) {
				t.Errorf("the sweep answers %d %s", r.StatusCode, r.Body)
			}
			if got, err := store.Get(t.Context(), layout.Journal(at, "m-1")+"00000001.json"); err != nil || string(got) != c.revision {
				t.Errorf("the journal has %q (%v)", got, err)
			}
		})
	}
}
