package page

import (
	"fmt"
	"html"
	"log/slog"
	"math"
	"net/http"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// getBadge answers with a number as a picture: ?show=coverage, exported or failed; by default the coverage if it is known, and
// else what is exported. A Source that cannot be read makes a grey one: a broken picture would say less. ?format=json answers with
// the document that badge services such as shields.io take from an address.
func (p *site) getBadge(w http.ResponseWriter, r *http.Request) {
	b := badge{label: "images", text: "unknown", fill: "#5b6472"}
	show := r.URL.Query().Get("show")
	o, err := p.counts(r.Context())
	switch {
	case err != nil:
		p.log.LogAttrs(r.Context(), slog.LevelError, "status page", slog.String("read", "badge"), slog.String("error", err.Error()))
	case show == "failed":
		b = failedBadge(o)
	case show == "exported" || show == "" && o.Coverage == nil:
		b = badge{"images exported", count(o.States[manifest.Exported]), "#1a7346"}
	case (show == "coverage" || show == "") && o.Coverage != nil:
		b = coverageBadge(*o.Coverage)
	}
	w.Header().Set("Cache-Control", "private, max-age=60")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin") // it is there to be shown by other sites
	if r.URL.Query().Get("format") == "json" {
		p.json(w, http.StatusOK, "application/json", badgeDocument{1, b.label, b.text, b.fill})
		return
	}
	p.write(w, http.StatusOK, "image/svg+xml", []byte(b.svg()))
}

func failedBadge(o export.Overview) badge {
	if n := o.States[manifest.Failed]; n > 0 {
		return badge{"image exports", count(n) + " failed", "#b42318"}
	}
	return badge{"image exports", "none failed", "#1a7346"}
}

func coverageBadge(c export.Coverage) badge {
	b := badge{"images exported", percent(c.Exported, c.Wanted), "#b42318"}
	switch {
	case c.Exported >= c.Wanted:
		b.fill = "#1a7346"
	case c.Exported*10 >= c.Wanted*9:
		b.fill = "#8a5300"
	}
	return b
}

// A badgeDocument is a badge as JSON.
type badgeDocument struct {
	SchemaVersion int    `json:"schemaVersion"` // of that document: 1
	Label         string `json:"label"`
	Message       string `json:"message"`
	Color         string `json:"color"`
}

// A badge is a label and a text on a colour that white is readable on.
type badge struct{ label, text, fill string }

func (b badge) svg() string {
	left, right := textWidth(b.label)+26, textWidth(b.text)+16
	whole := left + right
	name := html.EscapeString(b.label + ": " + b.text)
	// textLength makes the text fit whatever font there is.
	return fmt.Sprintf(badgeForm, whole, name, left-4, left, right-4, b.fill,
		left-26, html.EscapeString(b.label), left+8, right-16, html.EscapeString(b.text))
}

const badgeForm = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="22" viewBox="0 0 %[1]d 22" role="img" aria-label="%[2]s">
<title>%[2]s</title>
<path d="M4 0h%[3]dv22H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z" fill="#2b3440"/>
<path d="M%[4]d 0h%[5]da4 4 0 0 1 4 4v14a4 4 0 0 1-4 4h-%[5]dz" fill="%[6]s"/>
<path d="M7 12.5h10l-1.6 3.6H8.6zM8.5 11V7.5h5V11" fill="#fff"/>
<g fill="#fff" font-family="system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif" font-size="11.5">
<text x="21" y="15" textLength="%[7]d">%[8]s</text>
<text x="%[9]d" y="15" font-weight="600" textLength="%[10]d">%[11]s</text>
</g></svg>
`

// textWidth is about how wide a text is in pixels.
func textWidth(text string) int {
	width := 0.0
	for _, c := range text {
		switch {
		case c == ' ' || c == '.' || c == ',' || c == 'i' || c == 'l' || c == 't' || c == 'f' || c == 'r':
			width += 3.9
		case c == 'm' || c == 'w' || c == '%':
			width += 10
		default:
			width += 6.7
		}
	}
	return int(math.Ceil(width))
}
