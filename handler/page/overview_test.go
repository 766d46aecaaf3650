package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

func TestOverviewOfNothing(t *testing.T) {
	t.Parallel()
	d := parse(t, get(t, handlerOf(accountOf(0), nil, sampleOptions()), "/"))
	if n := len(d.all("table", "class=rows")); n != 0 {
		t.Errorf("%d lists, want none", n)
	}
	mustContain(t, text(d.one("main")), "Nothing is exported yet", "Not known yet: the next sweep", "Nothing in 30 days", "No round has been seen", "Oldest queued none")
	if n := len(d.all("a", "rel=next")); n != 0 {
		t.Error("there is a next page")
	}
}

func TestOverviewOfOne(t *testing.T) {
	t.Parallel()
	account := accountOf(1)
	d := parse(t, get(t, handlerOf(account, nil, sampleOptions()), "/"))
	row := d.one("tr", "data-row=m-00000")
	mustContain(t, text(row), "image 0 m-00000", "queued", "due now")
	if got := attr(d.one("th", "scope=row").FirstChild, "href"); got != "/images/m-00000" {
		t.Errorf("the image links to %q", got)
	}
	if n := len(d.all("form")); n != 1 { // the filter
		t.Errorf("a read-only page has %d forms", n)
	}
}

func TestOverviewOfAnAccount(t *testing.T) {
	t.Parallel()
	account := pagetest.Account(sampleNow)
	d := parse(t, get(t, handlerOf(account, nil, sampleOptions()), "/"))
	main := text(d.one("main"))
	mustContain(t, main,
		"On hold: nothing is submitted", "since 26 min ago · until 2026-11-23 14:15:31 UTC (in 9 min) at the latest · 5 refused probes",
		"quota-concurrent Wait: the account's running exports have to finish first",
		"383 all", "3 queued", "5 exporting", "362 exported", "96.2 %", "362 of 376 images",
		"follow on time 2 min ago , every 5 min", "sweep on time 43 min ago , every 1 h",
		"47 % · about 14 min left", "100 % · to be verified", "waits for the end of the hold", "took 16 min",
		"task-failed", "SnapshotReadFailed: The snapshot could not be read.", "Oldest queued 25 min ago")
	if n := len(d.all("svg", "role=img", "aria-label=")); n != 3 {
		t.Errorf("%d charts with a text, want 3", n)
	}
	if bars := d.all("rect", "class=bar"); len(bars) < 80 {
		t.Errorf("only %d bars", len(bars))
	}
	mustContain(t, text(d.one("details", "id=figures")), "Day (UTC) Exported Failed Skipped Cancelled", "2026-11-23 4 1 1 0 26 min")
}

func TestTilesLinkToStates(t *testing.T) {
	t.Parallel()
	h := handlerOf(pagetest.Account(sampleNow), nil, sampleOptions())
	d := parse(t, get(t, h, "/?state=failed&name=2026&cursor=&limit=10"))
	if got := attr(d.one("a", "aria-current=true"), "href"); got != "/?limit=10&name=2026&state=failed" {
		t.Errorf("the current tile links to %q", got)
	}
	for _, state := range []string{"queued", "exported", "cancelled"} {
		target := "/?limit=10&name=2026&state=" + state
		if len(d.all("a", "href="+target)) != 1 {
			t.Errorf("no tile links to %s", target)
			continue
		}
		for _, row := range parse(t, get(t, h, target)).all("tr", "data-row=") {
			mustContain(t, text(row), state)
		}
	}
}

