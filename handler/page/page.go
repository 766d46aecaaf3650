package page

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"imageferry/internal/manifest"
)

// Options are how the page is served. The zero value is a read-only page.
type Options struct {
	// Destination is named in the head of the page, if it has a bucket.
	Destination manifest.Destination
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
	// RestoreCommand is what to type to restore an exported image; nil is `imageferry restore` with the destination's flags.
	RestoreCommand func(*manifest.Manifest) string
	// Log has the errors of the Source and of Actions; nil is no log.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

const defaultRefresh = 30 * time.Second

// A site serves the views.
type site struct {
	source  Source
	actions Actions
	opts    Options
	guard   *guard
	views   *views
	mux     *http.ServeMux
}

// New returns the handler of all the package's routes; actions may be nil unless options.AllowActions. It panics when the
// key is too short, as no request could be trusted then.
func New(source Source, actions Actions, options Options) http.Handler {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Refresh == 0 {
		options.Refresh = defaultRefresh
	}
	if options.RestoreCommand == nil {
		options.RestoreCommand = restoreCommand
	}
	if options.Key == nil {
		options.Key = make([]byte, minKey)
		_, _ = rand.Read(options.Key) // never fails: crypto/rand ends the program instead
	}
	p := &site{
		source: source, actions: actions, opts: options,
		guard: newGuard(options.Key, options.PlainHTTP), views: parseViews(), mux: http.NewServeMux(),
	}
	routes := p.routes()
	for _, pattern := range Patterns(options.AllowActions) {
		p.mux.HandleFunc(pattern, routes[pattern])
	}
	p.mux.HandleFunc("/", p.nothingHere)
	return p
}

// Patterns are the routes, as http.ServeMux understands them, for a handler that mounts the page beside its own.
func Patterns(allowActions bool) []string {
	patterns := []string{"GET /{$}", "GET /images/{imageId}", "GET /badge.svg", "GET /assets/{name}"}
	if allowActions {
		patterns = append(patterns, "POST /images", "POST /images/{imageId}/retry", "POST /images/{imageId}/cancel")
	}
	return patterns
}

func (p *site) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /{$}":                      p.getOverview,
		"GET /images/{imageId}":         p.getImage,
		"GET /badge.svg":                p.getBadge,
		"GET /assets/{name}":            p.getAsset,
		"POST /images":                  p.postSubmit,
		"POST /images/{imageId}/retry":  p.postRetry,
		"POST /images/{imageId}/cancel": p.postCancel,
	}
}

// ServeHTTP answers requests for any path; unknown ones with a page that says so.
func (p *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if len(p.opts.Hosts) > 0 && !slices.Contains(p.opts.Hosts, r.Host) {
		http.Error(w, "this address does not serve the host of the request", http.StatusMisdirectedRequest)
		return
	}
	p.mux.ServeHTTP(w, r)
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

// imageIDs of custom images look like m-bp67acfmxazb4p****.
var imageIDs = regexp.MustCompile(`^m-[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

func (p *site) nothingHere(w http.ResponseWriter, r *http.Request) {
	p.fail(w, r, failure{Status: http.StatusNotFound, Title: "There is nothing here", Text: "The address has no page."})
}
