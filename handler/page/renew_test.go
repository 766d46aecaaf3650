package page_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/manifest"
)

// periods of a page that renews itself often pass while a promise waits.
const periods = `new Promise((done) => setTimeout(() => done(true), 400))`

const stateOf = `document.querySelector("[data-row='m-00007'] .state").textContent`

// A renewing page is one in a browser that renews itself every 20 ms.
type renewing struct {
	*tab
	account *pagetest.Memory
	down    atomic.Bool
}

func renewingPage(t *testing.T, chromium context.Context) *renewing {
	t.Helper()
	r := &renewing{account: accountOf(60)}
	options := sampleOptions()
	options.Refresh, options.AllowActions = 20*time.Millisecond, true
	h := handlerOf(r.account, r.account, options)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if r.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	r.tab = newTab(t, chromium, server, desktop, "light")
	r.open("/")
	return r
}

// change brings m-00007 to another state.
func (r *renewing) change(revision int, state manifest.State) {
	m := exportOf("m-00007", "image 7", sampleNow.Add(-7*time.Minute))
	m.Revision, m.State = revision, state
	r.account.Add(m)
}

// keeps tells whether the page stands still.
func (r *renewing) keeps(what string, want manifest.State) {
	r.t.Helper()
	eval[bool](r.tab, periods)
	if got := eval[string](r.tab, stateOf); got != string(want) {
		r.t.Errorf("%s: the page was renewed to %s", what, got)
	}
}

func (r *renewing) becomes(state manifest.State) {
	r.t.Helper()
	r.until("the state "+string(state), stateOf+` === "`+string(state)+`"`)
}

func testRenewal(t *testing.T, chromium context.Context) {
	r := renewingPage(t, chromium)
	eval[bool](r.tab, `scrollTo(0, 500), document.getElementById("submit").open = true, window.kept = true`)
	r.change(2, manifest.Exporting)
	r.becomes(manifest.Exporting)
	r.until("the news to be told", `document.getElementById("live").textContent === "59 queued, 1 exporting"`)
	if !eval[bool](r.tab, `window.kept && scrollY === 500 && document.getElementById("submit").open`) {
		t.Error("renewing loaded the page anew, scrolled, or closed what was open")
	}
	if !eval[bool](r.tab, `document.querySelectorAll(".changed").length <= 1`) {
		t.Error("more than the changed row is marked")
	}
	r.noFaults()
}

func testRenewalWaits(t *testing.T, chromium context.Context) {
	r := renewingPage(t, chromium)
	tests := []struct{ what, begin, end string }{
		{"focus", `document.querySelector("[name=name]").focus()`, `document.activeElement.blur()`},
		{"selection", `getSelection().selectAllChildren(document.querySelector(".rows"))`, `getSelection().removeAllRanges()`},
		{"a form being filled in", `document.querySelector("[name=name]").value = "we"`, `document.querySelector("[name=name]").value = ""`},
		{"a choice not yet sent", `document.querySelector("[name=state]").selectedIndex = 2`, `document.querySelector("[name=state]").selectedIndex = 0`},
		{"a hidden tab", `Object.defineProperty(document, "hidden", { configurable: true, get: () => true })`, `delete document.hidden`},
		{"the button", `document.getElementById("pause").click()`, `document.getElementById("pause").click()`},
	}
	revision, states := 1, []manifest.State{manifest.Queued, manifest.Exporting}
	for _, tt := range tests {
		eval[bool](r.tab, tt.begin+`, true`)
		eval[bool](r.tab, periods) // what was under way has ended
		revision++
		before, after := states[revision%2], states[(revision+1)%2]
		if revision == 2 {
			before, after = manifest.Queued, manifest.Exporting
		}
		r.change(revision, after)
		r.keeps(tt.what, before)
		eval[bool](r.tab, tt.end+`, true`)
		r.becomes(after)
	}
	r.noFaults()
}

func testOutage(t *testing.T, chromium context.Context) {
	r := renewingPage(t, chromium)
	r.down.Store(true)
	r.until("the outage to be told", `document.getElementById("fresh").textContent.includes("not renewed since")`)
	if eval[string](r.tab, stateOf) != "queued" {
		t.Error("the list is gone")
	}
	r.change(2, manifest.Exporting)
	r.down.Store(false)
	r.becomes(manifest.Exporting)
	r.until("the outage to be over", `!document.getElementById("fresh").textContent.includes("not renewed since")`)
}

func testFormsSent(t *testing.T, chromium context.Context) {
	account := pagetest.Account(sampleNow)
	server := serve(t, account, func(o *page.Options) { o.AllowActions = true })
	b := newTab(t, chromium, server, phone, "light")
	id := idOf(t, account, "analytics")
	b.open("/images/" + id)
	b.click("#retry summary")
	b.click("#retry button")
	b.until("the answer", `document.querySelector(".did")?.textContent.includes("The export was started again.") && !location.search`)
	b.open("/")
	b.click("#submit summary")
	eval[bool](b, `document.querySelector("#submit input[name=imageId]").value = "m-fresh", true`)
	b.click("#submit button")
	b.until("the answer", `location.pathname === "/images/m-fresh"`)
	if calls := account.Calls(); len(calls) != 2 || calls[0] != "retry "+id || calls[1] != "submit m-fresh" {
		t.Errorf("calls %v", calls)
	}
	if eval[string](b, `document.cookie`) != "" {
		t.Error("scripts can read the cookie")
	}
	b.noFaults()
}

func testCopy(t *testing.T, chromium context.Context) {
	account := pagetest.Account(sampleNow)
	b := newTab(t, chromium, serve(t, account, nil), desktop, "dark")
	b.open("/images/" + idOf(t, account, "edge-proxy-2026-11-23"))
	b.click("[data-copy]")
	// Where the clipboard is not given to the page, the command is selected instead.
	b.until("the command", `document.querySelector("[data-copy]").textContent === "Copied" || getSelection().toString().startsWith("imageferry restore m-")`)
	b.noFaults()
}
