package page

import (
	"errors"
	"log/slog"
	"net/http"

	"imageferry/internal/export"
)

// The reasons of failures, as in the answers of the function's API.
const (
	reasonNoPath  = "unknown-path"
	reasonMethod  = "method-not-allowed"
	reasonUnknown = "unknown-export"
	reasonInvalid = "invalid-value"
	reasonState   = "wrong-state"
	reasonCloud   = "cloud-call-failed"
	reasonNoForm  = "not-a-form"
	reasonForged  = "form-not-accepted"
)

// Reasons are the reasons of failures, each with its remedy.
func Reasons() map[string]string {
	return map[string]string{
		reasonNoPath:  "Use one of the documented paths.",
		reasonMethod:  "Use a method that the Allow header lists.",
		reasonUnknown: "Submit the image first, or look for its id in the list.",
		reasonInvalid: "Correct the value: detail names it.",
		reasonState:   "Look at the export's state first.",
		reasonCloud:   "Repeat the request; if it fails again, the function's log has the service's answer.",
		reasonNoForm:  "Programs use the API under /exports.",
		reasonForged:  "Load the page again, and send the form from there.",
	}
}

// A Failure is an answer that is no view.
type Failure struct {
	Status int
	Title  string // for people
	Text   string
	Reason string
	Remedy string // empty: that of Reasons
}

// A problem is a Failure for programs, after RFC 9457.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Reason   string `json:"reason"`
	Remedy   string `json:"remedy"`
	Instance string `json:"instance,omitempty"` // the request's id, as in the log
}

// Fail answers with a failure, a page for whom asks for one. It names nothing of what the page shows: the request may not be
// entitled to that.
func (p *Page) Fail(w http.ResponseWriter, r *http.Request, f Failure) {
	secure(w.Header())
	(&site{Page: p, log: slog.New(slog.DiscardHandler)}).fail(w, r, f)
}

func (p *site) fail(w http.ResponseWriter, r *http.Request, f Failure) {
	if f.Remedy == "" {
		f.Remedy = Reasons()[f.Reason]
	}
	if WantsHTML(r) {
		p.html(w, r, f.Status, "error", f.Title, f)
		return
	}
	p.json(w, f.Status, "application/problem+json", problem{
		Type: "about:blank", Title: http.StatusText(f.Status), Status: f.Status, Detail: joined(". ", f.Title, f.Text),
		Reason: f.Reason, Remedy: f.Remedy, Instance: p.requestID,
	})
}

// unreadable answers an error of the Source, which only the log gets to see.
func (p *site) unreadable(w http.ResponseWriter, r *http.Request, what string, err error) {
	if errors.Is(err, export.ErrCursor) {
		p.fail(w, r, Failure{Status: http.StatusBadRequest, Reason: reasonInvalid, Title: "This place in the list is gone",
			Text: "The cursor in the address is not one of this list. Begin with the newest exports."})
		return
	}
	p.log.LogAttrs(r.Context(), slog.LevelError, "status page", slog.String("read", what), slog.String("error", err.Error()))
	p.fail(w, r, Failure{Status: http.StatusServiceUnavailable, Reason: reasonCloud, Title: "The record cannot be read for now",
		Text: "Reading the " + what + " has failed; the log says why. The exports themselves go on. Load the page again in a moment."})
}
