package handler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
)

// fakeFerry answers every call, or with what fail says, and remembers the calls.
type fakeFerry struct {
	mu    sync.Mutex
	calls []string
	// triggers are those that came with the calls.
	triggers []manifest.Trigger
	// fail decides on a call such as "submit m-1"; nil never fails.
	fail func(call string) error
	// known tells whether an export exists already; the fake's exports are exported.
	known func(imageID string) bool
	// refuse makes of Submit a result without an export.
	refuse string
	// beats are the traces that were left.
	beats []string
	// notified counts the rounds that told people, each with that error.
	notified  int
	notifyErr error
}

func (f *fakeFerry) record(call string, t manifest.Trigger) error {
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.triggers = append(f.triggers, t)
	f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(call)
}

func (f *fakeFerry) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeFerry) exists(id string) bool { return f.known != nil && f.known(id) }

func (f *fakeFerry) Submit(_ context.Context, o export.Order) (export.Result, error) {
	call := "submit " + o.ImageID
	if o.Available {
		call += " available"
	}
	if o.Explicit {
		call += " explicit"
	}
	if o.Force {
		call += " force"
	}
	if err := f.record(call, o.Trigger); err != nil {
		return export.Result{}, err
	}
	if f.refuse != "" {
		return export.Result{ImageID: o.ImageID, Reason: f.refuse, Remedy: "Do something about it."}, nil
	}
	if f.exists(o.ImageID) && !o.Force {
		return export.Result{ImageID: o.ImageID, State: manifest.Exported, Revision: 3}, nil
	}
	return export.Result{ImageID: o.ImageID, State: manifest.Exporting, TaskID: "t-1", Revision: 2, New: true}, nil
}

func (f *fakeFerry) Follow(context.Context) (export.Round, error) {
	return export.Round{Action: "follow", Seen: 1, Results: []export.Result{{ImageID: imageID, State: manifest.Exported}}},
		f.record("follow", manifest.Trigger{})
}

func (f *fakeFerry) Drain(context.Context) (export.Round, error) {
	return export.Round{Action: "drain", Held: &manifest.Hold{Reason: "quota-weekly"}}, f.record("drain", manifest.Trigger{})
}

func (f *fakeFerry) Sweep(_ context.Context, o export.SweepOrder) (export.Round, error) {
	return export.Round{Action: "sweep", DryRun: o.DryRun}, f.record(fmt.Sprintf("sweep %v %v %d", o.MaxAge, o.DryRun, o.Limit), o.Trigger)
}

func (f *fakeFerry) Cancel(_ context.Context, id string, t manifest.Trigger) (export.Result, error) {
	if err := f.record("cancel "+id, t); err != nil {
		return export.Result{}, err
	}
	if f.refuse != "" {
		return export.Result{ImageID: id, Reason: f.refuse, Remedy: "Do something about it."}, nil
	}
	if !f.exists(id) {
		return export.Result{}, fmt.Errorf("cancel: %w", export.ErrUnknown)
	}
	if id == "m-running" {
		return export.Result{ImageID: id, State: manifest.Exporting, Revision: 4, New: true}, nil
	}
	return export.Result{ImageID: id, State: manifest.Cancelled, Revision: 4, New: true}, nil
}

func (f *fakeFerry) Get(_ context.Context, id string) (*manifest.Manifest, error) {
	if err := f.record("get "+id, manifest.Trigger{}); err != nil {
		return nil, err
	}
	if !f.exists(id) {
		return nil, fmt.Errorf("head: %w", export.ErrUnknown)
	}
	return &manifest.Manifest{Schema: manifest.SchemaV1, Revision: 3, State: manifest.Exported, Image: manifest.Image{ID: id}}, nil
}

func (f *fakeFerry) AnyExported(ctx context.Context) (*manifest.Manifest, error) {
	return f.Get(ctx, "m-any")
}

func (f *fakeFerry) List(_ context.Context, o export.ListOrder) (export.Page, error) {
	return export.Page{Cursor: "next"}, f.record(fmt.Sprintf("list %q %d %q", o.State, o.Limit, o.Cursor), manifest.Trigger{})
}

func newTestHandler(t testing.TB, ferry Ferry, opts Options) *Handler {
	t.Helper()
	return New(func(context.Context) ([]Target, error) { return []Target{{Scope: testScope(), Ferry: ferry}}, nil }, opts)
}

