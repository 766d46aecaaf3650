package page

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
)

// Options are how the page is served. The zero value is a read-only page.
type Options struct {
	// Version of the program, for the foot of the page.
	Version string
	// AllowActions adds the forms. Whoever may see the page may then use them.
	AllowActions bool
	// Key is what the forms' tokens are made with, 32 bytes or more. It has to be the same in all instances of a function,
	// because the one that answers a form is not the one that has made it, and to outlive them: see DeriveKey. Without a key a
	// random one is made, which suits a program that is one process.
	Key []byte
	// PlainHTTP lets the cookie go over http. It is for a loopback address only: everywhere else a browser comes by https.
	PlainHTTP bool
	// Hosts are the only values of the Host header to be answered, such as 127.0.0.1:8080. Without any, every host is: Function
	// Compute itself picks the function by the host. On loopback they keep web sites out that point their name to 127.0.0.1.
	Hosts []string
	// Refresh is how often a page in view renews itself: 30 seconds when 0, never when negative.
	Refresh time.Duration
	// Remember is how long what was read for one look may serve others: not at all when 0.
	Remember time.Duration
	// Periods are how often the timers should run each action at least; nil: follow every 5 minutes, sweep every hour.
	Periods map[string]time.Duration
	// RestoreCommand is what to type to restore an exported image; nil is RestoreCommand.
	RestoreCommand func(*manifest.Manifest) string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// DefaultRemember suits a page that many people look at: see Options.Remember.
const DefaultRemember = 5 * time.Second

const defaultRefresh = 30 * time.Second

// A Page is what the requests of a process have in common. It is safe for concurrent use.
type Page struct {
	opts  Options
	guard *guard
	views func() *views // parsed for the first page: most invocations of the function are none

	overviews  recall[export.Overview]
	recents    recall[export.Recent]
	progresses recall[map[string]int]
	atWorks    recall[[]*restore.Record]
}

// New returns a page. It panics when the key is too short, as no request could be trusted then.
func New(options Options) *Page {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Refresh == 0 {
		options.Refresh = defaultRefresh
	}
	if options.Periods == nil {
		options.Periods = map[string]time.Duration{"follow": 5 * time.Minute, "sweep": time.Hour}
	}
	if options.RestoreCommand == nil {
		options.RestoreCommand = func(m *manifest.Manifest) string { return RestoreCommand(m) }
	}
	if options.Key == nil {
		options.Key = make([]byte, minKey)
		_, _ = rand.Read(options.Key) // never fails: crypto/rand ends the program instead
	}
	return &Page{opts: options, guard: newGuard(options.Key, options.PlainHTTP), views: sync.OnceValue(parseViews)}
}

// A Backend is what requests are answered from: one for each invocation of the function, whose credentials it has. All
// Backends of a Page show the same exports.
type Backend struct {
	Source Source
	// Actions may be nil unless Options.AllowActions.
	Actions Actions
	// RequestID names the request in failures, if it is not empty.
	RequestID string
	// Log has the errors of the Source and of Actions; nil is no log.
	Log *slog.Logger
}

// Routes are the page's handlers by their patterns for http.ServeMux, to be mounted beside others.
func (p *Page) Routes(b Backend) map[string]http.HandlerFunc {
	if b.Log == nil {
		b.Log = slog.New(slog.DiscardHandler)
	}
	s := &site{Page: p, source: b.Source, actions: b.Actions, requestID: b.RequestID, log: b.Log}
	routes := map[string]http.HandlerFunc{
		"GET /{$}":              s.getOverview,
		"GET /images/{imageId}": s.getImage,
		"GET /badge.svg":        s.getBadge,
		"GET /assets/{name}":    s.getAsset,
	}
	if p.opts.AllowActions {
		routes["POST /images"] = s.postSubmit
		routes["POST /images/{imageId}/retry"] = s.postRetry
		routes["POST /images/{imageId}/cancel"] = s.postCancel
	}
	for pattern, answer := range routes {
		routes[pattern] = func(w http.ResponseWriter, r *http.Request) {
			secure(w.Header())
			answer(w, r)
		}
	}
	return routes
}

// Handler answers every path: those that are none of Routes with a failure.
func (p *Page) Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	for pattern, answer := range p.Routes(b) {
		mux.HandleFunc(pattern, answer)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(p.opts.Hosts) > 0 && !slices.Contains(p.opts.Hosts, r.Host) {
			// In plain text: a page would have the name of the strange host load its files.
			secure(w.Header())
			http.Error(w, "this address does not serve the host of the request", http.StatusMisdirectedRequest)
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			p.nothingHere(w, r, mux)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (p *Page) nothingHere(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		p.Fail(w, r, Failure{Status: http.StatusNotFound, Reason: reasonNoPath, Title: "There is nothing here", Text: "The address has no page."})
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	p.Fail(w, r, Failure{Status: http.StatusMethodNotAllowed, Reason: reasonMethod, Title: "Not in this way",
		Text: "The address takes " + strings.Join(allowed, ", ") + "."})
}

// A site answers requests from one Backend.
type site struct {
	*Page
	source    Source
	actions   Actions
	requestID string
	log       *slog.Logger
}

// policy lets the page use its own style sheet, script, icon and address, and nothing else; inline code and style included.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer browsers would send "Origin: null" with our own forms
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
}
