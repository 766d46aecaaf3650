package e2e

import (
	"bytes"
	"encoding/json"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// The exit statuses of the command line.
const (
	exitUsage       = 3
	exitInterrupted = 130
)

// readyLine is what tools rely on in the first line of --json.
type readyLine struct {
	Ready           bool   `json:"ready"`
	Region          string `json:"region"`
	AccountID       string `json:"accountId"`
	Bucket          string `json:"bucket"`
	ManifestBucket  string `json:"manifestBucket"`
	ManifestPrefix  string `json:"manifestPrefix"`
	ECSEndpoint     string `json:"ecsEndpoint"`
	OSSEndpoint     string `json:"ossEndpoint"`
	STSEndpoint     string `json:"stsEndpoint"`
	FCEndpoint      string `json:"fcEndpoint"`
	FunctionName    string `json:"functionName"`
	HTTPURL         string `json:"httpUrl"`
	AccessKeyID     string `json:"accessKeyId"`
	AccessKeySecret string `json:"accessKeySecret"`
}

func (r readyLine) check(t *testing.T) {
	t.Helper()
	if !r.Ready || r.Region != "cn-hangzhou" || r.AccountID != "1234567890123456" || r.FunctionName != "imageferry" ||
		r.Bucket == "" || r.ManifestBucket == "" || r.ManifestPrefix == "" || r.AccessKeyID == "" || r.AccessKeySecret == "" {
		t.Errorf("first line: %+v", r)
	}
	for _, c := range [][2]string{
		{r.ECSEndpoint, `^127\.0\.0\.1:\d+$`}, {r.STSEndpoint, `^127\.0\.0\.1:\d+$`}, {r.FCEndpoint, `^127\.0\.0\.1:\d+$`},
		{r.OSSEndpoint, `^http://127\.0\.0\.1:\d+$`}, {r.HTTPURL, `^http://127\.0\.0\.1:\d+/$`},
	} {
		if !regexp.MustCompile(c[1]).MatchString(c[0]) {
			t.Errorf("endpoint %q is not like %s", c[0], c[1])
		}
	}
}

// summaryLine is the last line of --once --json.
type summaryLine struct {
	Summary struct {
		Images   int `json:"images"`
		Exported int `json:"exported"`
		Skipped  int `json:"skipped"`
		Failed   int `json:"failed"`
	} `json:"summary"`
	Exports   []record       `json:"exports"`
	Calls     map[string]int `json:"calls"`
	ElapsedMs int64          `json:"elapsedMs"`
}

func summaryOf(t *testing.T, line []byte) summaryLine {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		t.Fatalf("last line %q: %v", line, err)
	}
	var s summaryLine
	if err := json.Unmarshal(line, &s); err != nil {
		t.Fatalf("last line %q: %v", line, err)
	}
	if len(fields) != 4 || !bytes.HasPrefix(fields["exports"], []byte("[")) || !bytes.HasPrefix(fields["calls"], []byte("{")) {
		t.Errorf("last line: %s", line)
	}
	return s
}

// TestOnce checks both lines of a run that ends by itself, with and without plain images.
func TestOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags    []string
		exported int
	}{
		"three images": {[]string{"--images", "3"}, 3},
		"no images":    {[]string{"--images", "0"}, 0},
		"as in 2017":   {[]string{"--images", "1", "--seed-dialect", "--latency", "2ms"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startLocal(t, append([]string{"--once", "--json", "--speed", "2000"}, c.flags...)...)
			first := p.firstLine(t)
			var ready readyLine
			if err := json.Unmarshal(first, &ready); err != nil {
				t.Fatalf("first line %q: %v", first, err)
			}
			ready.check(t)
			lines := p.rest(t)
			if status := p.exitStatus(t); status != 0 || p.errors() != "" || len(lines) != 1 {
				t.Fatalf("exit status %d, %d more lines, %s", status, len(lines), p.errors())
			}
			s := summaryOf(t, lines[0])
			const problems = 5
			if s.Summary.Images != c.exported+problems || s.Summary.Exported != c.exported || s.Summary.Skipped != problems || s.Summary.Failed != 0 {
				t.Errorf("summary %+v", s.Summary)
			}
			if s.Calls["ecs:ExportImage"] != c.exported || s.ElapsedMs <= 0 {
				t.Errorf("calls %v in %d ms", s.Calls, s.ElapsedMs)
			}
			states := map[string]int{}
			for _, e := range s.Exports {
				states[e.State]++
				if e.Schema != "imageferry.manifest/v1" || (len(e.Objects) > 0) != (e.State == "exported") {
					t.Errorf("export %+v", e)
				}
			}
			if len(s.Exports) != s.Summary.Images || states["exported"] != c.exported || states["skipped"] != problems {
				t.Errorf("%d exports: %v", len(s.Exports), states)
			}
			p.checkGone(t)
		})
	}
}