// invoked is the context of an invocation by FC.
func invoked(t testing.TB) context.Context {
	return fccontext.NewContext(t.Context(), &fccontext.FcContext{RequestID: "req-1"})
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// lines are the log's lines, without their times.
func (s *syncBuffer) lines(t *testing.T) []map[string]any {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []map[string]any
	for line := range strings.Lines(s.b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		delete(m, "time")
		lines = append(lines, m)
	}
	return lines
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestHandleEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		sample string
		calls  []string
		answer string
	}{
		{"timer-empty", []string{"follow", "drain", "sweep 0s false 0"},
			`{"rounds":[{"action":"follow","seen":1,"results":[{"imageId":"` + imageID + `","state":"exported"}]},` +
				`{"action":"drain","seen":0,"held":{"reason":"quota-weekly","remedy":"","since":"0001-01-01T00:00:00Z","until":"0001-01-01T00:00:00Z","probes":0}},` +
				`{"action":"sweep","seen":0}]}`},
		{"timer-sweep", []string{"sweep 720h0m0s true 50"}, `{"rounds":[{"action":"sweep","seen":0,"dryRun":true}]}`},
		{"hand-submit-force", []string{"submit " + imageID + " explicit force"},
			`{"results":[{"imageId":"` + imageID + `","state":"exporting","taskId":"t-1","revision":2,"new":true}]}`},
		{"eventbridge-image-available", []string{"submit " + imageID + " available"},
			`{"results":[{"imageId":"` + imageID + `","state":"exporting","taskId":"t-1","revision":2,"new":true}]}`},
		{"actiontrail-create-image", []string{"submit " + imageID},
			`{"results":[{"imageId":"` + imageID + `","state":"exporting","taskId":"t-1","revision":2,"new":true}]}`},
		{"oss-export-object", []string{"follow"},
			`{"rounds":[{"action":"follow","seen":1,"results":[{"imageId":"` + imageID + `","state":"exported"}]}]}`},
		{"array-empty", nil, `{"ignored":[{"reason":"no-events","detail":"an empty array","trigger":{"kind":"event","requestId":"req-1"}}]}`},
	}
	for _, test := range tests {
		t.Run(test.sample, func(t *testing.T) {
			t.Parallel()
			ferry := &fakeFerry{}
			answer, err := newTestHandler(t, ferry, Options{}).Handle(invoked(t), sample(t, test.sample+".json"))
			if err != nil {
				t.Fatal(err)
			}
			if got := ferry.called(); !slices.Equal(got, test.calls) {
				t.Errorf("called %q, want %q", got, test.calls)
			}
			got, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.answer {
				t.Errorf("answered\n%s\nwant\n%s", got, test.answer)
			}
		})
	}
}

func TestHandlePassesTriggerOn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"eventbridge-image-available.json", "timer-sweep.json"} {
		ferry := &fakeFerry{}
		if _, err := newTestHandler(t, ferry, Options{}).Handle(invoked(t), sample(t, name)); err != nil {
			t.Fatal(err)
		}
		if got := ferry.triggers[0]; got.RequestID != "req-1" || got.Source == "" || got.Time == nil {
			t.Errorf("%s: trigger %+v", name, got)
		}
	}
}

// Everything of an array is tried, and its error tells what FC has to repeat.
func TestHandlePartialFailure(t *testing.T) {
	t.Parallel()
	broken := errors.New("store is gone")
	ferry := &fakeFerry{fail: func(call string) error {
		if strings.Contains(call, imageID) {
			return broken
		}
		return nil
	}}
	events := `[` + string(sample(t, "eventbridge-image-available.json")) + `,{"imageId":"m-2","currentState":"Available"},7]`
	answer, err := newTestHandler(t, ferry, Options{}).Handle(invoked(t), json.RawMessage(events))
	if answer != nil || !errors.Is(err, broken) {
		t.Errorf("answer %v, error %v", answer, err)
	}
	var decode *DecodeError
	if !errors.As(err, &decode) || decode.Field != "events[2]" {
		t.Errorf("error %v does not name events[2]", err)
	}
	got := ferry.called()
	slices.Sort(got)
	if want := []string{"submit m-2 available", "submit " + imageID + " available"}; !slices.Equal(got, want) {
		t.Errorf("called %q, want %q", got, want)
	}
}

// A round that fails does not keep the next ones from their work.
func TestHandleTriesAllRounds(t *testing.T) {
	t.Parallel()
	ferry := &fakeFerry{fail: func(call string) error {
		switch call {
		case "follow":
			return errors.New("store is gone")
		case "drain":
			panic("a bug")
		}
		return nil
	}}
	_, err := newTestHandler(t, ferry, Options{}).Handle(invoked(t), sample(t, "timer-empty.json"))
	if err == nil || !strings.Contains(err.Error(), "follow: store is gone") || !errors.Is(err, errPanic) {
		t.Errorf("error %v", err)
	}
	if got := ferry.called(); len(got) != 3 {
		t.Errorf("called %q", got)
	}
}