func TestLateSchedules(t *testing.T) {
	t.Parallel()
	beat := func(action string, ago time.Duration) manifest.Heartbeat {
		return manifest.Heartbeat{Action: action, At: sampleNow.Add(-ago)}
	}
	failed, unfinished := beat("drain", time.Minute), beat("other", time.Minute)
	failed.Failed, unfinished.Incomplete = true, true
	account := accountOf(0)
	account.Heartbeats = []manifest.Heartbeat{beat("follow", 10*time.Minute), beat("sweep", 10*time.Minute+time.Second), failed, unfinished}
	options := sampleOptions()
	options.Periods = map[string]time.Duration{"follow": 5 * time.Minute, "sweep": 5 * time.Minute, "drain": 5 * time.Minute, "fresh": time.Minute}
	h := handlerOf(account, nil, options)
	d := parse(t, get(t, h, "/"))
	mustContain(t, text(d.one("ul", "class=rounds")), "follow on time", "sweep late", "drain failed", "other unfinished", "fresh never no round seen")
	mustContain(t, get(t, h, "/?format=json").Body.String(),
		`{"action":"fresh","status":"never","periodSeconds":60}`, `{"action":"sweep","status":"late","at":"2026-11-23T13:56:30Z","periodSeconds":300}`)
	// A timer that has never run may be new.
	alerts := d.all("section", "class=is-late")
	if len(alerts) != 1 {
		t.Fatalf("%d alerts, want that of sweep", len(alerts))
	}
	mustContain(t, text(alerts[0]), "The timer of sweep is late", "last round 10 min ago · expected every 5 min")
	// Unless others have worked for days.
	old := exportOf("m-old", "old", sampleNow.Add(-50*time.Hour))
	old.State = manifest.Skipped
	account.Add(old)
	alerts = parse(t, get(t, h, "/")).all("section", "class=is-late")
	if len(alerts) != 2 {
		t.Fatalf("%d alerts, want those of fresh and sweep", len(alerts))
	}
	mustContain(t, text(alerts[0]), "The timer of fresh is late", "no round has been seen · expected every 1 min")
}

