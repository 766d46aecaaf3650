package restore

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/unpack"
)

// slow makes reading objects take its time.
type slow struct {
	unpack.Store
	wait time.Duration
}

func (s slow) Read(ctx context.Context, r unpack.Range) (io.ReadCloser, error) {
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Store.Read(ctx, r)
}

func (w *world) slowRestorer(wait time.Duration) *Restorer {
	r := w.restorer()
	r.Bucket = func(string) unpack.Store { return slow{bucket{w}, wait} }
	return r
}

// TestLeaseRenewed: unpacking may take longer than a lease; nobody else begins meanwhile.
func TestLeaseRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		r := w.slowRestorer(10 * time.Minute)
		done := make(chan *Record)
		go func() {
			record, err := r.Run(t.Context(), ordered(m, Options{})(r))
			if err != nil {
				t.Error(err)
			}
			done <- record
		}()
		for range 4 {
			time.Sleep(4 * time.Minute)
			other := w.restorer()
			record, err := other.Run(t.Context(), ordered(m, Options{})(other))
			if err != nil || record.State != Preparing || w.count("ImportImage") != 0 {
				t.Errorf("another one: %s (%v)", record.State, err)
			}
		}
		if record := <-done; record.State != Importing {
			t.Errorf("%s %s", record.State, record.Detail)
		}
		w.checkRestored(w.run(ordered(m, Options{})), 1, "RAW")
		w.checkNothingLeft()
	})
}

// TestDeadline: a run stops in time to write down how far it is, and the next one goes on at once.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		r := w.slowRestorer(4 * time.Minute)
		record, err := r.Run(ctx, ordered(m, Options{})(r))
		if err != nil || record.State != Queued || record.Reason != interrupted || record.DueAt.After(time.Now()) || ctx.Err() != nil {
			t.Fatalf("%s %s (%v, %v)", record.State, record.Reason, err, ctx.Err())
		}
		all, err := w.restorer().ResumeAll(t.Context())
		if err != nil || len(all) != 1 || all[0].State != Importing {
			t.Errorf("resumed %+v (%v)", all, err)
		}
	})
}

// TestTooLittleTime: nothing is begun that could not be written down.
func TestTooLittleTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.exported(1, "raw")
		ctx, cancel := context.WithTimeout(t.Context(), DefaultReserve)
		defer cancel()
		r := w.restorer()
		record, err := r.Run(ctx, ordered(m, Options{})(r))
		if err != nil || record.State != Preparing || w.count("ImportImage") != 0 {
			t.Errorf("%s (%v)", record.State, err)
		}
		w.checkRestored(w.run(ordered(m, Options{})), 1, "RAW")
	})
}

// TestAnswerLost: an import whose answer was lost is looked up, not repeated, whether ECS has begun or not.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				m := w.exported(1, "raw")
				lost := &export.CallError{Op: "ImportImage", Message: "no answer", Ambiguous: true}
				r := w.restorer()
				r.Tasks = losing{ecs{w}, applied, lost}
				record, err := r.Run(t.Context(), ordered(m, Options{})(r))
				if err != nil {
					t.Fatal(err)
				}
				if applied && (record.State != Importing || record.Attempts[0].Outcome != manifest.Adopted) ||
					!applied && (record.State != Queued || record.Reason != answerLost || record.Attempts[0].Outcome != "") {
					t.Errorf("%s %s, attempt %+v", record.State, record.Reason, record.Attempts[0])
				}
				w.checkRestored(w.run(ordered(m, Options{})), 1, "RAW")
			})
		})
	}
}

// losing loses the answers of imports.
type losing struct {
	ecs
	applied bool
	err     error
}

func (l losing) Import(ctx context.Context, q Request) (Accepted, error) {
	if l.applied {
		_, _ = l.ecs.Import(ctx, q)
	}
	return Accepted{}, l.err
}
