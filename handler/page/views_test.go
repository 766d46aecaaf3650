package page_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"

	"imageferry/handler/page"
	"imageferry/handler/page/pagetest"
)

func serve(t *testing.T, account *pagetest.Memory, change func(*page.Options)) *httptest.Server {
	t.Helper()
	options := sampleOptions()
	if change != nil {
		change(&options)
	}
	return serveFrom(t, account, account, options)
}

func serveFrom(t *testing.T, source page.Source, actions page.Actions, options page.Options) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handlerOf(source, actions, options))
	t.Cleanup(server.Close)
	return server
}

// contrasts finds all visible text that is too weak on what is behind it. A canvas resolves whatever way a colour is written.
const contrasts = `(() => {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const d = pen.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const ground = (e) => {
    if (!e) return [255, 255, 255, 1];
    const c = rgba(getComputedStyle(e).backgroundColor);
    return c[3] === 1 ? c : over(c, ground(e.parentElement));
  };
  const light = (c) => [.2126, .7152, .0722].reduce((sum, w, i) => {
    const v = c[i] / 255; return sum + w * (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  }, 0);
  const weak = []; let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
    if (!text || e.closest("script, svg, option, progress, .sr") || !e.checkVisibility() || !e.getClientRects().length) continue;
    const under = ground(e), a = light(over(rgba(getComputedStyle(e).color), under)), b = light(under);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    seen++;
    if (ratio < 4.5) weak.push(ratio.toFixed(2) + " " + e.className + " " + text.slice(0, 40));
  }
  return seen < 10 ? ["only " + seen + " texts were seen"] : [...new Set(weak)];
})()`

// wide finds what sticks out of the page at its right.
const wide = `(() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  return [...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, pre") && e.getBoundingClientRect().right > root.clientWidth + 1)
    .slice(0, 5).map((e) => e.tagName + "." + e.className + " " + Math.round(e.getBoundingClientRect().right));
})()`

// broken follows every link of the page and finds those that lead nowhere.
const broken = `(async () => {
  const targets = new Set([...document.querySelectorAll("a[href]")].map((a) => a.href.split("#")[0]));
  targets.delete(location.href);
  const bad = [];
  for (const target of [...targets].slice(0, 40)) {
    const answer = await fetch(target, { headers: { Accept: "text/html" } });
    if (!answer.ok) bad.push(answer.status + " " + target);
  }
  const fragments = [...document.querySelectorAll("a[href^='#'], use[href^='#']")].map((e) => e.getAttribute("href"));
  return bad.concat(fragments.filter((f) => !document.querySelector(f)));
})()`

// TestBrowser lets one Chromium look at the page, at the views first and then at what the script does.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium := browser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"views": testViews, "keyboard": testKeyboard, "without scripts": testWithoutScripts, "renewal": testRenewal,
		"renewal waits": testRenewalWaits, "outage": testOutage, "forms": testFormsSent, "copy": testCopy,
	} {
		t.Run(name, func(t *testing.T) { test(t, chromium) })
	}
}

