package handler

import (
	"context"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/metrics"
	"imageferry/internal/restore"
)

// maxBody bounds a request's body: the largest real one has less than 200 bytes.
const maxBody = 64 << 10

const healthPath = "/healthz"

// An endpoint answers a request with a status and a document, or with an error.
type endpoint func(r *http.Request) (status int, document any, err error)

// routes lists the endpoints. GET stands for HEAD, too.
func (in *invocation) routes() map[string]endpoint {
	return map[string]endpoint{
		"GET " + healthPath:               in.getHealth,
		"POST /exports":                   in.postExport,
		"GET /exports":                    in.listExports,
		"GET /exports/{imageId}":          in.getExport,
		"POST /exports/{imageId}/cancel":  in.cancelExport,
		"POST /exports/{imageId}/retry":   in.retryExport,
		"POST /exports/{imageId}/restore": in.postRestore,
		"GET /restores":                   in.listRestores,
		"GET /restores/{name}":            in.getRestore,
		"POST /restores/{name}/cancel":    in.cancelRestore,
		"POST /sweep":                     in.postSweep,
		"POST /follow":                    in.postFollow,
	}
}

// serve answers an HTTP request. It always has an answer: FC would make a bare 502 of an error.
func (in *invocation) serve(ctx context.Context, request Request) Response {
	if in.requestID == "" {
		in.requestID = request.RequestID
		in.log = in.log.With(slog.String("requestId", request.RequestID))
	}
	w := newRecorder()
	var route string
	var r *http.Request
	err := in.guard(ctx, func() (err error) {
		if r, err = request.httpRequest(ctx); err != nil {
			return newProblem(http.StatusBadRequest, reasonMalformed, err.Error())
		}
		route, err = in.route(w, r)
		return err
	})
	attrs := some(slog.String("route", route))
	level := slog.LevelInfo
	if err != nil {
		p := in.fail(w, r, err)
		attrs = append(attrs, slog.String("reason", p.Reason), slog.String("error", err.Error()))
	}
	if w.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	in.log.LogAttrs(ctx, level, "http", append(attrs, slog.Int("status", w.status))...)
	return w.response(request.Method)
}

// fail answers with a problem, a browser with a page; r is nil when there was no request to be made of the event. The answer
// keeps to what the caller may know; the log has the whole error.
func (in *invocation) fail(w *recorder, r *http.Request, err error) problem {
	p := *problemOf(err)
	p.Instance = in.requestID
	if r != nil && page.WantsHTML(r) {
		in.page().Fail(w, r, page.Failure{Status: p.Status, Title: p.Title, Text: p.Detail, Reason: p.Reason, Remedy: p.Remedy})
		return p
	}
	writeJSON(w, p.Status, problemType, p)
	return p
}

// route lets one endpoint answer, and returns the pattern that has matched.
func (in *invocation) route(w *recorder, r *http.Request) (pattern string, err error) {
	if r.URL.Path != healthPath {
		if p := in.opts.authorize(w, r); p != nil {
			return "", p
		}
		if target := r.URL.Query().Get("target"); target != "" && in.openErr == nil {
			if in, err = in.to(target); err != nil {
				return "", err
			}
		}
	}
	// ServeMux would redirect an unclean path; nobody who follows that sends the same request again.
	if r.URL.Path != path.Clean(r.URL.Path) {
		return "", newProblem(http.StatusNotFound, reasonNoPath, "there is nothing at this path")
	}
	mux := http.NewServeMux()
	for pattern, answer := range in.routes() {
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
			if other := seeOther(r); other != "" {
				http.Redirect(w, r, other, http.StatusSeeOther)
				return
			}
			err = in.answer(w, r, answer)
		})
	}
	for pattern, answer := range in.pages() {
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/assets/") { // what a failure looks like is among them
				err = in.noPage(r.Context())
			}
			if err == nil {
				answer(w, r)
			}
		})
	}
	if in.opts.Metrics != nil {
		mux.HandleFunc("GET /metrics", func(_ http.ResponseWriter, r *http.Request) { err = in.writeMetrics(w, r) })
	}
	_, pattern = mux.Handler(r)
	if pattern == "" {
		return "", noRoute(mux, w, r)
	}
	if pattern != "POST /exports/{imageId}/restore" { // which sees to its time itself
		brief, cancel := in.brief(r.Context())
		defer cancel()
		r = r.WithContext(brief)
	}
	mux.ServeHTTP(w, r)
	return pattern, err
}

