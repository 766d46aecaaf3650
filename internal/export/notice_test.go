package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

// A receiver is told how exports end, those that went well excepted.
type receiver struct {
	told []string
	// answers are the errors of the next calls.
	answers []error
}

func (r *receiver) Wants(m *manifest.Manifest) bool { return m.State != manifest.Exported }

func (r *receiver) Send(_ context.Context, m *manifest.Manifest) error {
	if len(r.answers) > 0 {
		err := r.answers[0]
		r.answers = r.answers[1:]
		if err != nil {
			return err
		}
	}
	r.told = append(r.told, fmt.Sprintf("%s %s %s", m.Image.ID, m.State, m.Reason))
	return nil
}

// skip adds an image that can never be exported, and submits it.
func (w *world) skip(id string) {
	w.Helper()
	w.add(id, func(image *manifest.Image) { image.OSType = "windows" })
	w.wantResult(w.submit(id), manifest.Skipped, imageWindows)
}

func (w *world) notify() error {
	w.Helper()
	_, err := w.ferry().Notify(w.Context())
	return err
}

func (w *world) wantNotified(r *receiver, ids ...string) {
	w.Helper()
	var want []string
	for _, id := range ids {
		want = append(want, id+" skipped image-windows")
	}
	if !slices.Equal(r.told, want) {
		w.Errorf("told is %q, want %q", r.told, want)
	}
}

func (w *world) wantOutbox(n int) {
	w.Helper()
	if keys := w.store.Keys("active/notices/"); len(keys) != n {
		w.Errorf("the outbox has %q, want %d", keys, n)
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		r := &receiver{}
		w.notifier = r
		w.add("m-good")
		w.submit("m-good")
		w.skip("m-1")
		w.pass(time.Hour)
		w.skip("m-2")
		w.wantOutbox(2)
		for range 2 {
			if err := w.notify(); err != nil {
				t.Error(err)
			}
			w.wantNotified(r, "m-1", "m-2")
			w.wantOutbox(0)
		}
		w.notifier = nil
		w.skip("m-3")
		w.wantOutbox(0)
		w.store.ResetOps()
		if err := w.notify(); err != nil || len(w.store.Ops()) != 0 {
			t.Errorf("telling nobody costs %v (%v)", w.store.Ops(), err)
		}
	})
}

// Whoever cannot be told now is told later, and with him all the others, in order; the export is over all the same.
func TestNotifyLater(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		r := &receiver{answers: []error{errors.New("no route"), &NoticeError{After: 20 * time.Minute, Cause: errors.New("too many")}}}
		w.notifier = r
		w.skip("m-1")
		time.Sleep(time.Second)
		w.skip("m-2")
		if err := w.notify(); err == nil || !strings.Contains(err.Error(), "no route") {
			t.Errorf("the round says %v", err)
		}
		w.wantOutbox(2)
		time.Sleep(time.Second)
		if err := w.notify(); err == nil { // m-2 is due, m-1 waits
			t.Error("nothing is said")
		}
		time.Sleep(noticeDelay)
		if err := w.notify(); err != nil {
			t.Error(err)
		}
		w.wantNotified(r, "m-1")
		time.Sleep(15 * time.Minute)
		if err := w.notify(); err != nil {
			t.Error(err)
		}
		w.wantNotified(r, "m-1", "m-2")
		w.wantOutbox(0)
	})
}

func TestNotifyGivesUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.notifier = &receiver{answers: []error{&NoticeError{Final: true, Cause: errors.New("bad robot")}}}
		w.skip("m-1")
		if err := w.notify(); err != nil {
			t.Error(err)
		}
		w.wantOutbox(0)

		r := &receiver{answers: slices.Repeat([]error{errors.New("down")}, 10000)}
		w.notifier = r
		w.skip("m-2")
		begun := time.Now()
		for len(w.store.Keys("active/notices/")) > 0 {
			time.Sleep(5 * time.Minute)
			_ = w.notify()
			if time.Since(begun) > 2*noticeLife {
				t.Fatal("it is never given up")
			}
		}
		if calls := 10000 - len(r.answers); calls > 90 || time.Since(begun) < noticeLife {
			t.Errorf("given up after %d calls in %s", calls, time.Since(begun))
		}
	})
}

// The writer dies at any point after the revision: the next tick enters the notice.
func TestNotifyAfterACrash(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"manifests/", "active/ended/", "active/notices/", "active/queued/"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				r := &receiver{}
				w.notifier = r
				w.add("m-1", func(image *manifest.Image) { image.OSType = "windows" })
				var written atomic.Bool
				w.store.SetFault(func(op, key string) (bool, error) {
					if op == manifesttest.Create && strings.HasSuffix(key, "00000002.json") {
						written.Store(true)
						return false, nil
					}
					if written.Load() && (op == manifesttest.Delete || strings.Contains(key, part)) {
						return false, errors.New("dead")
					}
					return false, nil
				})
				_, _ = w.ferry().Submit(w.Context(), Order{ImageID: "m-1", Trigger: w.trigger("event"), Available: true})
				w.store.SetFault(nil)
				w.wantHead("m-1", manifest.Skipped, imageWindows)
				w.pass(time.Hour)
				if err := w.notify(); err != nil {
					t.Error(err)
				}
				w.wantNotified(r, "m-1")
				w.wantMarkers("m-1")
			})
		})
	}
}

// A notice whose revision is gone, or cannot be read, is taken out; the others are told.
func TestNoticeWithoutARevision(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		r := &receiver{}
		w.notifier = r
		now := time.Now().UTC()
		gone := manifest.Notice{Due: now, Since: now.Truncate(time.Second), Revision: 7, Destination: w.settings.Destination, ImageID: "m-0"}
		if err := manifest.NewIndex(w.store, testLayout).PutNotice(w.Context(), gone); err != nil {
			t.Fatal(err)
		}
		w.skip("m-1")
		if err := w.notify(); err != nil {
			t.Error(err)
		}
		w.wantNotified(r, "m-1")
		w.wantOutbox(0)
	})
}
