package handler

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/handler/page"
	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/unpack"
)

// A clock remembers how long after the invocation began each call has to end.
type clock struct {
	mu    sync.Mutex
	begun time.Time
	ends  map[string]time.Duration
}

func (c *clock) call(ctx context.Context, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline, _ := ctx.Deadline()
	c.ends[name] = deadline.Sub(c.begun)
}

// timedFerry and timedRestores are fakes that look at the clock.
type timedFerry struct {
	*fakeFerry
	*clock
}

func (f timedFerry) Submit(ctx context.Context, o export.Order) (export.Result, error) {
	f.call(ctx, "submit")
	return f.fakeFerry.Submit(ctx, o)
}

func (f timedFerry) Follow(ctx context.Context) (export.Round, error) {
	f.call(ctx, "follow")
	return f.fakeFerry.Follow(ctx)
}

func (f timedFerry) Drain(ctx context.Context) (export.Round, error) {
	f.call(ctx, "drain")
	return f.fakeFerry.Drain(ctx)
}

func (f timedFerry) Sweep(ctx context.Context, o export.SweepOrder) (export.Round, error) {
	f.call(ctx, "sweep")
	return f.fakeFerry.Sweep(ctx, o)
}

func (f timedFerry) Notify(ctx context.Context) (export.Round, error) {
	f.call(ctx, "notify")
	return f.fakeFerry.Notify(ctx)
}

func (f timedFerry) Beat(ctx context.Context, rounds []export.Round, requestID string, failed bool) {
	f.call(ctx, "beat")
	f.fakeFerry.Beat(ctx, rounds, requestID, failed)
}

func (f timedFerry) Get(ctx context.Context, id string) (*manifest.Manifest, error) {
	f.call(ctx, "get")
	return f.fakeFerry.Get(ctx, id)
}

func (f timedFerry) AnyExported(ctx context.Context) (*manifest.Manifest, error) {
	return f.Get(ctx, "m-any")
}

func (f timedFerry) Cancel(ctx context.Context, id string, t manifest.Trigger) (export.Result, error) {
	f.call(ctx, "cancel")
	return f.fakeFerry.Cancel(ctx, id, t)
}

func (f timedFerry) Overview(ctx context.Context) (export.Overview, error) {
	f.call(ctx, "overview")
	return f.fakeFerry.Overview(ctx)
}

type timedRestores struct {
	*fakeRestores
	*clock
	resume func(ctx context.Context) // what ResumeAll does
}

func (f timedRestores) Consider(ctx context.Context, m *manifest.Manifest, o restore.Options, force bool) (*restore.Plan, error) {
	f.call(ctx, "consider")
	return f.fakeRestores.Consider(ctx, m, o, force)
}

func (f timedRestores) Queue(ctx context.Context, o restore.Order) (*restore.Record, error) {
	f.call(ctx, "queue")
	return f.fakeRestores.Queue(ctx, o)
}

func (f timedRestores) Run(ctx context.Context, o restore.Order) (*restore.Record, error) {
	f.call(ctx, "run")
	return f.fakeRestores.Run(ctx, o)
}

func (f timedRestores) ResumeAll(ctx context.Context) ([]*restore.Record, error) {
	f.call(ctx, "resume")
	if f.resume != nil {
		f.resume(ctx)
	}
	return f.fakeRestores.ResumeAll(ctx)
}

func (f timedRestores) Clean(ctx context.Context, bucket string) (unpack.Cleaned, error) {
	f.call(ctx, "clean")
	return f.fakeRestores.Clean(ctx, bucket)
}

func (f timedRestores) Page(ctx context.Context, after string, limit int) ([]restore.Listed, string, error) {
	f.call(ctx, "page")
	return f.fakeRestores.Page(ctx, after, limit)
}

var (
	_ Ferry       = timedFerry{}
	_ page.Source = timedFerry{}
	_ Restores    = timedRestores{}
)

// handleTimed lets a function with the timeout handle an event, and returns when its calls had to end.
func handleTimed(t *testing.T, timeout time.Duration, event json.RawMessage, resume func(ctx context.Context), log *slog.Logger) map[string]time.Duration {
	t.Helper()
	c := &clock{begun: time.Now(), ends: map[string]time.Duration{}}
	ferry := timedFerry{&fakeFerry{known: func(string) bool { return true }}, c}
	restores := timedRestores{&fakeRestores{}, c, resume}
	h := New(func(context.Context) ([]Target, error) {
		return []Target{{Scope: testScope(), Ferry: ferry, Restores: restores}}, nil
	}, Options{Auth: "token", Token: "t", Log: log})
	ctx, cancel := context.WithTimeout(invoked(t), timeout)
	defer cancel()
	if _, err := h.Handle(ctx, event); err != nil {
		t.Fatal(err)
	}
	return c.ends
}

