package page_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// shots makes the browser tests keep a picture of each view.
var shots = flag.String("shots", "", "folder for screenshots of the views")

const (
	desktop = 1280
	phone   = 390
)

// browser starts one Chromium for a test and its subtests, or skips them where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("browser tests are left out with -short")
	}
	var binary string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			binary = path
			break
		}
	}
	if binary == "" {
		t.Skip("no chromium was found: on Debian, apt-get install chromium")
	}
	profile := t.TempDir()
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(binary), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		// Nothing but this machine is there: what the page would load from elsewhere fails.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser's end
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", binary, err)
	}
	return ctx
}

// A tab is one page in the browser, of a size and a colour scheme.
type tab struct {
	ctx    context.Context
	t      *testing.T
	server *httptest.Server
	mu     sync.Mutex
	faults []string
}

func newTab(t *testing.T, browser context.Context, server *httptest.Server, width int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	b := &tab{ctx: ctx, t: t, server: server}
	must(b, chromedp.Listen(ctx, b.listen))
	height := int64(900)
	if width == phone {
		height = 844
	}
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width == phone,
	})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	return b
}

func must(b *tab, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// patience is how long anything in the browser may take.
const patience = 30 * time.Second

func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	must(b, err)
	return result
}

// run runs one action and returns its value.
func run[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	must(b, err)
	return value
}

// listen collects everything that a console would show in red, refusals of the Content-Security-Policy included.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.faults = append(b.faults, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			b.faults = append(b.faults, fmt.Sprintf("console.%s", e.Type))
		}
	}
}

// open loads a path of the server and waits until all of it is there.
func (b *tab) open(path string) {
	b.t.Helper()
	run(b, chromedp.Navigate(b.server.URL+path))
}

// eval runs a script, which may be a promise, and decodes its value.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// until waits for a script to be true, over the loading of other pages.
func (b *tab) until(what, script string) {
	b.t.Helper()
	deadline, poll := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer poll.Stop()
	for {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+script+")"))
		cancel()
		if ok && err == nil {
			return
		}
		select {
		case <-deadline:
			b.t.Fatalf("waited for %s: %v", what, err)
		case <-poll.C:
		}
	}
}

// click clicks on the only such element.
func (b *tab) click(selector string) {
	b.t.Helper()
	run(b, chromedp.Click(selector))
}

// press presses a key, such as Tab.
func (b *tab) press(key string) {
	b.t.Helper()
	run(b, chromedp.KeyEvent(map[string]string{"Tab": kb.Tab, "Enter": kb.Enter}[key]))
}

func (b *tab) withoutScripts() {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

func (b *tab) noFaults() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 {
		b.t.Errorf("the console has:\n%s", strings.Join(b.faults, "\n"))
	}
}

// keep takes a picture of what is in view, if pictures are wanted.
func (b *tab) keep(name string) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	png := run(b, chromedp.CaptureScreenshot())
	must(b, os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644))
}
