package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// A process is the built command line at work.
type process struct {
	cmd    *exec.Cmd
	dir    string // its TMPDIR: nothing may stay in it
	lines  chan []byte
	stderr lockedBuffer
	ended  chan struct{}
	err    error // of Wait, once ended is closed
}

// startLocal starts `imageferry local` in the project's folder. It is killed, at the latest, when the test ends.
func startLocal(t *testing.T, flags ...string) *process {
	t.Helper()
	p := &process{dir: t.TempDir(), lines: make(chan []byte, 4096), ended: make(chan struct{})}
	p.cmd = exec.Command(built.cli, append([]string{"local"}, flags...)...)
	p.cmd.Dir = built.project
	p.cmd.Env = append(os.Environ(), "TMPDIR="+p.dir)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		defer close(p.lines)
		p.readLines(stdout)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

func (p *process) readLines(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			p.lines <- line
		}
		if err != nil {
			return
		}
	}
}

// firstLine waits for a line.
func (p *process) firstLine(t *testing.T) []byte {
	t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			t.Fatalf("no line: %s", p.errors())
		}
		return line
	case <-time.After(time.Minute):
		t.Fatal("no line in time")
	}
	return nil
}

// rest waits for the end and returns what was printed after the lines that were read.
func (p *process) rest(t *testing.T) [][]byte {
	t.Helper()
	p.exitStatus(t)
	var lines [][]byte
	for line := range p.lines {
		lines = append(lines, line)
	}
	return lines
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exitStatus waits for the end; it is -1 when a signal ended the process.
func (p *process) exitStatus(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		t.Fatalf("not ended in time: %s", p.errors())
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		t.Fatal(p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) errors() string { return p.stderr.String() }

// checkGone finds nothing left of an ended process: no file, and no process of the function.
func (p *process) checkGone(t *testing.T) {
	t.Helper()
	files, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("%s was left behind", f.Name())
	}
	for _, child := range p.functions(t) {
		t.Errorf("process %s still runs the function", child)
	}
}

// functions are the processes that run a binary of this process's folder, on systems with /proc.
func (p *process) functions(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range programs {
		if program, err := os.Readlink(link); err == nil && strings.HasPrefix(program, p.dir+"/") {
			found = append(found, link)
		}
	}
	return found
}

// A lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
