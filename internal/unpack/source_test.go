package unpack_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"imageferry/internal/unpack"
)

// flaky breaks every body off after a number of bytes, and refuses to open some.
type flaky struct {
	unpack.Reader
	after  int64 // bytes of each body; 0 means at once
	refuse int   // refuse each nth opening; 0 means none
	lock   sync.Mutex
	opened []unpack.Range
}

var errBroken = errors.New("connection reset by peer")

func (f *flaky) Read(ctx context.Context, r unpack.Range) (io.ReadCloser, error) {
	if r.Length <= 1024 {
		return f.Reader.Read(ctx, r) // a look at the format
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.opened = append(f.opened, r)
	if f.refuse > 0 && len(f.opened)%f.refuse == 0 {
		return nil, errBroken
	}
	body, err := f.Reader.Read(ctx, r)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.MultiReader(io.LimitReader(body, f.after), broken{})), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

func TestReadingGoesOnWhereItBrokeOff(t *testing.T) {
	t.Parallel()
	content := disk(strings.Repeat("d", 1200), 7)
	b := newBench(t, pack(t, content))
	from := &flaky{Reader: b.memory, after: 1100 << 10, refuse: 3}
	u := b.unpacker(from, nil, unpack.Options{})
	result, err := u.Run(t.Context(), b.source, unpack.Target{Key: targetKey})
	if err != nil {
		t.Fatal(err)
	}
	b.wantTarget(content)
	if len(from.opened) < 5 {
		t.Errorf("it was opened %d times", len(from.opened))
	}
	for i, r := range from.opened {
		if r.ETag != b.source.ETag || r.Offset+r.Length != b.source.Size {
			t.Errorf("opening %d asked for %+v", i, r)
		}
	}
	if result.Work.Read != b.source.Size {
		t.Errorf("read %d of %d bytes", result.Work.Read, b.source.Size)
	}
}

func TestReadingGivesUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk(strings.Repeat("d", 100), 0)))
	from := &flaky{Reader: b.memory, after: 2000}
	var waits []time.Duration
	u := b.unpacker(from, nil, unpack.Options{
		Sleep:  func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil },
		Random: func() float64 { return 0.5 },
	})
	_, err := u.Run(t.Context(), b.source, unpack.Target{Key: targetKey})
	if got := reason(t, err); got != unpack.ReasonSourceInterrupted || got.Final() || !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if len(from.opened) != 7 || len(waits) != 6 {
		t.Errorf("%d openings, waits %v", len(from.opened), waits)
	}
	for i, d := range waits {
		if want := 250 * time.Millisecond << i; d != want {
			t.Errorf("wait %d is %v, not %v", i, d, want)
		}
	}
}

// replacing lets the source change while it is read.
type replacing struct {
	*flaky
	replace func()
	once    sync.Once
}

func (r *replacing) Read(ctx context.Context, at unpack.Range) (io.ReadCloser, error) {
	if at.Offset > 0 && at.Length > 1024 {
		r.once.Do(r.replace)
	}
	return r.flaky.Read(ctx, at)
}

func TestSourceChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk(strings.Repeat("d", 700), 0)))
	other := pack(t, disk(strings.Repeat("m", 700), 0))
	from := &replacing{flaky: &flaky{Reader: b.memory, after: 2 << 20}, replace: func() {
		if _, err := b.memory.Put(t.Context(), sourceKey, strings.NewReader(string(other)), int64(len(other))); err != nil {
			t.Error(err)
		}
	}}
	_, err := b.unpacker(from, nil, unpack.Options{}).Run(t.Context(), b.source, unpack.Target{Key: targetKey})
	if got := reason(t, err); got != unpack.ReasonSourceChanged {
		t.Error(err)
	}
	b.wantKeys()
}

// stuck never answers a read of the source until its context ends.
type stuck struct {
	unpack.Reader
	reading chan struct{}
}

func (s *stuck) Read(ctx context.Context, r unpack.Range) (io.ReadCloser, error) {
	body, err := s.Reader.Read(ctx, r)
	if err != nil || r.Length <= 1024 {
		return body, err
	}
	return io.NopCloser(io.MultiReader(io.LimitReader(body, 40<<10), &hanging{ctx, s.reading})), nil
}

type hanging struct {
	ctx     context.Context
	reading chan struct{}
}

func (h *hanging) Read([]byte) (int, error) {
	close(h.reading)
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// A part that fails ends a run whose reading hangs, with the part's error.
func TestFailedPartEndsReading(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk(strings.Repeat("d", 200), 0)))
	from := &stuck{Reader: b.memory, reading: make(chan struct{})}
	to := &waiting{Store: b.memory, until: from.reading}
	_, err := b.unpacker(from, to, unpack.Options{}).Run(t.Context(), b.source, unpack.Target{Key: targetKey})
	if got := reason(t, err); got != unpack.ReasonStore || !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

func TestCancelEndsReading(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk(strings.Repeat("d", 200), 0)))
	ctx, cancel := context.WithCancel(t.Context())
	from := &stuck{Reader: b.memory, reading: make(chan struct{})}
	go func() {
		<-from.reading
		cancel()
	}()
	_, err := b.unpacker(from, nil, unpack.Options{}).Run(ctx, b.source, unpack.Target{Key: targetKey})
	if got := reason(t, err); got != unpack.ReasonInterrupted {
		t.Error(err)
	}
}

// waiting fails all parts, but not before the signal.
type waiting struct {
	unpack.Store
	until chan struct{}
}

func (w *waiting) PutPart(ctx context.Context, _ unpack.Upload, _ unpack.Part, _ io.ReaderAt) (unpack.Part, error) {
	select {
	case <-w.until:
		return unpack.Part{}, errBroken
	case <-ctx.Done():
		return unpack.Part{}, ctx.Err()
	}
}