// TestBadFlags: what is wrong is refused before anything starts, by name.
func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags  []string
		status int
		want   string
	}{
		{[]string{"--images", "-1"}, exitUsage, "--images"},
		{[]string{"--images", "many"}, exitUsage, "--images"},
		{[]string{"--speed", "0"}, exitUsage, "--speed"},
		{[]string{"--speed", "1e9"}, exitUsage, "--speed"},
		{[]string{"--latency", "1h"}, exitUsage, "--latency"},
		{[]string{"--timeout", "0s"}, exitUsage, "--timeout"},
		{[]string{"--no-such-flag"}, exitUsage, "--no-such-flag"},
		{[]string{"surplus"}, exitUsage, "surplus"},
		{[]string{"--project", "/"}, 1, "s.yaml"},
		{[]string{"--log", "/no/such/folder/log"}, 1, "/no/such/folder"},
	} {
		t.Run(strings.Join(c.flags, " "), func(t *testing.T) {
			t.Parallel()
			p := startLocal(t, append([]string{"--once", "--json"}, c.flags...)...)
			lines := p.rest(t)
			message := p.errors()
			if status := p.exitStatus(t); status != c.status || len(lines) != 0 {
				t.Errorf("exit status %d, %q", status, bytes.Join(lines, nil))
			}
			if !strings.HasPrefix(message, "imageferry: ") || !strings.Contains(message, c.want) {
				t.Errorf("message %q, want one about %s", message, c.want)
			}
			p.checkGone(t)
		})
	}
}

// TestInterrupted ends runs early: nothing stays behind.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	t.Run("at work", func(t *testing.T) {
		t.Parallel()
		// In real time no image is finished.
		p := startLocal(t, "--once", "--json", "--images", "30", "--speed", "1")
		s := newStranger(t, p.firstLine(t))
		poll(t, "the function has decided", func() bool { return len(s.keys(t, s.ready["manifestPrefix"]+"manifests/", "")) > 0 })
		if len(p.functions(t)) == 0 && runtime.GOOS == "linux" {
			t.Error("no process of the function was found")
		}
		p.signal(t, syscall.SIGINT)
		lines := p.rest(t)
		if status := p.exitStatus(t); status != exitInterrupted || len(lines) != 1 {
			t.Fatalf("exit status %d, %d lines: %s", status, len(lines), p.errors())
		}
		if got := summaryOf(t, lines[0]); got.Summary.Exported != 0 {
			t.Errorf("summary %+v", got.Summary)
		}
		p.checkGone(t)
	})
	t.Run("at the start", func(t *testing.T) {
		t.Parallel()
		p := startLocal(t, "--once") // its first line comes before the build
		p.firstLine(t)
		p.signal(t, syscall.SIGTERM)
		if status := p.exitStatus(t); status != exitInterrupted {
			t.Errorf("exit status %d: %s", status, p.errors())
		}
		p.checkGone(t)
	})
}

// TestUnmet gives the samples too little time: that is told by the exit status.
func TestUnmet(t *testing.T) {
	t.Parallel()
	p := startLocal(t, "--once", "--json", "--images", "1", "--speed", "1", "--timeout", "1s")
	p.firstLine(t)
	if status := p.exitStatus(t); status != 1 {
		t.Errorf("exit status %d: %s", status, p.errors())
	}
	p.checkGone(t)
}
