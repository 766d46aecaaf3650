package page

import (
	"bytes"
	"encoding/json"
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
	if err := p.views().render(&b, name, p.frame(r, title, view)); err != nil {
		p.log.LogAttrs(r.Context(), slog.LevelError, "status page", slog.String("render", name), slog.String("error", err.Error()))
		http.Error(w, "the page could not be rendered", http.StatusInternalServerError)
		return
	}
	p.write(w, status, "text/html; charset=utf-8", b.Bytes())
}