// What cannot be read, and how far the counts reach, is said.
func TestOverviewSaysItsLimits(t *testing.T) {
	t.Parallel()
	account := accountOf(1)
	asOf := sampleNow.Add(-17 * time.Minute)
	account.EndedAsOf = &asOf
	account.Coverage = &export.Coverage{Exported: 7, Wanted: 9, At: asOf, Since: sampleNow.AddDate(0, 0, -7)}
	account.Unreadable = []export.Result{{ImageID: "m-broken", Reason: "journal-unreadable", Remedy: "Restore it.", Detail: "revision 2 is missing"}}
	h := handlerOf(account, nil, sampleOptions())
	d := parse(t, get(t, h, "/"))
	mustContain(t, text(d.one("main")),
		"Finished exports are counted as of the sweep of 2026-11-23 13:49:31 UTC , 17 min ago", "7 of 9 images", "Newer than 2026-11-16",
		"A journal cannot be read m-broken journal-unreadable Restore it. revision 2 is missing")
	if attr(d.one("a", "href=/images/m-broken"), "class") != "id" {
		t.Error("the journal that cannot be read has no link")
	}
	mustContain(t, get(t, h, "/?format=json").Body.String(), `"unreadable":[{"imageId":"m-broken"`, `"endedAsOf":"2026-11-23T13:49:31Z"`)
	if len(parse(t, get(t, h, "/?state=queued")).all("section", "class=unread")) != 0 {
		t.Error("a filtered list has what no filter can judge")
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	h := handlerOf(pagetest.Account(sampleNow), nil, sampleOptions())
	d := parse(t, get(t, h, "/?state=queued&reason=quota-concurrent&name=PAYMENTS"))
	if rows := d.all("tr", "data-row="); len(rows) != 1 || !strings.Contains(text(rows[0]), "payments-batch-2026-11-23") {
		t.Errorf("%d rows, want payments-batch alone", len(rows))
	}
	if got := attr(d.one("input", "name=name"), "value"); got != "PAYMENTS" {
		t.Errorf("the name field has %q", got)
	}
	for _, value := range []string{"queued", "quota-concurrent (3)"} {
		found := false
		for _, o := range d.all("option", "selected=") {
			found = found || text(o) == value
		}
		if !found {
			t.Errorf("option %q is not selected", value)
		}
	}
	mustContain(t, text(parse(t, get(t, h, "/?name=nobody")).one("main")), "No export matches.")
	// A reason that nobody has any more stays selected: else the form would silently widen the list.
	gone := parse(t, get(t, h, "/?reason=gone"))
	if got := attr(gone.one("option", "value=gone"), "selected"); got != "" || len(gone.all("option", "value=gone", "selected=")) != 1 {
		t.Error("the unknown reason is not selected")
	}
	for target, want := range map[string]string{
		"/?state=lost": "There is no such state", "/?limit=0": "The limit is out of range", "/?cursor=x": "This place in the list is gone",
	} {
		w := get(t, h, target)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d", target, w.Code)
		}
		mustContain(t, text(parse(t, w).one("h1")), want)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	const n = 5000
	h := handlerOf(accountOf(n), nil, sampleOptions())
	seen := map[string]bool{}
	target, pages, last := "/?name=image&limit=100", 0, ""
	for target != "" {
		d := parse(t, get(t, h, target))
		for _, row := range d.all("tr", "data-row=") {
			id := attr(row, "data-row")
			if seen[id] || id < last {
				t.Fatalf("%s comes again, or too late", id)
			}
			seen[id], last = true, id
		}
		if (pages > 0) != (len(d.all("a", "rel=first")) == 1) {
			t.Errorf("page %d: the link to the newest is wrong", pages)
		}
		pages++
		target = ""
		if next := d.all("a", "rel=next"); len(next) == 1 {
			target = attr(next[0], "href")
			mustContain(t, target, "name=image", "limit=100")
		}
	}
	if len(seen) != n || pages != n/100 {
		t.Errorf("%d exports on %d pages", len(seen), pages)
	}
	mustContain(t, get(t, h, "/").Body.String(), "5,000")
}

func TestDegradesByParts(t *testing.T) {
	t.Parallel()
	account := pagetest.Account(sampleNow)
	broken := map[string]bool{}
	account.Fail = func(call string) error {
		if broken[call] {
			return errors.New("oss: secret detail")
		}
		return nil
	}
	h := handlerOf(account, nil, sampleOptions())
	tests := []struct {
		broken string
		status int
		want   string
		rows   bool
	}{
		{"Overview", 200, "The counts cannot be read for now", true},
		{"Recent", 200, "The list of exports cannot be read for now", false},
		{"Progress", 200, "running for 21 min", true},
		{"Overview Recent", 503, "The record cannot be read for now", false},
	}
	for _, tt := range tests {
		clear(broken)
		for call := range strings.FieldsSeq(tt.broken) {
			broken[call] = true
		}
		w := get(t, h, "/")
		d := parse(t, w)
		if w.Code != tt.status || len(d.all("table", "class=rows")) > 0 != tt.rows {
			t.Errorf("%s: status %d", tt.broken, w.Code)
		}
		mustContain(t, text(d.one("main")), tt.want)
		if strings.Contains(w.Body.String(), "secret detail") {
			t.Errorf("%s: the error is shown", tt.broken)
		}
		if w := get(t, h, "/?format=json"); tt.broken != "Progress" && w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: status %d of the JSON", tt.broken, w.Code)
		}
	}
}

