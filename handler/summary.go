package handler

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/metrics"
)

// A summary is what one invocation did, for the one line at its end that Log Service can chart: its fields are flat, and
// those that count are there even when they are 0. Commands that run side by side share it.
type summary struct {
	begun time.Time
	cold  bool // the first invocation of its instance
	tally *metrics.Tally

	mutex   sync.Mutex
	kind    string // submit, tick, restore, ignored, http, mixed or unknown
	trigger string
	actions []string
	results map[manifest.State]int // of revisions that were written
	seen    int                    // by rounds
	ignored int
	errors  int
	status  int // of the HTTP answer
}

// of names what the invocation is about.
func (s *summary) of(commands []Command) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, c := range commands {
		kind, trigger := "unknown", ""
		switch c := c.(type) {
		case Submit:
			kind, trigger = "submit", c.Order.Trigger.Kind
		case Tick:
			kind, trigger = "tick", c.Trigger.Kind
		case Restore:
			kind, trigger = "restore", c.Trigger.Kind
		case Ignored:
			kind, trigger = "ignored", c.Trigger.Kind
		case HTTP:
			kind, trigger = "http", "http"
		}
		if s.kind != "" && s.kind != kind {
			kind = "mixed"
		}
		s.kind, s.trigger = kind, trigger
	}
}

func (s *summary) decided(action string, r export.Result) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.act(action)
	if r.New && (r.State != manifest.Exporting || action != "cancel") { // to be stopped is not to be submitted
		s.results[r.State]++
	}
}

func (s *summary) round(r export.Round) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.act(r.Action)
	s.seen += r.Seen
}

func (s *summary) failed(action string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.act(action)
	s.errors++
}

func (s *summary) refused() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.errors++
}

func (s *summary) answered(status int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.status = status
}

func (s *summary) ignore() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ignored++
}

func (s *summary) act(action string) {
	if !slices.Contains(s.actions, action) {
		s.actions = append(s.actions, action)
	}
}

// A line is one that the summary is written in.
type line int

const (
	whole line = iota // at the end, the only one
	soFar             // of an invocation that goes on for long: the line that charts count is not to wait for hours
	rest              // at the end of one that has written soFar; its numbers are of all of it
)

// after calls log when the invocation takes longer than d, and returns what stops that and tells whether it was called.
func (s *summary) after(d time.Duration, log func()) (stop func() bool) {
	done := make(chan struct{})
	timer := time.AfterFunc(d, func() {
		defer close(done)
		log()
	})
	return func() bool {
		if timer.Stop() {
			return false
		}
		<-done
		return true
	}
}

// log writes a line. The context may have a deadline; err is what the invocation ends with.
func (s *summary) log(ctx context.Context, log *slog.Logger, l line, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	kind := s.kind
	if kind == "" {
		kind = "unknown"
	}
	ok, level := err == nil && s.status < http.StatusInternalServerError, slog.LevelInfo
	if !ok {
		level = slog.LevelError
	}
	attrs := some(slog.String("kind", kind), slog.String("trigger", s.trigger), slog.String("action", strings.Join(s.actions, "+")))
	message := "invocation"
	switch l {
	case soFar:
		attrs = append(attrs, slog.Int("running", 1))
	case rest:
		message = "invocation ended"
	}
	attrs = append(attrs,
		slog.Int("ok", digit(ok)),
		slog.Int("cold", digit(s.cold)),
		slog.Int64("durationMs", time.Since(s.begun).Milliseconds()),
		slog.Int("seen", s.seen),
		slog.Int("submitted", s.results[manifest.Exporting]),
		slog.Int("queued", s.results[manifest.Queued]),
		slog.Int("exported", s.results[manifest.Exported]),
		slog.Int("skipped", s.results[manifest.Skipped]),
		slog.Int("failed", s.results[manifest.Failed]),
		slog.Int("cancelled", s.results[manifest.Cancelled]),
		slog.Int("ignored", s.ignored),
		slog.Int("errors", s.errors),
	)
	if s.status != 0 {
		attrs = append(attrs, slog.Int("status", s.status))
	}
	if deadline, limited := ctx.Deadline(); limited {
		attrs = append(attrs, slog.Int64("remainingMs", time.Until(deadline).Milliseconds()))
	}
	log.LogAttrs(ctx, level, message, append(attrs, callAttrs(s.tally.Counts())...)...)
}

// callAttrs are the calls of all APIs, and those of each one under a name such as calls_ecs_ExportImage.
func callAttrs(counts map[string]metrics.Count) []slog.Attr {
	var calls, errors int
	var each []slog.Attr
	for api, c := range counts {
		calls += c.Calls
		errors += c.Errors
		name := strings.ReplaceAll(api, ":", "_")
		each = append(each, slog.Int("calls_"+name, c.Calls))
		if c.Errors > 0 {
			each = append(each, slog.Int("callErrors_"+name, c.Errors))
		}
	}
	slices.SortFunc(each, func(a, b slog.Attr) int { return strings.Compare(a.Key, b.Key) })
	return append([]slog.Attr{slog.Int("calls", calls), slog.Int("callErrors", errors)}, each...)
}

func digit(b bool) int {
	if b {
		return 1
	}
	return 0
}
