package doctor_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"imageferry/internal/config"
	"imageferry/internal/doctor"
	"imageferry/internal/localcloud/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text, without what differs from run to run, with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, r := range []struct{ pattern, with string }{
		{`m-[0-9a-z]{20}`, "m-xxxxxxxxxxxxxxxxxxxx"},
		{`\b\d+[hms](\d+[ms])*(\d+s)? ago`, "TIME ago"},
		{`\b\d+ bytes`, "N bytes"},
	} {
		got = regexp.MustCompile(r.pattern).ReplaceAllString(got, r.with)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", path, got)
	}
}

func TestHealthyAccount(t *testing.T) {
	t.Parallel()
	c := healthy(t)
	c.options.Deep, c.options.WriteProbe = true, true
	r, err := c.examine()
	if err != nil {
		t.Fatal(err)
	}
	if r.Problems != 0 || r.Unknown != 0 || r.OK != len(r.Findings) {
		t.Errorf("%d problems, %d unknown", r.Problems, r.Unknown)
	}
	golden(t, "healthy.txt", text(t, r))
}

func TestBeforeDeployment(t *testing.T) {
	t.Parallel()
	c := bare(t)
	r, err := c.examine()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "before.txt", text(t, r))
}

func TestItWritesNothing(t *testing.T) {
	t.Parallel()
	c := healthy(t)
	c.Tap.Reset()
	if _, err := c.examine(); err != nil {
		t.Fatal(err)
	}
	for _, call := range c.Tap.Calls() {
		_, action, _ := strings.Cut(call.Action, ":")
		if !strings.HasPrefix(action, "Get") && !strings.HasPrefix(action, "List") && !strings.HasPrefix(action, "Describe") {
			t.Errorf("it called %s", call.Action)
		}
	}
}

func TestTheProbeLeavesNothing(t *testing.T) {
	t.Parallel()
	c := healthy(t)
	c.options.WriteProbe = true
	if _, err := c.examine(); err != nil {
		t.Fatal(err)
	}
	keys, _, err := c.store.List(t.Context(), c.layout.Active()+"probe/", "", 10)
	if err != nil || len(keys) != 0 {
		t.Errorf("%q is left, %v", keys, err)
	}
}

func TestMisconfigured(t *testing.T) {
	t.Parallel()
	_, err := config.Parse(map[string]string{"FERRY_FORMAT": "iso"})
	r := doctor.Misconfigured("cn-hangzhou", err, time.Now())
	if r.Problems != 2 || r.Unknown != 1 {
		t.Errorf("%+v", r)
	}
	f, _ := finding(r, "configuration", doctor.Problem)
	if f.About != "FERRY_BUCKET" || len(f.Repair) != 1 || !strings.Contains(f.Repair[0], "FERRY_BUCKET") {
		t.Errorf("%+v", f)
	}
}

func TestNothingAnswers(t *testing.T) {
	t.Parallel()
	c := bare(t)
	c.Tap.Inject(func(trace.Call) trace.Fault { return trace.Fault{Cut: trace.CutBefore} })
	if r, err := c.examine(); err == nil {
		t.Errorf("no error, but %+v", r)
	}
}

func TestCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	c := healthy(t)
	c.keys.AccessKeyID = "LTAI-LOCAL-NOBODY"
	r, err := c.examine()
	if err != nil {
		t.Fatal(err)
	}
	f, _ := finding(r, "credentials", doctor.Problem)
	if r.Problems != 1 || f.Status != doctor.Problem || !strings.Contains(f.Seen, "InvalidAccessKeyId.NotFound") {
		t.Errorf("%+v", r)
	}
}
