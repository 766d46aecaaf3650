package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"imageferry/internal/alicloud"
	"imageferry/internal/terminal"
	"imageferry/internal/words"
)

// An app is the process as the commands see it.
type app struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	now      func() time.Time
	zone     *time.Location
	// Whether a person is there to be asked, to read the output, and to watch progress.
	asks, reads, watches bool
	width                int // of the terminal behind out, 0 when it is none
	transport            *http.Transport
	started              bool // flags and arguments were right
}

func newApp() *app {
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), now: time.Now, zone: time.Local,
		asks: isTerminal(os.Stdin), reads: isTerminal(os.Stdout), watches: isTerminal(os.Stderr),
		transport: alicloud.NewTransport(),
	}
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); a.reads && err == nil {
		a.width = width
	}
	return a
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// getenv is a variable of the environment.
func (a *app) getenv(name string) string {
	value := ""
	for _, entry := range a.environ {
		if k, v, ok := strings.Cut(entry, "="); ok && k == name {
			value = v
		}
	}
	return value
}

// colour tells whether output may have it: see no-color.org.
func (a *app) colour() bool { return a.reads && a.plainTerminal() }

func (a *app) plainTerminal() bool { return a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" }

// run runs a command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if a.transport != nil {
		a.transport.CloseIdleConnections()
	}
	if err == nil {
		return exitOK
	}
	code := a.exitCode(ctx, err)
	if text := explain(err, code); text != "" {
		_, _ = fmt.Fprintln(a.err, text)
	}
	return code
}

// printJSON prints one document, harmless on a terminal.
func (a *app) printJSON(document any) error {
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = a.out.Write(append(words.SafeJSON(data), '\n'))
	return printed(err)
}

// printf prints for people. The arguments have to be safe.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format, args...)
	return printed(err)
}

// table prints a table.
func (a *app) table(heading []string, rows [][]terminal.Cell) error {
	t := terminal.Table{Heading: heading, Rows: rows, Width: a.width, Colour: a.colour()}
	return printed(t.Write(a.out))
}

// note tells a person something beside the output.
func (a *app) note(format string, args ...any) { _, _ = fmt.Fprintf(a.err, format+"\n", args...) }

// errPipe: nobody reads the output any more.
var errPipe = errors.New("the output was closed")

func printed(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return errPipe
	}
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
