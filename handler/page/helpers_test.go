package page_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
	"imageferry/internal/manifest"
)

// sampleNow is when the sample account is looked at.
var sampleNow = time.Date(2026, 11, 23, 14, 6, 31, 0, time.UTC)

// sampleOptions are of a page without forms, at sampleNow.
func sampleOptions() page.Options {
	return page.Options{
		Version: "0.1.0", PlainHTTP: true, Key: []byte(strings.Repeat("k", 32)),
		Now: func() time.Time { return sampleNow },
	}
}

// handlerOf is a process of its own.
func handlerOf(source page.Source, actions page.Actions, options page.Options) http.Handler {
	return page.New(options).Handler(page.Backend{Source: source, Actions: actions})
}

const browserAccept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// get asks as a browser does.
func get(t *testing.T, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("Accept", browserAccept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A doc is a parsed page.
type doc struct {
	t    *testing.T
	root *html.Node
}

func parse(t *testing.T, w *httptest.ResponseRecorder) doc {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Fatalf("status %d, Content-Type %q: %.300s", w.Code, got, w.Body)
	}
	root, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc{t, root}
}

// all are the elements of a tag that have all of the attributes; an attribute "name=" is there with any value, and
// "class=x" has x as one of its classes.
func (d doc) all(tag string, attrs ...string) []*html.Node {
	var found []*html.Node
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && (tag == "*" || n.Data == tag) && has(n, attrs) {
			found = append(found, n)
		}
	}
	return found
}

func has(n *html.Node, attrs []string) bool {
	for _, want := range attrs {
		name, value, _ := strings.Cut(want, "=")
		got, ok := attrOf(n, name)
		switch {
		case !ok:
			return false
		case name == "class" && !strings.Contains(" "+got+" ", " "+value+" "):
			return false
		case name != "class" && value != "" && got != value:
			return false
		}
	}
	return true
}

// one is the only such element.
func (d doc) one(tag string, attrs ...string) *html.Node {
	d.t.Helper()
	found := d.all(tag, attrs...)
	if len(found) != 1 {
		d.t.Fatalf("there are %d <%s> %v, want 1", len(found), tag, attrs)
	}
	return found[0]
}

func attrOf(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, name string) string {
	value, _ := attrOf(n, name)
	return value
}

// text is the text of an element with single spaces.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func mustContain(t *testing.T, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %.1500q", want, got)
		}
	}
}

// exportOf is a queued export.
func exportOf(id, name string, at time.Time) *manifest.Manifest {
	return &manifest.Manifest{
		Schema: manifest.SchemaV1, Revision: 1, State: manifest.Queued, CreatedAt: at, UpdatedAt: at, Destination: pagetest.Destination,
		Image: manifest.Image{ID: id, Name: name},
	}
}

// accountOf holds n exports, a minute apart.
func accountOf(n int) *pagetest.Memory {
	account := &pagetest.Memory{Now: func() time.Time { return sampleNow }}
	for i := range n {
		account.Add(exportOf(fmt.Sprintf("m-%05d", i), fmt.Sprintf("image %d", i), sampleNow.Add(-time.Duration(i)*time.Minute)))
	}
	return account
}