// TestOnlyRestoresTakeTheWholeTime: a timeout of a day is for restores. Everything else ends as early as ever.
func TestOnlyRestoresTakeTheWholeTime(t *testing.T) {
	t.Parallel()
	const brief, day = 5 * time.Minute, 24 * time.Hour
	post := func(target, body string) json.RawMessage { return httpEvent(t, "POST", target, body, bearer) }
	get := func(target string) json.RawMessage { return httpEvent(t, "GET", target, "", bearer) }
	for name, c := range map[string]struct {
		event json.RawMessage
		want  map[string]time.Duration
	}{
		"an event": {json.RawMessage(`{"imageId":"m-1"}`), map[string]time.Duration{"submit": brief}},
		"a tick": {json.RawMessage(timer(`{"action":"follow"}`)),
			map[string]time.Duration{"follow": brief, "drain": brief, "beat": brief, "notify": brief, "resume": day}},
		"a tick of everything": {json.RawMessage(timer("")), map[string]time.Duration{
			"follow": brief, "drain": brief, "sweep": brief, "beat": brief, "notify": brief, "clean": brief, "resume": day}},
		"a sweep":          {json.RawMessage(timer(`{"action":"sweep"}`)), map[string]time.Duration{"sweep": brief, "beat": brief, "clean": brief}},
		"a restore":        {json.RawMessage(timer(`{"action":"restore","imageId":"m-1"}`)), map[string]time.Duration{"get": brief, "consider": brief, "run": day}},
		"a rehearsal":      {json.RawMessage(timer(`{"action":"rehearse"}`)), map[string]time.Duration{"get": brief, "consider": brief, "run": day}},
		"by hand":          {json.RawMessage(`{"action":"restore","imageId":"m-1"}`), map[string]time.Duration{"get": brief, "consider": brief, "run": day}},
		"POST to queue":    {post("/exports/m-1/restore", `{"wait":false}`), map[string]time.Duration{"get": brief, "consider": brief, "queue": brief}},
		"POST to wait":     {post("/exports/m-1/restore", `{"wait":true}`), map[string]time.Duration{"get": brief, "consider": brief, "run": day}},
		"POST to follow":   {post("/follow", ""), map[string]time.Duration{"follow": brief, "drain": brief, "notify": brief}},
		"POST an export":   {post("/exports", `{"imageId":"m-1"}`), map[string]time.Duration{"submit": brief}},
		"POST to cancel":   {post("/exports/m-1/cancel", ""), map[string]time.Duration{"cancel": brief}},
		"GET an export":    {get("/exports/m-1"), map[string]time.Duration{"get": brief}},
		"GET the restores": {get("/restores"), map[string]time.Duration{"page": brief}},
		"GET the status":   {get("/"), map[string]time.Duration{"overview": brief}},
		"several events":   {json.RawMessage(`[{"imageId":"m-1","currentState":"Available"},{"imageId":"m-2","currentState":"Available"}]`), map[string]time.Duration{"submit": brief}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if got := handleTimed(t, day, c.event, nil, nil); !maps.Equal(got, c.want) {
					t.Errorf("with a timeout of a day the calls end after %v, want %v", got, c.want)
				}
				short := time.Minute
				for call, ends := range handleTimed(t, short, c.event, nil, nil) {
					if ends != short {
						t.Errorf("with a timeout of a minute %s ends after %v", call, ends)
					}
				}
			})
		})
	}
}

// TestStuckRoundEnds: what gets no answer is given up after five minutes, and the restores go on.
func TestStuckRoundEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ferry := stuckFerry{&fakeFerry{}}
		restores := &fakeRestores{}
		h := restoring(t, ferry, restores)
		ctx, cancel := context.WithTimeout(invoked(t), 24*time.Hour)
		defer cancel()
		if _, err := h.Handle(ctx, json.RawMessage(timer(`{"action":"follow"}`))); err == nil {
			t.Error("no error, and FC would not repeat it")
		}
		if took := time.Since(begun); took != 5*time.Minute || len(restores.called()) != 1 || len(ferry.beats) != 1 {
			t.Errorf("after %v: %q, %q", took, restores.called(), ferry.beats)
		}
	})
}

type stuckFerry struct{ *fakeFerry }

func (stuckFerry) Follow(ctx context.Context) (export.Round, error) {
	<-ctx.Done()
	return export.Round{Action: "follow", Incomplete: true}, ctx.Err()
}

// TestLongInvocationIsSeenEarly: the line that charts count, and the trace of the timer, do not wait for a restore of hours.
func TestLongInvocationIsSeenEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var log syncBuffer
		invocations := func() []map[string]any {
			var found []map[string]any
			for _, line := range log.lines(t) {
				if line["msg"] == "invocation" || line["msg"] == "invocation ended" {
					found = append(found, line)
				}
			}
			return found
		}
		ends := handleTimed(t, 24*time.Hour, json.RawMessage(timer(`{"action":"follow"}`)), func(context.Context) {
			time.Sleep(5*time.Minute - time.Second)
			if early := invocations(); len(early) != 0 {
				t.Errorf("before five minutes are over: %v", early)
			}
			time.Sleep(2 * time.Second)
			if early := invocations(); len(early) != 1 || early[0]["running"] != 1.0 || early[0]["ok"] != 1.0 || early[0]["seen"] != 1.0 ||
				early[0]["durationMs"] != 300_000.0 || early[0]["msg"] != "invocation" {
				t.Errorf("after five minutes: %v", early)
			}
			time.Sleep(6 * time.Hour)
		}, slog.New(slog.NewJSONHandler(&log, nil)))
		if ends["beat"] == 0 || time.Since(begun) < 6*time.Hour {
			t.Errorf("calls %v in %v", ends, time.Since(begun))
		}
		all := invocations()
		if len(all) != 2 || all[1]["msg"] != "invocation ended" || all[1]["running"] != nil || all[1]["durationMs"].(float64) < 6*3600_000 {
			t.Errorf("in the end: %v", all)
		}
	})
}
