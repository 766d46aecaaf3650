package handler

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"imageferry/internal/metrics"
)

// summaryOf is the one line that an invocation ends with, without what differs from run to run.
func summaryOf(t *testing.T, log *syncBuffer) map[string]any {
	t.Helper()
	var found map[string]any
	lines := log.lines(t)
	for i, line := range lines {
		if line["msg"] != "invocation" {
			continue
		}
		if found != nil || i != len(lines)-1 {
			t.Errorf("the line is not the last and only one: %s", log)
		}
		found = line
	}
	if found == nil {
		t.Fatalf("no line: %s", log)
	}
	for _, timed := range []string{"durationMs", "remainingMs"} {
		if _, ok := found[timed].(float64); !ok {
			t.Errorf("%s is %v", timed, found[timed])
		}
		delete(found, timed)
	}
	return found
}

func TestInvocationLine(t *testing.T) {
	t.Parallel()
	zero := map[string]any{
		"msg": "invocation", "level": "INFO", "requestId": "req-1", "ok": 1.0, "cold": 1.0, "seen": 0.0, "submitted": 0.0,
		"queued": 0.0, "exported": 0.0, "skipped": 0.0, "failed": 0.0, "cancelled": 0.0, "ignored": 0.0, "errors": 0.0,
		"calls": 2.0, "callErrors": 1.0, "calls_oss_GetBucketInfo": 2.0, "callErrors_oss_GetBucketInfo": 1.0,
	}
	bearer := map[string]string{"Authorization": "Bearer t"}
	for name, c := range map[string]struct {
		event json.RawMessage
		fail  error
		want  map[string]any // beside zero
	}{
		"an image event": {sample(t, "eventbridge-image-available.json"), nil,
			map[string]any{"kind": "submit", "trigger": "event", "action": "submit", "submitted": 1.0}},
		"an event that cannot be stored": {sample(t, "eventbridge-image-available.json"), errors.New("store is gone"),
			map[string]any{"kind": "submit", "trigger": "event", "action": "submit", "errors": 1.0, "ok": 0.0, "level": "ERROR"}},
		"a timer": {sample(t, "timer-empty.json"), nil,
			map[string]any{"kind": "tick", "trigger": "timer", "action": "follow+drain+sweep", "seen": 1.0}},
		"an event that asks for nothing": {sample(t, "eventbridge-image-deleted.json"), nil,
			map[string]any{"kind": "ignored", "trigger": "event", "ignored": 1.0}},
		"several events": {json.RawMessage(`[` + string(sample(t, "eventbridge-image-available.json")) + `,{"imageId":"m-2","currentState":"Deleted"}]`), nil,
			map[string]any{"kind": "mixed", "trigger": "event", "action": "submit", "submitted": 1.0, "ignored": 1.0}},
		"nothing that can be decoded": {sample(t, "malformed/timer-unknown-action.json"), nil,
			map[string]any{"kind": "unknown", "errors": 1.0, "ok": 0.0, "level": "ERROR"}},
		"a request": {httpEvent(t, "POST", "/exports/m-running/cancel", "", bearer), nil,
			map[string]any{"kind": "http", "trigger": "http", "action": "cancel", "status": 202.0}},
		"a request that fails": {httpEvent(t, "GET", "/exports/m-running", "", bearer), errors.New("store is gone"),
			map[string]any{"kind": "http", "trigger": "http", "status": 503.0, "ok": 0.0, "level": "ERROR"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := maps.Clone(zero)
			maps.Copy(want, c.want)
			ferry := &fakeFerry{known: func(string) bool { return true }, fail: func(string) error { return c.fail }}
			if strings.Contains(name, "image event") || strings.Contains(name, "several") {
				ferry.known = nil
			}
			var log syncBuffer
			calls := metrics.New("1.2.3", nil)
			h := New(func(ctx context.Context) ([]Target, error) {
				calls.Called(ctx, "oss:GetBucketInfo", "")
				calls.Called(ctx, "oss:GetBucketInfo", "throttled")
				return []Target{{Scope: testScope(), Ferry: ferry}}, nil
			}, Options{Auth: "token", Token: "t", Log: slog.New(slog.NewJSONHandler(&log, nil))})
			ctx, cancel := context.WithTimeout(invoked(t), time.Minute)
			defer cancel()
			_, _ = h.Handle(ctx, c.event)
			got := summaryOf(t, &log)
			if !maps.Equal(got, want) {
				t.Errorf("logged\n%v\nwant\n%v", got, want)
			}
		})
	}
}

func TestOnlyTheFirstInvocationIsCold(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	h := newTestHandler(t, &fakeFerry{}, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	for range 3 {
		if _, err := h.Handle(invoked(t), sample(t, "timer-drain.json")); err != nil {
			t.Fatal(err)
		}
	}
	var cold []any
	for _, line := range log.lines(t) {
		if line["msg"] == "invocation" {
			cold = append(cold, line["cold"])
		}
	}
	if len(cold) != 3 || cold[0] != 1.0 || cold[1] != 0.0 || cold[2] != 0.0 {
		t.Errorf("cold: %v", cold)
	}
}

// The line is written even when the invocation panics.
func TestInvocationLineAfterPanic(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	ferry := &fakeFerry{fail: func(string) error { panic("a bug") }}
	h := newTestHandler(t, ferry, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	ctx, cancel := context.WithTimeout(invoked(t), time.Minute)
	defer cancel()
	_, _ = h.Handle(ctx, sample(t, "timer-sweep.json"))
	if got := summaryOf(t, &log); got["ok"] != 0.0 || got["kind"] != "tick" || got["errors"] != 1.0 {
		t.Errorf("logged %v", got)
	}
}
