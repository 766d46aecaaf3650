package handler

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// pages are the status page's routes for this invocation. Without a configuration there is nothing to show.
func (in *invocation) pages() map[string]http.HandlerFunc {
	return in.page().Routes(page.Backend{Source: in.ferry, Actions: visitor{in}, RequestID: in.requestID, Log: in.log})
}

// noPage tells why there is no status page to show: it is that of the function's own destination alone.
func (in *invocation) noPage(ctx context.Context) error {
	if err := in.notOpen(ctx); err != nil {
		return err
	}
	if in.target != "" && in.target != in.targets[0].Name {
		return newProblem(http.StatusNotFound, reasonNoPath, "the status page has no targets: GET /exports?target="+in.target+" does")
	}
	return nil
}

// seeOther is where a browser finds what an endpoint answers programs with; empty when nowhere.
func seeOther(r *http.Request) string {
	if r.Pattern != "GET /exports" && r.Pattern != "GET /exports/{imageId}" || !page.WantsHTML(r) || r.URL.Query().Has("target") {
		return ""
	}
	if id := r.PathValue("imageId"); id != "" {
		return "/images/" + url.PathEscape(id)
	}
	query := url.Values{}
	for _, name := range []string{"state", "limit"} { // the cursor is another list's
		if v := r.URL.Query().Get(name); v != "" {
			query.Set(name, v)
		}
	}
	return (&url.URL{Path: "/", RawQuery: query.Encode()}).String()
}

// A visitor is who sends the page's forms. What they ask for is decided and logged as what programs ask for.
type visitor struct{ *invocation }

func (v visitor) trigger(action string) manifest.Trigger {
	return manifest.Trigger{Kind: "http", Source: "status page, " + action, RequestID: v.requestID}
}

// Submit implements page.Actions.
func (v visitor) Submit(ctx context.Context, imageID string) (export.Result, error) {
	return v.submit(ctx, export.Order{ImageID: imageID, Trigger: v.trigger("submit"), Explicit: true})
}

// Retry implements page.Actions.
func (v visitor) Retry(ctx context.Context, imageID string) (export.Result, error) {
	return v.retry(ctx, imageID, v.trigger("retry"))
}

// Cancel implements page.Actions.
func (v visitor) Cancel(ctx context.Context, imageID string) (export.Result, error) {
	return v.cancel(ctx, imageID, v.trigger("cancel"))
}

// retry starts an export again, even from a terminal state; the image must have been exported, or refused, before.
func (in *invocation) retry(ctx context.Context, imageID string, t manifest.Trigger) (export.Result, error) {
	if _, err := in.ferry.Get(ctx, imageID); err != nil {
		return export.Result{}, fmt.Errorf("get %s: %w", imageID, err)
	}
	return in.submit(ctx, export.Order{ImageID: imageID, Trigger: t, Explicit: true, Force: true})
}

func (in *invocation) cancel(ctx context.Context, imageID string, t manifest.Trigger) (export.Result, error) {
	result, err := in.ferry.Cancel(ctx, imageID, t)
	if err != nil {
		return export.Result{}, fmt.Errorf("cancel %s: %w", imageID, err)
	}
	in.logResult(ctx, "cancel", t, result)
	return result, nil
}
