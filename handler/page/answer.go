package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// WantsHTML tells whether the request is to be answered with a page: its address says format=html, or its Accept header
// prefers text/html to JSON by name. Browsers name it; clients that accept anything get JSON.
func WantsHTML(r *http.Request) bool {
	switch r.URL.Query().Get("format") {
	case "html":
		return true
	case "json":
		return false
	}
	html, other := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				q = 0
			}
		}
		switch mediaType {
		case "text/html", "application/xhtml+xml":
			html = max(html, q)
		case "application/json":
			other = max(other, q)
		}
	}
	return html > other
}

// A failure is an answer that is no view.
type failure struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Text   string `json:"detail"`
	Reason string `json:"reason,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// unreadable answers an error of the Source, which only the log gets to see.
func (p *site) unreadable(w http.ResponseWriter, r *http.Request, what string, err error) {
	if errors.Is(err, ErrCursor) {
		p.fail(w, r, failure{Status: http.StatusBadRequest, Title: "This place in the list is gone",
			Text: "The cursor in the address is not one of this list. Begin with the newest exports."})
		return
	}
	p.opts.Log.LogAttrs(r.Context(), slog.LevelError, "status page", slog.String("read", what), slog.String("error", err.Error()))
	p.fail(w, r, failure{Status: http.StatusServiceUnavailable, Title: "The record cannot be read for now",
		Text: "Reading the " + what + " has failed; the log says why. The exports themselves go on. Load the page again in a moment."})
}

func (p *site) fail(w http.ResponseWriter, r *http.Request, f failure) {
	if !WantsHTML(r) {
		p.json(w, f.Status, "application/problem+json", f)
		return
	}
	p.html(w, r, f.Status, "error", f.Title, f)
}

func (p *site) json(w http.ResponseWriter, status int, contentType string, document any) {
	body, err := json.Marshal(document)
	if err != nil { // a time out of JSON's range is all that it can be
		status, body = http.StatusInternalServerError, []byte(`{"status":500,"title":"Internal Server Error"}`)
	}
	p.write(w, status, contentType, append(body, '\n'))
}

func (p *site) write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Vary", "Accept")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone
}

// html renders a view into the layout; a view that cannot be rendered leaves no half a page.
func (p *site) html(w http.ResponseWriter, r *http.Request, status int, name, title string, view any) {
	var b bytes.Buffer
	if err := p.views.render(&b, name, p.frame(r, title, view)); err != nil {
		p.opts.Log.LogAttrs(r.Context(), slog.LevelError, "status page", slog.String("render", name), slog.String("error", err.Error()))
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	p.write(w, status, "text/html; charset=utf-8", b.Bytes())
}
