package page

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// maxForm bounds a form's body: an image id and a token.
const maxForm = 4 << 10

const formType = "application/x-www-form-urlencoded"

// An action is one of Actions.
type action func(ctx context.Context, imageID string) (export.Result, error)

func (p *site) postSubmit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	p.act(w, r, "submit", strings.TrimSpace(r.PostFormValue("imageId")), p.actions.Submit)
}

func (p *site) postRetry(w http.ResponseWriter, r *http.Request) {
	p.act(w, r, "retry", r.PathValue("imageId"), p.actions.Retry)
}

func (p *site) postCancel(w http.ResponseWriter, r *http.Request) {
	p.act(w, r, "cancel", r.PathValue("imageId"), p.actions.Cancel)
}

// act does what a form asks for, and sends the browser to the image's page: loading that again does not do it twice.
func (p *site) act(w http.ResponseWriter, r *http.Request, name, imageID string, do action) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != formType {
		p.fail(w, r, Failure{Status: http.StatusUnsupportedMediaType, Reason: reasonNoForm, Title: "This is for forms"})
		return
	}
	log := p.log.With(slog.String("form", name))
	if err := p.guard.check(r, p.opts.Now()); err != nil {
		log.LogAttrs(r.Context(), slog.LevelWarn, "form refused", slog.String("error", err.Error()))
		p.fail(w, r, Failure{Status: http.StatusForbidden, Reason: reasonForged, Title: "The form was not accepted",
			Text: "It was open for too long, or does not come from this page. Nothing was done."})
		return
	}
	if !manifest.ValidImageID(imageID) {
		p.fail(w, r, Failure{Status: http.StatusUnprocessableEntity, Reason: reasonInvalid, Title: "This is not an image's id",
			Text: "Nothing was done. Ids of custom images are m- with letters and digits, such as m-bp67acfmxazb4ph4e0vo."})
		return
	}
	log = log.With(slog.String("imageId", imageID))
	result, err := do(r.Context(), imageID)
	p.forget()
	if err != nil {
		log.LogAttrs(r.Context(), slog.LevelWarn, "form failed", slog.String("error", err.Error()))
		p.fail(w, r, failed(err))
		return
	}
	log.LogAttrs(r.Context(), slog.LevelInfo, "form done",
		slog.String("state", string(result.State)), slog.String("reason", result.Reason))
	if result.State == "" {
		p.fail(w, r, Failure{Status: http.StatusConflict, Title: "Nothing was done", Text: say(result.Detail),
			Reason: say(result.Reason), Remedy: say(result.Remedy)})
		return
	}
	http.Redirect(w, r, "/images/"+url.PathEscape(imageID)+"?did="+name, http.StatusSeeOther)
}

func failed(err error) Failure {
	switch {
	case errors.Is(err, export.ErrUnknown):
		return Failure{Status: http.StatusNotFound, Reason: reasonUnknown, Title: "There is no export of this image",
			Text: "Nothing was done."}
	case errors.Is(err, export.ErrState):
		return Failure{Status: http.StatusConflict, Reason: reasonState, Title: "Not possible in this state",
			Text: "The export has gone on since the page was loaded. Nothing was done."}
	}
	return Failure{Status: http.StatusServiceUnavailable, Reason: reasonCloud, Title: "Not possible for now",
		Text: "ECS or OSS did not answer properly; the log says more. Look at the export before you try again: " +
			"it may have been done all the same."}
}
