package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/ossd"
	"imageferry/internal/localcloud/samples"
	"imageferry/internal/manifest"
	"imageferry/internal/version"
)

// TestStack takes the way of a person who deploys with ROS: makes the release, uploads the code package, and creates the
// stack of template.yml. Then the function does the main job on every kind of image, under the roles of the template.
func TestStack(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the code package runs on linux/amd64 only, as Function Compute does")
	}
	d := deployStack(t, release(t))
	made, err := samples.Create(t.Context(), d.Cloud, samples.Plan(samples.Default))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range made {
		m := d.wait(t, s.ImageID, manifest.Exported, manifest.Skipped, manifest.Failed)
		if m.State != s.State || m.Reason != s.Reason {
			t.Errorf("%s is %s %q (%s), want %s %q", s.Name, m.State, m.Reason, m.Detail, s.State, s.Reason)
		}
		checkObjects(t, d, m)
	}
	d.checkCalls(t, made)
	d.checkRevisions(t, made)
}

// release is the folder of what the release command makes.
func release(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./internal/release", "-out", folder)
	cmd.Dir = built.project
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make the release: %v: %s", err, text)
	}
	return folder
}

// deployStack creates the stack with images and manifests in buckets of their own.
func deployStack(t *testing.T, folder string) *deployment {
	t.Helper()
	cloud, err := localcloud.Start(localcloud.Options{Speed: 600})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	if err := cloud.OSS.CreateBucket(ossd.BucketSpec{Name: "golden-code"}); err != nil {
		t.Fatal(err)
	}
	store := administratorStore(t, cloud)
	name := "imageferry-" + version.Current + ".zip"
	archive, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := store("golden-code").Put(t.Context(), name, archive); err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(filepath.Join(built.project, "template.yml"))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := cloud.DeployStack(t.Context(), localcloud.StackDeployment{
		Template: template,
		Parameters: map[string]string{
			"Bucket": "golden-images", "ManifestBucket": "golden-manifests", "CodeBucket": "golden-code", "LogProject": "golden-logs",
		},
		Folder: t.TempDir(),
		Env:    map[string]string{"FERRY_RETRY_DELAY": "50ms", "FERRY_CLOCK_SKEW": "100ms"},
		Output: output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	prefix := stack.Function.Environment["FERRY_PREFIX"]
	return &deployment{
		Cloud: cloud, spec: stack.Function, open: store, store: store("golden-manifests"),
		journal: manifest.NewJournal(store("golden-manifests"), manifest.Layout(stack.Function.Environment["FERRY_MANIFEST_PREFIX"])),
		at:      manifest.Destination{Region: cloud.Region, Bucket: "golden-images", Prefix: prefix, Format: "raw"},
	}
}

// administratorStore opens buckets with the administrator's keys.
func administratorStore(t *testing.T, cloud *localcloud.Cloud) func(bucket string) manifest.Store {
	t.Helper()
	transport := alicloud.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	session, err := alicloud.Open(alicloud.Options{
		Region:      cloud.Region,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: cloud.Administrator.AccessKeyID, AccessKeySecret: cloud.Administrator.Secret}),
		ECSEndpoint: "http://" + cloud.Endpoints.ECS,
		OSSEndpoint: "http://" + cloud.Endpoints.OSS,
		HTTP:        transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(bucket string) manifest.Store { return session.OSS.Store(bucket) }
}

// TestStackRefusesABadPackage: what is wrong with the code is said before anything runs.
func TestStackRefusesABadPackage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content []byte // nil: nothing was uploaded
		want    string
	}{
		"nothing": {nil, "there is no object"},
		"no zip":  {bytes.Repeat([]byte("x"), 100), "zip: not a valid zip file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud, err := localcloud.Start(localcloud.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cloud.Close)
			if err := cloud.OSS.CreateBucket(ossd.BucketSpec{Name: "golden-code"}); err != nil {
				t.Fatal(err)
			}
			if c.content != nil {
				if err := administratorStore(t, cloud)("golden-code").Put(t.Context(), "imageferry-"+version.Current+".zip", c.content); err != nil {
					t.Fatal(err)
				}
			}
			template, err := os.ReadFile(filepath.Join(built.project, "template.yml"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = cloud.DeployStack(t.Context(), localcloud.StackDeployment{
				Template: template, Folder: t.TempDir(),
				Parameters: map[string]string{"Bucket": "golden", "ManifestBucket": "golden", "CodeBucket": "golden-code", "LogProject": "logs"},
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want one with %q", err, c.want)
			}
		})
	}
}
