package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/restore"
	"imageferry/internal/unpack"
)

// fakeRestores answers every call and remembers the calls.
type fakeRestores struct {
	mu    sync.Mutex
	calls []string
	// problem speaks against every plan.
	problem string
	// fail decides on a call such as "run m-1"; nil never fails.
	fail func(call string) error
}

func (f *fakeRestores) record(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	f.mu.Lock()
	f.calls = append(f.calls, call)
	f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(call)
}

func (f *fakeRestores) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeRestores) Consider(_ context.Context, m *manifest.Manifest, o restore.Options, force bool) (*restore.Plan, error) {
	p := &restore.Plan{Name: o.Name, Source: m, Rehearsal: o.Rehearsal}
	if f.problem != "" {
		p.Problems = []restore.Problem{{Reason: f.problem, Remedy: "Do something about it.", Detail: "it is so"}}
	}
	return p, f.record("consider %s %q rehearsal %t force %t", m.Image.ID, o.Name, o.Rehearsal, force)
}

func restored(o restore.Order, state restore.State) *restore.Record {
	return &restore.Record{Name: o.Plan.Name, State: state, Source: o.Plan.Source, Rehearsal: o.Plan.Rehearsal, Revision: 2, UpdatedAt: time.Now()}
}

func (f *fakeRestores) Queue(_ context.Context, o restore.Order) (*restore.Record, error) {
	state := restore.Queued
	if o.Plan.Name == "restored-before" {
		state = restore.Restored
	}
	return restored(o, state), f.record("queue %s again %t force %t by %s", o.Plan.Name, o.Again, o.Force, o.Trigger.Kind)
}

func (f *fakeRestores) Run(_ context.Context, o restore.Order) (*restore.Record, error) {
	state := restore.Importing
	if o.Plan.Name == "restored-before" {
		state = restore.Restored
	}
	return restored(o, state), f.record("run %s rehearsal %t by %s", o.Plan.Name, o.Plan.Rehearsal, o.Trigger.Kind)
}

func (f *fakeRestores) ResumeAll(context.Context) ([]*restore.Record, error) {
	source := &manifest.Manifest{Image: manifest.Image{ID: imageID}}
	return []*restore.Record{{Name: "web-01", State: restore.Restored, Source: source, Image: &restore.Imported{ID: "m-new"}}}, f.record("resume")
}

func (f *fakeRestores) Clean(_ context.Context, bucket string) (unpack.Cleaned, error) {
	return unpack.Cleaned{Targets: 1, Objects: 2}, f.record("clean %s", bucket)
}

func (f *fakeRestores) Get(_ context.Context, name string) (*restore.Record, error) {
	if name != "web-01" {
		return nil, fmt.Errorf("get: %w", restore.ErrUnknown)
	}
	return &restore.Record{Name: name, State: restore.Importing, Source: &manifest.Manifest{}}, f.record("get %s", name)
}

func (f *fakeRestores) Page(_ context.Context, after string, limit int) ([]restore.Listed, string, error) {
	record, _ := f.Get(context.Background(), "web-01")
	return []restore.Listed{{Name: "broken", Err: manifest.ErrUnreadable}, {Name: "web-01", Record: record}}, "web-01", f.record("page %q %d", after, limit)
}

func (f *fakeRestores) Cancel(_ context.Context, name string, t manifest.Trigger) (*restore.Record, error) {
	err := f.record("cancel %s by %s", name, t.Kind)
	if name == "ended" {
		return nil, fmt.Errorf("cancel: %w", restore.ErrState)
	}
	return &restore.Record{Name: name, State: restore.Cleaning, Source: &manifest.Manifest{}}, err
}

func restoring(t testing.TB, ferry Ferry, restores Restores) *Handler {
	t.Helper()
	return New(func(context.Context) ([]Target, error) {
		return []Target{{Scope: testScope(), Ferry: ferry, Restores: restores}}, nil
	}, Options{Auth: "token", Token: "t"})
}

