package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// A ran is a command that has ended.
type ran struct {
	exit     int
	out, err string
	state    *os.ProcessState
}

// restored is the record that a restore has printed.
func (r ran) restored(t *testing.T) restore.Record {
	t.Helper()
	var answer struct {
		Restore restore.Record `json:"restore"`
	}
	if err := json.Unmarshal([]byte(r.out), &answer); err != nil {
		t.Fatalf("printed %s (%v)\n%s", r.out, err, r.err)
	}
	return answer.Restore
}

// run runs the built command line as the administrator, with the function's configuration.
func (d *deployment) run(t *testing.T, args ...string) ran {
	t.Helper()
	return d.runWatched(t, func(int) {}, args...)
}

// runWatched is run, and tells the id of the process when that has begun.
func (d *deployment) runWatched(t *testing.T, begun func(pid int), args ...string) ran {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built.cli, args...)
	for name, value := range d.spec.Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, // what comes last counts
		"HOME="+t.TempDir(), "ALIBABA_CLOUD_REGION_ID="+d.Region,
		"ALIBABA_CLOUD_ACCESS_KEY_ID="+d.Administrator.AccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+d.Administrator.Secret,
		"FERRY_ECS_ENDPOINT=http://"+d.Endpoints.ECS, "FERRY_OSS_ENDPOINT=http://"+d.Endpoints.OSS, "FERRY_STS_ENDPOINT=http://"+d.Endpoints.STS)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatalf("imageferry %s: %v", strings.Join(args, " "), err)
	}
	begun(cmd.Process.Pid)
	_ = cmd.Wait() // the state has it
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String(), cmd.ProcessState}
}

// exported exports an image with the command line.
func (d *deployment) exported(t *testing.T, imageID string) *manifest.Manifest {
	t.Helper()
	done := d.run(t, "submit", imageID, "--wait", "--timeout", "2m")
	m := d.head(t, imageID)
	if done.exit != 0 || m == nil || m.State != manifest.Exported {
		t.Fatalf("submit ended with %d: %s%s", done.exit, done.out, done.err)
	}
	return m
}

// nothingLeft finds no temporary object and no unfinished upload in the buckets.
func (d *deployment) nothingLeft(t *testing.T) {
	t.Helper()
	vars := d.PolicyVars(d.spec)
	for _, bucket := range []string{vars.Bucket, vars.ManifestBucket} {
		for _, key := range d.OSS.Keys(bucket) {
			if strings.HasPrefix(key, vars.ManifestPrefix+"restore/") {
				t.Errorf("left behind: %s/%s", bucket, key)
			}
		}
		for _, u := range d.OSS.Uploads(bucket) {
			t.Errorf("left behind: upload %+v of %s", u, bucket)
		}
	}
}