// writeMetrics answers in the text format of Prometheus: what the index counts, and what this instance has called.
func (in *invocation) writeMetrics(w *recorder, r *http.Request) error {
	if err := in.notOpen(r.Context()); err != nil {
		return err
	}
	overview, err := in.ferry.Overview(r.Context())
	if err != nil {
		return fmt.Errorf("count exports: %w", err)
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	return in.opts.Metrics.Write(w, overview, time.Now())
}

// noRoute makes a problem of ServeMux's plain text 404 or 405, and keeps the latter's Allow header.
func noRoute(mux *http.ServeMux, w *recorder, r *http.Request) *problem {
	plain := newRecorder()
	mux.ServeHTTP(plain, r)
	allow := plain.header.Get("Allow")
	if plain.status != http.StatusMethodNotAllowed {
		return newProblem(http.StatusNotFound, reasonNoPath, "there is nothing at this path")
	}
	w.header.Set("Allow", allow)
	return newProblem(http.StatusMethodNotAllowed, reasonMethod, "the path allows "+allow)
}

// notOpen is the problem of a function that is not configured.
func (in *invocation) notOpen(ctx context.Context) error {
	if in.openErr == nil {
		return nil
	}
	in.log.LogAttrs(ctx, slog.LevelError, "not configured", slog.String("error", in.openErr.Error()))
	return newProblem(http.StatusServiceUnavailable, reasonNotOpen, "the function is not configured")
}

func (in *invocation) answer(w *recorder, r *http.Request, answer endpoint) error {
	if r.URL.Path != healthPath {
		if err := in.notOpen(r.Context()); err != nil {
			return err
		}
	}
	status, document, err := answer(r)
	if err != nil {
		return err
	}
	if result, ok := document.(export.Result); ok {
		if result.State == "" { // the domain did nothing, and tells why
			p := newProblem(http.StatusConflict, result.Reason, result.Detail)
			p.Remedy = result.Remedy
			return p
		}
		location := url.URL{Path: "/exports/" + result.ImageID}
		if in.target != "" {
			location.RawQuery = url.Values{"target": {in.target}}.Encode()
		}
		w.header.Set("Location", location.String())
	}
	if record, ok := document.(*restore.Record); ok && status == http.StatusAccepted {
		w.header.Set("Location", (&url.URL{Path: "/restores/" + record.Name}).String())
	}
	writeJSON(w, status, "application/json", document)
	return nil
}

// getHealth tells whether the function runs and is configured. It needs no authentication and calls nothing.
func (in *invocation) getHealth(*http.Request) (int, any, error) {
	health := struct {
		Status  string `json:"status"`
		Version string `json:"version,omitempty"`
	}{"ok", in.opts.Version}
	if in.openErr != nil {
		health.Status = reasonNotOpen
		return http.StatusServiceUnavailable, health, nil
	}
	return http.StatusOK, health, nil
}

func (in *invocation) postExport(r *http.Request) (int, any, error) {
	body, err := readBody(r)
	if err != nil {
		return 0, nil, err
	}
	order, err := decodeOrder(body, in.trigger(r))
	if err != nil {
		return 0, nil, err
	}
	result, err := in.submit(r.Context(), order)
	return statusOf(result), result, err
}

// statusOf is 202 when a call has changed something, 200 when it was so already.
func statusOf(result export.Result) int {
	if result.New {
		return http.StatusAccepted
	}
	return http.StatusOK
}

func (in *invocation) listExports(r *http.Request) (int, any, error) {
	query := r.URL.Query()
	order := export.ListOrder{State: manifest.State(query.Get("state")), Cursor: query.Get("cursor")}
	if order.State != "" && !order.State.Valid() {
		return 0, nil, badQuery("state", "queued, submitting, exporting, exported, skipped, failed or cancelled")
	}
	if limit := query.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > 100 {
			return 0, nil, badQuery("limit", "a number from 1 to 100")
		}
		order.Limit = n
	}
	list, err := in.ferry.List(r.Context(), order)
	if err != nil {
		return 0, nil, fmt.Errorf("list: %w", err)
	}
	if list.Exports == nil {
		list.Exports = []*manifest.Manifest{}
	}
	return http.StatusOK, list, nil
}

