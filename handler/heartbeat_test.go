package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

	"imageferry/internal/export"
)

// Notify is no call of its own: a test that wants to see it looks at notified.
func (f *fakeFerry) Notify(context.Context) (export.Round, error) {
	f.notified++
	return export.Round{Action: "notify"}, f.notifyErr
}

// Beat is no call of its own: a test that wants to see it looks at beats.
func (f *fakeFerry) Beat(_ context.Context, rounds []export.Round, requestID string, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var actions []string
	for _, r := range rounds {
		actions = append(actions, r.Action)
	}
	f.beats = append(f.beats, fmt.Sprintf("%v %s failed=%t", actions, requestID, failed))
}

func TestTimersLeaveATrace(t *testing.T) {
	t.Parallel()
	timer := func(payload string) string {
		text, _ := json.Marshal(map[string]string{"triggerTime": "2026-11-23T10:00:00Z", "triggerName": "t", "payload": payload})
		return string(text)
	}
	for _, c := range []struct {
		name, event string
		fail        error
		want        []string
	}{
		{"a follow drains, too", timer(`{"action":"follow"}`), nil, []string{"[follow drain] req-1 failed=false"}},
		{"a sweep", timer(`{"action":"sweep"}`), nil, []string{"[sweep] req-1 failed=false"}},
		{"a failed round", timer(`{"action":"sweep"}`), errors.New("no"), []string{"[sweep] req-1 failed=true"}},
		{"by hand", `{"action":"follow"}`, nil, nil},
		{"no tick", `{"imageId":"m-bp1"}`, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeFerry{fail: func(string) error { return c.fail }}
			h := New(func(context.Context) ([]Target, error) { return []Target{{Ferry: f}}, nil }, Options{})
			ctx := fccontext.NewContext(t.Context(), &fccontext.FcContext{RequestID: "req-1"})
			_, _ = h.Handle(ctx, json.RawMessage(c.event))
			if !slices.Equal(f.beats, c.want) {
				t.Errorf("beats %q, want %q", f.beats, c.want)
			}
		})
	}
}

// People are told after the rounds, and that they cannot be is no failure of the tick.
func TestTicksNotify(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]int{
		`{"action":"follow"}`: 1, `{"action":"drain"}`: 1, `{"action":"sweep"}`: 0, `{"imageId":"m-bp1"}`: 0,
	} {
		f := &fakeFerry{notifyErr: errors.New("no route")}
		h := New(func(context.Context) ([]Target, error) { return []Target{{Ferry: f}}, nil }, Options{})
		if _, err := h.Handle(t.Context(), json.RawMessage(event)); err != nil || f.notified != want {
			t.Errorf("%s: told %d times, want %d (%v)", event, f.notified, want, err)
		}
	}
}