func TestOverviewJSON(t *testing.T) {
	t.Parallel()
	h := handlerOf(pagetest.Account(sampleNow), nil, sampleOptions())
	w := get(t, h, "/?state=exporting&format=json&limit=2")
	var document struct {
		Overview export.Overview
		Filter   export.Filter
		Exports  []*manifest.Manifest
		Progress map[string]int
		Cursor   string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if document.Overview.Total != 383 || document.Overview.Hold.Reason != "quota-concurrent" || document.Filter.State != "exporting" ||
		len(document.Exports) != 2 || document.Progress[document.Exports[1].Task.ID] != 47 || document.Cursor == "" {
		t.Errorf("the document is %+v", document)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	mustContain(t, get(t, handlerOf(accountOf(0), nil, sampleOptions()), "/?format=json").Body.String(), `"exports":[]`)
	// The link in the foot leads to the same list.
	d := parse(t, get(t, h, "/?state=exporting&limit=2"))
	if got := attr(d.one("footer").LastChild.PrevSibling.FirstChild, "href"); got != "/?format=json&limit=2&state=exporting" {
		t.Errorf("the foot links to %q", got)
	}
}

func TestWantsHTML(t *testing.T) {
	t.Parallel()
	tests := []struct {
		accept, query string
		want          bool
	}{
		{browserAccept, "", true}, {"", "", false}, {"*/*", "", false}, {"application/json", "", false}, {"text/html", "", true},
		{"application/json, text/html;q=0.9", "", false}, {"text/html, application/json;q=0.9", "", true}, {"text/html;q=0", "", false},
		{"text/html;q=x", "", false}, {";;, text/html", "", true}, {browserAccept, "format=json", false}, {"*/*", "format=html", true},
		{browserAccept, "format=other", true},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/?"+tt.query, nil)
		r.Header.Set("Accept", tt.accept)
		if got := page.WantsHTML(r); got != tt.want {
			t.Errorf("Accept %q, %q: %v", tt.accept, tt.query, got)
		}
	}
}

func TestDurationsAndDays(t *testing.T) {
	t.Parallel()
	o := export.Overview{Days: []export.Day{
		{Date: "2026-11-23", Outcomes: map[manifest.State]int{manifest.Failed: 2}},
		{Date: "2026-11-22", Outcomes: map[manifest.State]int{manifest.Exported: 1000}, Bytes: 5 << 40, MedianSeconds: 45, P90Seconds: 200_000},
		{Date: "2026-11-21", Outcomes: map[manifest.State]int{manifest.Exported: 1}, Bytes: 1, MedianSeconds: 11520, P90Seconds: 1},
		{Date: "2026-09-01", Outcomes: map[manifest.State]int{manifest.Cancelled: 7}},
	}, Bytes: 6 << 40}
	d := parse(t, get(t, handlerOf(overviewOf{o}, nil, sampleOptions()), "/"))
	main := text(d.one("main"))
	mustContain(t, main, "1,001 exported in 30 days, 2 not", "22 Nov: 1,000 exported", "23 Nov: 2 failed", "21 Nov: median 3 h 12 min, 9 of 10 within 3 h 12 min",
		"45 s median of 22 Nov, 9 of 10 in 2 d 7 h", "6.0 TiB 5.0 TiB added in 30 days", "25 Oct")
	for _, bar := range d.all("rect", "class=bar") {
		var y, h float64
		if _, err := fmt.Sscan(attr(bar, "y")+" "+attr(bar, "height"), &y, &h); err != nil || y < -0.1 || h <= 0 || y+h > 58 {
			t.Errorf("a bar stands at %s with height %s", attr(bar, "y"), attr(bar, "height"))
		}
	}
}

// overviewOf is a Source with an overview alone.
type overviewOf struct{ overview export.Overview }

func (s overviewOf) Overview(context.Context) (export.Overview, error) { return s.overview, nil }

func (overviewOf) Rehearsals(context.Context, string) (*restore.Rehearsals, error) { return nil, nil }
func (overviewOf) AtWork(context.Context) ([]*restore.Record, error)               { return nil, nil }
func (overviewOf) RestoresOf(context.Context, string) ([]*restore.Record, error)   { return nil, nil }

func (overviewOf) Destination() manifest.Destination { return pagetest.Destination }

func (overviewOf) Recent(context.Context, export.Filter, string, int) (export.Recent, error) {
	return export.Recent{}, nil
}

func (overviewOf) History(context.Context, string) ([]manifest.Entry, error) {
	return nil, export.ErrUnknown
}

func (overviewOf) Progress(context.Context, []string) (map[string]int, error) { return nil, nil }

func TestAddressesAreEscaped(t *testing.T) {
	t.Parallel()
	h := handlerOf(accountOf(3), nil, sampleOptions())
	nasty := `x&state=failed"><script>#`
	d := parse(t, get(t, h, "/?name="+url.QueryEscape(nasty)))
	for _, a := range d.all("a", "href=") {
		u, err := url.Parse(attr(a, "href"))
		if err != nil {
			t.Fatal(err)
		}
		if name := u.Query().Get("name"); name != "" && name != nasty {
			t.Errorf("a link filters by %q", name)
		}
	}
}
