package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ossd"
	"imageferry/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testBucket = "my-exports"

// A stage is an embedded cloud without a function, which commands are run in.
type stage struct {
	*localcloud.Cloud
	url     string
	secrets []string
}

// newStage starts a cloud in which exports take milliseconds.
func newStage(t *testing.T, change ...func(*localcloud.Options, map[string]string)) *stage {
	t.Helper()
	options := localcloud.Options{Speed: 6000}
	env := map[string]string{"FERRY_BUCKET": testBucket, "FERRY_RETRY_DELAY": "50ms", "FERRY_CLOCK_SKEW": "100ms"}
	for _, c := range change {
		c(&options, env)
	}
	cloud, err := localcloud.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	if err := cloud.OSS.CreateBucket(ossd.BucketSpec{Name: testBucket}); err != nil {
		t.Fatal(err)
	}
	vars := policy.Vars{Region: cloud.Region, AccountID: cloud.Directory.ID(), Bucket: testBucket, ManifestBucket: testBucket, ManifestPrefix: "imageferry/"}
	cloud.Directory.PutRole(localcloud.ExportRole, document(t, policy.ExportTrust, vars), document(t, policy.ExportPermissions, vars))
	keys := cloud.Administrator
	c, err := listenControl(func(url string) readyLine {
		return readyLine{
			Ready: true, Region: cloud.Region, AccountID: cloud.Directory.ID(), Bucket: testBucket, ManifestBucket: testBucket,
			ManifestPrefix: "imageferry/", ECSEndpoint: cloud.Endpoints.ECS, OSSEndpoint: "http://" + cloud.Endpoints.OSS,
			STSEndpoint: cloud.Endpoints.STS, RAMEndpoint: cloud.Endpoints.RAM, AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret,
			ControlURL: url, Environment: env,
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return &stage{Cloud: cloud, url: c.url, secrets: []string{keys.AccessKeyID, keys.Secret}}
}

func document(t *testing.T, name string, vars policy.Vars) account.Policy {
	t.Helper()
	text, err := policy.Render(name, vars)
	if err != nil {
		t.Fatal(err)
	}
	p, err := account.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A run is what came of a command.
type run struct {
	code     int
	out, err string
}

// buffer may be written to by a progress bar while it is read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
	// written is called with everything so far.
	written func(string)
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.b.Write(p)
	if b.written != nil {
		b.written(b.b.String())
	}
	return n, err
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// run runs a command as in a pipeline: nothing is a terminal.
func (s *stage) run(t *testing.T, args ...string) run {
	t.Helper()
	return s.runAs(t, t.Context(), func(*app) {}, args...)
}

func (s *stage) runAs(t *testing.T, ctx context.Context, change func(*app), args ...string) run {
	t.Helper()
	var out, errs buffer
	a := testApp(&out, &errs)
	a.environ = []string{"IMAGEFERRY_LOCAL=" + s.url, "FERRY_BUCKET=of-another-cloud"}
	a.now = time.Now
	a.transport = alicloud.NewTransport()
	change(a)
	r := run{code: a.run(ctx, args), out: out.String(), err: errs.String()}
	for _, secret := range s.secrets {
		if strings.Contains(r.out+r.err, secret) {
			t.Errorf("%q shows %s", args, secret)
		}
	}
	return r
}

// wantRun runs a command that has to end with a status.
func (s *stage) wantRun(t *testing.T, code int, args ...string) run {
	t.Helper()
	r := s.run(t, args...)
	r.want(t, code, args)
	return r
}

func (r run) want(t *testing.T, code int, args []string) {
	t.Helper()
	if r.code != code {
		t.Fatalf("%q: exit status %d, want %d\n%s%s", args, r.code, code, r.out, r.err)
	}
}

// decode reads the JSON that a command has printed: one document, with known fields only.
func decode[T any](t *testing.T, r run) T {
	t.Helper()
	var document T
	d := json.NewDecoder(strings.NewReader(r.out))
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Errorf("more than one document: %s", r.out)
	}
	return document
}

// testNow is the time in what golden files show.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func testApp(out, errs io.Writer) *app {
	return &app{in: strings.NewReader(""), out: out, err: errs, now: func() time.Time { return testNow }, zone: time.UTC}
}

// golden compares text with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test ./cmd/imageferry -update writes it):\n%s\nwant:\n%s", path, got, want)
	}
}
