// Package e2e runs the real function binary, deployed from the project's own s.yaml, in the embedded cloud, and looks at
// it from outside: through the SDKs, the record of calls and the processes.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"imageferry/internal/alicloud"
	"imageferry/internal/localcloud"
	"imageferry/internal/localcloud/fcd"
	"imageferry/internal/localcloud/samples"
	"imageferry/internal/localcloud/trace"
	"imageferry/internal/manifest"
)

// built is what TestMain compiles once: the function and the command line.
var built struct{ project, function, cli, problem string }

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "imageferry-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ecs.GetEndpointMap() // fills a variable that the SDK's first clients would race for
	if err := parallel(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// parallel lets more tests run at once than there are processors, unless -parallel says otherwise: they mostly wait for the
// clocks of their clouds.
func parallel() error {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return nil
	}
	return flag.Set("test.parallel", "6")
}

func build(dir string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if built.project, err = localcloud.FindProject(here); err != nil {
		return err
	}
	if built.function, err = localcloud.BuildFunction(context.Background(), built.project, dir); err != nil {
		return err
	}
	built.cli = filepath.Join(dir, "imageferry")
	cmd := exec.Command("go", "build", "-o", built.cli, "./cmd/imageferry")
	cmd.Dir = built.project
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build command line: %w: %s", err, text)
	}
	return nil
}

// deployment is a cloud with imageferry in it.
type deployment struct {
	*localcloud.Cloud
	spec    fcd.Spec
	at      manifest.Destination
	store   manifest.Store // of the manifests
	journal *manifest.Journal
	open    func(bucket string) manifest.Store
}

type setup struct {
	localcloud.Options
	vars    map[string]string // of s.yaml
	env     map[string]string
	timeout time.Duration
	prepare func(*localcloud.Cloud) // before the function is deployed
	// noTimers leaves the ticks to the test.
	noTimers bool
	// anonymous has the HTTP trigger let everybody through.
	anonymous bool
	// retryBase is the first pause before an event is tried again, in the platform's time; 0 is the platform's own.
	retryBase time.Duration
	// output receives what the function prints; nil shows it with go test -v.
	output io.Writer
}

// deploy starts a cloud that is fast enough for tests. Everything ends with the test.
func deploy(t *testing.T, s setup) *deployment {
	t.Helper()
	if s.Speed == 0 {
		s.Speed = 600
	}
	cloud, err := localcloud.Start(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	if s.prepare != nil {
		s.prepare(cloud)
	}
	text, err := os.ReadFile(filepath.Join(built.project, "s.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if s.noTimers {
		text = []byte(strings.ReplaceAll(string(text), " enable: true", " enable: false"))
	}
	if s.anonymous {
		text = []byte(strings.ReplaceAll(string(text), "authType: function", "authType: anonymous"))
	}
	env := map[string]string{"FERRY_RETRY_DELAY": "50ms", "FERRY_CLOCK_SKEW": "100ms"}
	for k, v := range s.env {
		env[k] = v
	}
	if s.output == nil {
		s.output = output()
	}
	spec, err := cloud.Deploy(t.Context(), localcloud.Deployment{
		Spec: text, Vars: s.vars, Binary: built.function, Env: env, Timeout: s.timeout, RetryBase: s.retryBase, Output: s.output,
	})
	if err != nil {
		t.Fatal(err)
	}
	vars := cloud.PolicyVars(spec)
	keys := cloud.Administrator
	session, err := alicloud.Open(alicloud.Options{
		Region:      cloud.Region,
		Credentials: alicloud.Static(alicloud.Credentials{AccessKeyID: keys.AccessKeyID, AccessKeySecret: keys.Secret}),
		ECSEndpoint: "http://" + cloud.Endpoints.ECS,
		OSSEndpoint: "http://" + cloud.Endpoints.OSS,
		HTTP:        http.DefaultTransport,
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{Cloud: cloud, spec: spec, store: session.OSS.Store(vars.ManifestBucket), open: session.OSS.Store}
	d.at = manifest.Destination{Region: cloud.Region, Bucket: vars.Bucket, Prefix: spec.Environment["FERRY_PREFIX"], Format: "raw"}
	d.journal = manifest.NewJournal(d.store, manifest.Layout(vars.ManifestPrefix))
	return d
}

// output shows what the function prints with go test -v.
func output() io.Writer {
	if testing.Verbose() {
		return os.Stderr
	}
	return io.Discard
}

// until waits for a condition that calls of the cloud bring about.
func (d *deployment) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	woken := make(chan struct{}, 1)
	d.Tap.Watch(func(c trace.Call) {
		if c.Principal == d.Administrator.ARN {
			return // our own looking changes nothing
		}
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	for !ok() {
		select {
		case <-woken:
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		}
	}
}

// head is the newest revision, nil when there is none.
func (d *deployment) head(t *testing.T, imageID string) *manifest.Manifest {
	t.Helper()
	m, err := d.journal.Head(t.Context(), d.at, imageID)
	if errors.Is(err, manifest.ErrNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wait waits until the export is in one of the states, and returns its newest revision.
func (d *deployment) wait(t *testing.T, imageID string, states ...manifest.State) *manifest.Manifest {
	t.Helper()
	var m *manifest.Manifest
	d.until(t, fmt.Sprintf("%s is %v", imageID, states), func() bool {
		m = d.head(t, imageID)
		for _, s := range states {
			if m != nil && m.State == s {
				return true
			}
		}
		return false
	})
	return m
}

// calls counts the recorded calls of an action by the function's role.
func (d *deployment) calls(action string) int {
	n := 0
	for _, c := range d.Tap.Calls() {
		if c.Action == action && d.byFunction(c) {
			n++
		}
	}
	return n
}

func (d *deployment) byFunction(c trace.Call) bool {
	return strings.Contains(c.Principal, ":assumed-role/"+strings.ToLower(d.spec.Role)+"/")
}

// createImage makes one plain image as a user of ECS would.
func (d *deployment) createImage(t *testing.T) string {
	t.Helper()
	made, err := samples.Create(t.Context(), d.Cloud, samples.Plan(1)[:1])
	if err != nil {
		t.Fatal(err)
	}
	return made[0].ImageID
}

// exports is the bucket of the exported objects, read with the administrator's keys.
func (d *deployment) exports() manifest.Store { return d.open(d.at.Bucket) }