func TestRestoreOverHTTP(t *testing.T) {
	t.Parallel()
	known := &fakeFerry{known: func(id string) bool { return id != "m-unknown" }}
	for _, c := range []struct {
		method, target, body string
		status               int
		reason, contains     string
		calls                []string
	}{
		{"POST", "/exports/m-1/restore", `{"name":"web-02"}`, 202, "", `"state":"queued"`,
			[]string{`consider m-1 "web-02" rehearsal false force false`, "queue web-02 again true force false by http"}},
		{"POST", "/exports/m-1/restore", `{"name":"restored-before","force":false}`, 200, "", `"state":"restored"`,
			[]string{`consider m-1 "restored-before" rehearsal false force false`, "queue restored-before again true force false by http"}},
		{"POST", "/exports/m-1/restore", `{"rehearsal":true,"force":true}`, 202, "", "",
			[]string{`consider m-1 "" rehearsal true force true`, "queue  again true force true by http"}},
		{"POST", "/exports/m-1/restore", `{"name":"web-02","wait":true}`, 202, "", `"state":"importing"`,
			[]string{`consider m-1 "web-02" rehearsal false force false`, "run web-02 rehearsal false by http"}},
		{"POST", "/exports/m-1/restore", `{"name":"restored-before","wait":true}`, 200, "", `"state":"restored"`,
			[]string{`consider m-1 "restored-before" rehearsal false force false`, "run restored-before rehearsal false by http"}},
		{"POST", "/exports/m-1/restore", `{"wait":"yes"}`, 400, "malformed-request", "", nil},
		{"POST", "/exports/m-unknown/restore", "", 404, "unknown-export", "", nil},
		{"POST", "/exports/m-1/restore", `{"bucket":"b"}`, 400, "malformed-request", "", nil},
		{"POST", "/exports/web-01/restore", "", 400, "invalid-value", "", nil},
		{"GET", "/restores", "", 200, "", `"cursor":"web-01"`, []string{"get web-01", `page "" 50`}},
		{"GET", "/restores?limit=2&cursor=a", "", 200, "", `"name":"broken","reason":"journal-unreadable"`, []string{"get web-01", `page "a" 2`}},
		{"GET", "/restores?limit=0", "", 400, "invalid-value", "", nil},
		{"GET", "/restores/web-01", "", 200, "", `"state":"importing"`, []string{"get web-01"}},
		{"GET", "/restores/web-02", "", 404, "unknown-restore", "", nil},
		{"GET", "/restores/%20", "", 400, "invalid-value", "", nil},
		{"POST", "/restores/web-01/cancel", "", 202, "", `"state":"cleaning"`, []string{"cancel web-01 by http"}},
		{"POST", "/restores/ended/cancel", "", 409, "wrong-state", "", []string{"cancel ended by http"}},
		{"POST", "/restores/web-01/cancel", `{"force":true}`, 400, "malformed-request", "", nil},
		{"POST", "/follow", "", 200, "", "", nil}, // nobody waits for a restore over HTTP
	} {
		t.Run(c.method+" "+c.target+" "+c.body, func(t *testing.T) {
			t.Parallel()
			restores := &fakeRestores{}
			r := do(t, restoring(t, known, restores), invoked(t), httpEvent(t, c.method, c.target, c.body, bearer))
			if r.StatusCode != c.status || !strings.Contains(r.Body, c.contains) || c.reason != "" && !strings.Contains(r.Body, `"reason":"`+c.reason+`"`) {
				t.Errorf("%d %s", r.StatusCode, r.Body)
			}
			if calls := restores.called(); !slices.Equal(calls, c.calls) {
				t.Errorf("calls %q, want %q", calls, c.calls)
			}
			// What is not enabled is refused, whatever is asked.
			if !strings.Contains(c.target, "restore") {
				return
			}
			off := do(t, restoring(t, known, nil), invoked(t), httpEvent(t, c.method, c.target, c.body, bearer))
			if off.StatusCode != 403 || !strings.Contains(off.Body, `"reason":"restore-off"`) || !strings.Contains(off.Body, "FERRY_RESTORE") {
				t.Errorf("off: %d %s", off.StatusCode, off.Body)
			}
		})
	}
}

// What speaks against a restore is a problem with its own reason and remedy, and nothing is written down.
func TestRestoreIsRefused(t *testing.T) {
	t.Parallel()
	restores := &fakeRestores{problem: "object-missing"}
	h := restoring(t, &fakeFerry{known: func(string) bool { return true }}, restores)
	r := do(t, h, invoked(t), httpEvent(t, "POST", "/exports/m-1/restore", `{"name":"web-02"}`, bearer))
	if r.StatusCode != 409 || !strings.Contains(r.Body, `"reason":"object-missing"`) || !strings.Contains(r.Body, `"remedy":"Do something about it."`) {
		t.Errorf("%d %s", r.StatusCode, r.Body)
	}
	answer := restores.handle(t, h, `{"action":"restore","imageId":"m-1","name":"web-02"}`)
	if len(answer.Restores) != 1 || answer.Restores[0].Reason != "object-missing" || answer.Restores[0].State != "" {
		t.Errorf("answer %+v", answer)
	}
	for _, call := range restores.called() {
		if !strings.HasPrefix(call, "consider") {
			t.Errorf("called %q", call)
		}
	}
}