func badQuery(name, want string) *problem {
	return newProblem(http.StatusBadRequest, reasonInvalid, "the query parameter "+name+" is to be "+want)
}

func (in *invocation) getExport(r *http.Request) (int, any, error) {
	id, err := pathImageID(r)
	if err != nil {
		return 0, nil, err
	}
	m, err := in.ferry.Get(r.Context(), id)
	if err != nil {
		return 0, nil, fmt.Errorf("get %s: %w", id, err)
	}
	return http.StatusOK, m, nil
}

// cancelExport answers 202 while ECS has yet to stop the task.
func (in *invocation) cancelExport(r *http.Request) (int, any, error) {
	id, err := pathImageID(r)
	if err != nil {
		return 0, nil, err
	}
	if err := noBody(r); err != nil {
		return 0, nil, err
	}
	result, err := in.cancel(r.Context(), id, in.trigger(r))
	if err == nil && !result.State.Terminal() {
		return http.StatusAccepted, result, nil
	}
	return http.StatusOK, result, err
}

func (in *invocation) retryExport(r *http.Request) (int, any, error) {
	id, err := pathImageID(r)
	if err != nil {
		return 0, nil, err
	}
	if err := noBody(r); err != nil {
		return 0, nil, err
	}
	result, err := in.retry(r.Context(), id, in.trigger(r))
	return statusOf(result), result, err
}

func (in *invocation) postSweep(r *http.Request) (int, any, error) {
	body, err := readBody(r)
	if err != nil {
		return 0, nil, err
	}
	if err := body.only("maxAge", "dryRun", "limit"); err != nil {
		return 0, nil, err
	}
	order, err := decodeSweep(body, in.trigger(r))
	if err != nil {
		return 0, nil, err
	}
	return in.ticked(r.Context(), Tick{Trigger: order.Trigger, Sweep: order})
}

// postFollow does what the timer's action follow does: follow, then drain.
func (in *invocation) postFollow(r *http.Request) (int, any, error) {
	if err := noBody(r); err != nil {
		return 0, nil, err
	}
	return in.ticked(r.Context(), Tick{Trigger: in.trigger(r), Follow: true, Drain: true})
}

func (in *invocation) ticked(ctx context.Context, tick Tick) (int, any, error) {
	tick.Target = in.target
	answer, err := in.ticks(ctx, tick)
	return http.StatusOK, answer, err
}

func (in *invocation) trigger(r *http.Request) manifest.Trigger {
	return manifest.Trigger{Kind: "http", Source: r.Pattern, RequestID: in.requestID}
}

func pathImageID(r *http.Request) (string, error) {
	id := r.PathValue("imageId")
	if !manifest.ValidImageID(id) {
		return "", newProblem(http.StatusBadRequest, reasonInvalid, "the path does not hold a custom image's id: m- and letters or digits")
	}
	return id, nil
}

// readBody reads a JSON object; no body is an empty one.
func readBody(r *http.Request) (object, error) {
	raw, err := limited(r)
	if err != nil || len(raw) == 0 {
		return object{path: "body"}, err
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return object{}, newProblem(http.StatusUnsupportedMediaType, reasonNotJSON, "the body's Content-Type is not application/json")
	}
	return parseObject("body", raw)
}

// noBody refuses what an endpoint would not look at; {} is as good as nothing.
func noBody(r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	for field := range body.fields {
		return value{path: "body." + clip(field, 64)}.fail("is not a known field", "this path takes none")
	}
	return nil
}
