package unpack_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"imageferry/internal/unpack"
)

// A record that cannot be read fits nothing: the run starts anew, and leaves an object alone that may not be ours.
func TestUnreadableRecord(t *testing.T) {
	t.Parallel()
	content := disk("d..d", 0)
	for name, text := range map[string]string{
		"empty": "", "no JSON": "hello", "newer": `{"version":99,"seal":{"size":4}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pack(t, content))
			put := func(key, text string) {
				t.Helper()
				if _, err := b.memory.Put(t.Context(), key, strings.NewReader(text), int64(len(text))); err != nil {
					t.Fatal(err)
				}
			}
			put(targetKey+unpack.RecordSuffix, text)
			put(targetKey, "mine")
			_, err := b.run(nil, int64(len(content)))
			if got := reason(t, err); got != unpack.ReasonTargetExists {
				t.Fatal(err)
			}
			b.wantKeys(targetKey)
			if err := b.memory.Delete(t.Context(), targetKey); err != nil {
				t.Fatal(err)
			}
			put(targetKey+unpack.RecordSuffix, text)
			if _, err := b.run(nil, int64(len(content))); err != nil {
				t.Fatal(err)
			}
			b.wantTarget(content)
		})
	}
}

// overtaken lets somebody else make the target, or remove what a part needs, while a run is under way.
type overtaken struct {
	unpack.Store
	complete, copying func()
}

func (o overtaken) Complete(ctx context.Context, u unpack.Upload, parts []unpack.Part) (unpack.Object, error) {
	if o.complete != nil {
		o.complete()
	}
	return o.Store.Complete(ctx, u, parts)
}

func (o overtaken) CopyPart(ctx context.Context, u unpack.Upload, number int, from unpack.Range) (unpack.Part, error) {
	if o.copying != nil {
		o.copying()
	}
	return o.Store.CopyPart(ctx, u, number, from)
}

func TestOvertakenRunsEndWithAReason(t *testing.T) {
	t.Parallel()
	content := disk("d....d", 0)
	for name, c := range map[string]struct {
		store func(*bench) unpack.Store
		want  unpack.Reason
		left  []string
	}{
		"target made": {func(b *bench) unpack.Store {
			return overtaken{Store: b.memory, complete: func() {
				if _, err := b.memory.Put(t.Context(), targetKey, strings.NewReader("mine"), 4); err != nil {
					t.Error(err)
				}
			}}
		}, unpack.ReasonTargetExists, []string{targetKey}},
		"upload aborted": {func(b *bench) unpack.Store {
			return overtaken{Store: b.memory, complete: func() { abortAll(t, b) }}
		}, unpack.ReasonUploadLost, []string{targetKey + unpack.RecordSuffix, targetKey + unpack.ZerosSuffix}},
		"upload aborted before a copy": {func(b *bench) unpack.Store {
			return overtaken{Store: b.memory, copying: func() { abortAll(t, b) }}
		}, unpack.ReasonUploadLost, []string{targetKey + unpack.RecordSuffix, targetKey + unpack.ZerosSuffix}},
		"zeros removed": {func(b *bench) unpack.Store {
			return overtaken{Store: b.memory, copying: func() {
				if err := b.memory.Delete(t.Context(), targetKey+unpack.ZerosSuffix); err != nil {
					t.Error(err)
				}
			}}
		}, unpack.ReasonZerosLost, []string{targetKey + unpack.RecordSuffix, "upload:" + targetKey}},
		"other part stored": {func(b *bench) unpack.Store { return mangling{b.memory} },
			unpack.ReasonPartChecksum, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pack(t, content))
			_, err := b.run(c.store(b), int64(len(content)))
			if got := reason(t, err); got != c.want {
				t.Fatalf("%v, not %s", err, c.want)
			}
			if c.left != nil {
				b.wantKeys(c.left...)
			}
			if c.want.Final() {
				return
			}
			if _, err := b.run(nil, int64(len(content))); err != nil {
				t.Fatal(err)
			}
			b.wantTarget(content)
		})
	}
}

func abortAll(t *testing.T, b *bench) {
	uploads, err := b.memory.Uploads(t.Context(), targetKey)
	if err != nil {
		t.Error(err)
	}
	for _, u := range uploads {
		if err := b.memory.Abort(t.Context(), u); err != nil {
			t.Error(err)
		}
	}
}

// mangling answers every part with another MD5.
type mangling struct{ unpack.Store }

func (m mangling) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, body io.ReaderAt) (unpack.Part, error) {
	got, err := m.Store.PutPart(ctx, u, p, body)
	got.ETag = strings.Repeat("0", 32)
	return got, err
}

// Without a clock of its own, an unpacker waits in real time, and no longer than its context.
func TestWaitsInRealTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk(strings.Repeat("d", 100), 0)))
	synctest.Test(t, func(t *testing.T) {
		run := func(ctx context.Context) (unpack.Reason, time.Duration) {
			start := time.Now()
			u := unpack.New(&flaky{Reader: b.memory}, b.memory, unpack.Options{Random: func() float64 { return 1 }})
			_, err := u.Run(ctx, b.source, unpack.Target{Key: targetKey})
			return reason(t, err), time.Since(start)
		}
		if why, took := run(t.Context()); why != unpack.ReasonSourceInterrupted || took != 31500*time.Millisecond {
			t.Errorf("%s after %v", why, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if why, took := run(ctx); why != unpack.ReasonInterrupted || took != time.Second {
			t.Errorf("%s after %v", why, took)
		}
	})
}