func TestHandlePanic(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	ferry := &fakeFerry{fail: func(string) error { panic("Bearer top-secret") }}
	h := newTestHandler(t, ferry, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	_, err := h.Handle(invoked(t), sample(t, "eventbridge-image-available.json"))
	if !errors.Is(err, errPanic) {
		t.Errorf("error %v", err)
	}
	if text := log.String(); !strings.Contains(text, `"msg":"panic"`) || !strings.Contains(text, "fakeFerry") {
		t.Errorf("the log has no stack: %s", text)
	}
	if strings.Contains(log.String()+err.Error(), "top-secret") {
		t.Errorf("the panic's value shows: %s", log.String())
	}
}

// A runtime error names nothing but the place of the bug, so it is logged.
func TestHandleRuntimeError(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	h := New(func(context.Context) ([]Target, error) {
		var none map[string]int
		//lint:ignore SA5000 the bug is the point
		none["x"] = 1
		return nil, nil
	}, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	if _, err := h.Handle(invoked(t), sample(t, "timer-empty.json")); !errors.Is(err, errPanic) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(log.String(), "assignment to entry in nil map") {
		t.Errorf("logged %s", log.String())
	}
}

// What a round has decided before it failed is logged all the same.
func TestHandleLogsBrokenRound(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	ferry := &fakeFerry{fail: func(string) error { return errors.New("store is gone") }}
	h := newTestHandler(t, ferry, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	if _, err := h.Handle(invoked(t), sample(t, "timer-follow.json")); err == nil {
		t.Error("no error")
	}
	if text := log.String(); !strings.Contains(text, `"msg":"decided"`) || !strings.Contains(text, `"error":"store is gone"`) {
		t.Errorf("logged %s", text)
	}
}

func TestHandleOpenFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("FERRY_BUCKET is not set")
	h := New(func(context.Context) ([]Target, error) { return nil, broken }, Options{Auth: "token", Token: "t"})
	if _, err := h.Handle(invoked(t), sample(t, "eventbridge-image-available.json")); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	for path, want := range map[string]string{"/healthz": `"not-configured"`, "/exports": `"reason":"not-configured"`} {
		answer, err := h.Handle(invoked(t), httpEvent(t, "GET", path, "", map[string]string{"Authorization": "Bearer t"}))
		if err != nil {
			t.Fatal(err)
		}
		r := answer.(Response)
		if r.StatusCode != 503 || !strings.Contains(r.Body, want) || strings.Contains(r.Body, "FERRY_BUCKET") {
			t.Errorf("%s answers %d %s", path, r.StatusCode, r.Body)
		}
	}
}

func TestHandleLogsDecisions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		sample string
		want   []string
	}{
		{"eventbridge-image-available", []string{
			`{"action":"submit","eventId":"45ef4dew-dwe1-7c35-447a-bd93fab00001","imageId":"` + imageID + `","level":"INFO","msg":"decided",` +
				`"new":true,"requestId":"req-1","revision":2,"source":"ecs:Image:StateChange","state":"exporting","taskId":"t-1","trigger":"event"}`,
		}},
		{"eventbridge-image-deleted", []string{
			`{"detail":"the image is Deleted","eventId":"45ef4dew-dwe1-7c35-447a-bd93fab00001","imageId":"` + imageID + `","level":"INFO",` +
				`"msg":"ignored","reason":"image-deleted","requestId":"req-1","source":"ecs:Image:StateChange","trigger":"event"}`,
		}},
		{"timer-drain", []string{
			`{"action":"drain","decided":0,"dryRun":false,"heldUntil":"0001-01-01T00:00:00Z","incomplete":false,"level":"INFO","msg":"round",` +
				`"reason":"quota-weekly","requestId":"req-1","seen":0,"source":"follow","trigger":"timer"}`,
		}},
		{"malformed/timer-unknown-action", []string{
			`{"error":"decode event.payload.action: is \"purge\"; expected follow, drain, sweep, restore or rehearse","level":"ERROR","msg":"refused","requestId":"req-1"}`,
		}},
	}
	for _, test := range tests {
		t.Run(test.sample, func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			h := newTestHandler(t, &fakeFerry{}, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
			_, err := h.Handle(invoked(t), sample(t, test.sample+".json"))
			if (err != nil) != strings.HasPrefix(test.sample, "malformed") {
				t.Fatal(err)
			}
			var got []string
			for _, line := range log.lines(t) {
				if line["msg"] == "invocation" {
					continue
				}
				text, err := json.Marshal(line)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(text))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// FC runs invocations side by side in one process.
func TestHandleConcurrently(t *testing.T) {
	t.Parallel()
	ferry := &fakeFerry{known: func(string) bool { return true }}
	var log syncBuffer
	h := newTestHandler(t, ferry, Options{Auth: "token", Token: "t", Log: slog.New(slog.NewJSONHandler(&log, nil))})
	var ids []string
	for i := range 200 {
		ids = append(ids, fmt.Sprintf(`{"imageId":"m-%d","currentState":"Available"}`, i))
	}
	array := json.RawMessage("[" + strings.Join(ids, ",") + "]")
	request := httpEvent(t, "GET", "/exports/m-1", "", map[string]string{"Authorization": "Bearer t"})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			answer, err := h.Handle(invoked(t), array)
			if err != nil {
				t.Error(err)
				return
			}
			for i, r := range answer.(Answer).Results {
				if want := fmt.Sprintf("m-%d", i); r.ImageID != want {
					t.Errorf("result %d is of %s, want %s", i, r.ImageID, want)
				}
			}
		})
		group.Go(func() {
			if answer, err := h.Handle(invoked(t), request); err != nil || answer.(Response).StatusCode != 200 {
				t.Errorf("answer %v, error %v", answer, err)
			}
		})
	}
	group.Wait()
	if got := len(ferry.called()); got != 4*200+4 {
		t.Errorf("%d calls", got)
	}
}