func testViews(t *testing.T, chromium context.Context) {
	account := pagetest.Account(sampleNow)
	long := accountOf(0)
	long.Add(exportOf("m-wide", strings.Repeat("W", 128), sampleNow))
	full := serve(t, account, func(o *page.Options) { o.AllowActions, o.Refresh = true, -1 })
	wideNames := serve(t, long, func(o *page.Options) { o.AllowActions, o.Refresh = true, -1 })
	empty := serve(t, accountOf(0), func(o *page.Options) { o.Refresh = -1 })
	one := serve(t, accountOf(1), func(o *page.Options) { o.Refresh = -1 })
	// The real domain over a store, with 5,000 exports and a journal that cannot be read.
	store, thousand := &countedStore{}, thousands(5000)
	options := sampleOptions()
	options.Refresh = -1
	many := serveFrom(t, ferryOver(t, store, &knownTasks{progress: map[string]string{}}, thousand), nil, options)
	damaged := idOf(t, thousand, "edge-proxy")
	for _, key := range []string{layout.Manifest(thousand.Destination(), damaged), layout.Journal(thousand.Destination(), damaged) + "00000003.json"} {
		if err := store.Put(t.Context(), key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	views := []struct {
		name, path string
		server     *httptest.Server
		status     int
	}{
		{"overview", "/", full, 200}, {"filtered", "/?state=queued&reason=quota-concurrent", full, 200}, {"empty", "/", empty, 200},
		{"failed", "/images/" + idOf(t, account, "analytics"), full, 200}, {"exported", "/images/" + idOf(t, account, "edge-proxy"), full, 200},
		{"exporting", "/images/" + idOf(t, account, "kafka"), full, 200}, {"wide", "/images/m-wide", wideNames, 200},
		{"wide-list", "/", wideNames, 200},
		{"one", "/", one, 200}, {"one-image", "/images/m-00000", one, 200},
		{"many", "/", many, 200}, {"many-filtered", "/?state=exported&name=nightly&limit=100", many, 200}, {"many-image", "/images/m-many04999", many, 200},
		{"many-broken", "/images/" + damaged, many, 200},
		{"unknown", "/images/m-none", full, 404},
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{desktop, phone} {
			for _, view := range views {
				t.Run(fmt.Sprintf("%s-%s-%d", view.name, scheme, width), func(t *testing.T) {
					b := newTab(t, chromium, view.server, width, scheme)
					b.open(view.path)
					b.keep(fmt.Sprintf("%s-%s-%d", view.name, scheme, width))
					eval[bool](b, `document.querySelectorAll("details").forEach((d) => { d.open = true; }), true`)
					for what, script := range map[string]string{"weak text": contrasts, "sticks out": wide} {
						if found := eval[[]string](b, script); len(found) > 0 {
							t.Errorf("%s: %s", what, strings.Join(found, "\n"))
						}
					}
					if view.status == 200 {
						b.noFaults()
					}
					if scheme == "light" && width == phone {
						checkAccessible(b)
						if bad := eval[[]string](b, broken); len(bad) > 0 {
							t.Errorf("links lead nowhere: %v", bad)
						}
					}
				})
			}
		}
	}
}

// checkAccessible looks at the page as a screen reader does. On a phone, the list must still be a table.
func checkAccessible(b *tab) {
	b.t.Helper()
	tree := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `" `)
	}
	count := map[string]int{}
	for _, n := range tree.Nodes {
		role := text(n.Role)
		if n.Ignored {
			continue
		}
		count[role]++
		switch role {
		case "link", "button", "textbox", "searchbox", "combobox", "progressbar", "image", "heading", "navigation":
			if text(n.Name) == "" {
				b.t.Errorf("a %s has no name", role)
			}
		}
	}
	for _, role := range []string{"main", "banner", "contentinfo"} {
		if count[role] != 1 {
			b.t.Errorf("%d of the role %s", count[role], role)
		}
	}
	if n := eval[int](b, `document.querySelectorAll("h1").length`); n != 1 {
		b.t.Errorf("%d first headings", n)
	}
	if rows := eval[int](b, `document.querySelectorAll(".rows tr").length`); count["row"] < rows {
		b.t.Errorf("%d rows, the list alone has %d", count["row"], rows)
	}
}

func testKeyboard(t *testing.T, chromium context.Context) {
	b := newTab(t, chromium, serve(t, pagetest.Account(sampleNow), nil), desktop, "light")
	b.open("/")
	b.press("Tab")
	if got := eval[string](b, `document.activeElement.textContent + document.activeElement.getBoundingClientRect().width`); !strings.HasPrefix(got, "Skip to the content") || strings.HasSuffix(got, "content1") {
		t.Errorf("the first stop is %q", got)
	}
	b.press("Enter")
	b.until("the content to have the focus", `document.activeElement.id === "main"`)
	b.press("Tab")
	if got := eval[string](b, `document.activeElement.className + getComputedStyle(document.activeElement).outlineStyle`); got != "codesolid" {
		t.Errorf("the next stop is %q: it should be the hold's reason, with an outline", got)
	}
	b.noFaults()
}

func testWithoutScripts(t *testing.T, chromium context.Context) {
	b := newTab(t, chromium, serve(t, pagetest.Account(sampleNow), nil), phone, "dark")
	b.withoutScripts()
	b.open("/")
	b.noFaults()
	tree := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	rows := 0
	for _, n := range tree.Nodes {
		if n.Role != nil && string(n.Role.Value) == `"row"` {
			rows++
		}
		if n.Name != nil && strings.Contains(string(n.Name.Value), "Pause") {
			t.Error("there is a button that does nothing")
		}
	}
	if rows < 50 {
		t.Errorf("%d rows", rows)
	}
}