func (f *fakeRestores) handle(t *testing.T, h *Handler, event string) Answer {
	t.Helper()
	answer, err := h.Handle(invoked(t), json.RawMessage(event))
	if err != nil {
		t.Fatal(err)
	}
	return answer.(Answer)
}

func timer(payload string) string {
	return fmt.Sprintf(`{"triggerName":"t","triggerTime":"2026-11-23T00:00:00Z","payload":%q}`, payload)
}

func TestRestoreCommands(t *testing.T) {
	t.Parallel()
	for event, want := range map[string][]string{
		`{"action":"restore","imageId":"m-1","name":"web-02"}`: {`consider m-1 "web-02" rehearsal false force false`, "run web-02 rehearsal false by event"},
		timer(`{"action":"rehearse"}`):                         {`consider m-any "" rehearsal true force false`, "run  rehearsal true by timer"},
		timer(`{"action":"rehearse","imageId":"m-2"}`):         {`consider m-2 "" rehearsal true force false`, "run  rehearsal true by timer"},
		timer(`{"action":"follow"}`):                           {"resume"},
		timer(`{"action":"sweep"}`):                            {"clean golden-images"},
		timer(`{"action":"sweep","dryRun":true}`):              nil,
		timer(""): {"clean golden-images", "resume"},
		`{"action":"restore","imageId":"m-unknown","name":"x"}`: nil,
	} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			ferry := &fakeFerry{known: func(id string) bool { return id != "m-unknown" }}
			restores := &fakeRestores{}
			answer := restores.handle(t, restoring(t, ferry, restores), event)
			if calls := restores.called(); !slices.Equal(calls, want) {
				t.Errorf("calls %q, want %q", calls, want)
			}
			if strings.Contains(event, "follow") && (len(answer.Restores) != 1 || answer.Restores[0].ImageID != "m-new" || answer.Restores[0].From != imageID) {
				t.Errorf("answer %+v", answer)
			}
			if strings.Contains(event, "m-unknown") && answer.Restores[0].Reason != "unknown-export" {
				t.Errorf("answer %+v", answer)
			}
			// Off, a restore is ignored with a reason, and a tick does what it does without.
			off := restores.handle(t, restoring(t, ferry, nil), event)
			asked := strings.Contains(event, "restore") || strings.Contains(event, "rehearse")
			if len(off.Restores) > 0 || asked != (len(off.Ignored) == 1 && off.Ignored[0].Reason == "restore-off") || asked == (len(off.Rounds) > 0) {
				t.Errorf("off: %+v", off)
			}
		})
	}
}

// A restore that cannot go on is no failure of the tick; one that was asked for and could not be stored is one of the invocation.
func TestRestoreFails(t *testing.T) {
	t.Parallel()
	lost := &export.CallError{Op: "PutObject", Code: "InternalError", Status: 500}
	restores := &fakeRestores{fail: func(call string) error {
		if strings.HasPrefix(call, "consider") {
			return nil
		}
		return lost
	}}
	log := &syncBuffer{}
	h := New(func(context.Context) ([]Target, error) {
		return []Target{{Scope: testScope(), Ferry: &fakeFerry{known: func(string) bool { return true }}, Restores: restores}}, nil
	}, Options{Log: slog.New(slog.NewJSONHandler(log, nil))})
	if answer := restores.handle(t, h, timer("")); len(answer.Rounds) != 3 {
		t.Errorf("answer %+v", answer)
	}
	if text := log.String(); !strings.Contains(text, `"action":"clean"`) || !strings.Contains(text, `"action":"restore"`) {
		t.Errorf("logged %s", text)
	}
	if _, err := h.Handle(invoked(t), json.RawMessage(`{"action":"restore","imageId":"m-1","name":"web-02"}`)); err == nil {
		t.Error("what could not be stored is to be tried again")
	}
	// Over HTTP there is always an answer.
	r := do(t, restoring(t, &fakeFerry{known: func(string) bool { return true }}, restores), invoked(t),
		httpEvent(t, "POST", "/exports/m-1/restore", `{"name":"web-02","wait":true}`, bearer))
	if r.StatusCode < 500 || !strings.Contains(r.Body, `"remedy"`) {
		t.Errorf("%d %s", r.StatusCode, r.Body)
	}
}
