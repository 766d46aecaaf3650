package unpack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sourceKey = "exports/m-1_system.raw.tar.gz"
	targetKey = "restore/web-1.raw"
	chunk     = 4 << 10
	part      = 16 << 10
)

// A bench is a bucket with a source, and an unpacker that cuts small parts.
type bench struct {
	t      *testing.T
	memory *unpacktest.Memory
	source unpack.Source
}

func newBench(t *testing.T, archive []byte) *bench {
	t.Helper()
	b := &bench{t: t, memory: unpacktest.NewMemory()}
	b.memory.SmallestPart = chunk
	b.upload(archive)
	return b
}

// upload stores another source.
func (b *bench) upload(archive []byte) {
	b.t.Helper()
	o, err := b.memory.Put(b.t.Context(), sourceKey, bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		b.t.Fatal(err)
	}
	b.source = unpack.Source{Bucket: "images", Key: sourceKey, ETag: o.ETag, Size: o.Size, CRC64: &o.CRC64}
}

// unpacker reads from and writes to the stores; nil ones are the bucket.
func (b *bench) unpacker(from unpack.Reader, to unpack.Store, opts unpack.Options) *unpack.Unpacker {
	if from == nil {
		from = b.memory
	}
	if to == nil {
		to = b.memory
	}
	if opts.Sleep == nil {
		opts.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	u := unpack.New(from, to, opts)
	u.Shrink(chunk, part)
	return u
}

func (b *bench) run(to unpack.Store, size int64) (unpack.Result, error) {
	b.t.Helper()
	u := b.unpacker(nil, to, unpack.Options{})
	return u.Run(b.t.Context(), b.source, unpack.Target{Key: targetKey, MinSize: size, MaxSize: size})
}

// keys are those of everything in the bucket but the source; an upload has the prefix "upload:".
func (b *bench) keys() []string {
	b.t.Helper()
	ctx := context.WithoutCancel(b.t.Context())
	objects, err := b.memory.List(ctx, "")
	if err != nil {
		b.t.Fatal(err)
	}
	var keys []string
	for _, o := range objects {
		if o.Key != sourceKey {
			keys = append(keys, o.Key)
		}
	}
	uploads, err := b.memory.Uploads(ctx, "")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, u := range uploads {
		keys = append(keys, "upload:"+u.Key)
	}
	return keys
}

func (b *bench) wantKeys(want ...string) {
	b.t.Helper()
	if got := b.keys(); !slices.Equal(got, want) {
		b.t.Errorf("the bucket holds %q, not %q", got, want)
	}
}

// wantTarget checks that the target is done, verified, and alone with its record.
func (b *bench) wantTarget(content []byte) {
	b.t.Helper()
	b.wantKeys(targetKey, targetKey+unpack.RecordSuffix)
	if got := b.read(targetKey); !bytes.Equal(got, content) {
		b.t.Errorf("the target has %d other bytes than the %d packed", len(got), len(content))
	}
}

func (b *bench) read(key string) []byte {
	b.t.Helper()
	o, err := b.memory.Head(b.t.Context(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := b.memory.Read(b.t.Context(), unpack.Range{Key: key, ETag: o.ETag, Length: o.Size})
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

// stored returns the numbers of the parts that uploads for the target hold.
func (b *bench) stored() map[int]bool {
	b.t.Helper()
	held := map[int]bool{}
	uploads, err := b.memory.Uploads(b.t.Context(), targetKey)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, u := range uploads {
		parts, err := b.memory.Parts(b.t.Context(), u)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, p := range parts {
			held[p.Number] = true
		}
	}
	return held
}

// A spy notes the parts that were sent and copied.
type spy struct {
	unpack.Store
	lock         sync.Mutex
	sent, copied []int
}

func (s *spy) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, body io.ReaderAt) (unpack.Part, error) {
	got, err := s.Store.PutPart(ctx, u, p, body)
	s.note(&s.sent, p.Number, err)
	return got, err
}

func (s *spy) CopyPart(ctx context.Context, u unpack.Upload, number int, from unpack.Range) (unpack.Part, error) {
	got, err := s.Store.CopyPart(ctx, u, number, from)
	s.note(&s.copied, number, err)
	return got, err
}

func (s *spy) note(numbers *[]int, number int, err error) {
	if err != nil {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	*numbers = append(*numbers, number)
}

// reason returns the reason of an error, or fails the test.
func reason(t *testing.T, err error) unpack.Reason {
	t.Helper()
	e, ok := errors.AsType[*unpack.Error](err)
	if !ok {
		t.Fatalf("%v is no *unpack.Error", err)
	}
	return e.Reason
}

// disk makes content of chunks: 'd' is data, '.' zeros, 'm' a chunk with one byte that is not zero. An odd tail follows.
func disk(pattern string, tail int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var content []byte
	for _, kind := range pattern {
		block := make([]byte, chunk)
		switch kind {
		case 'd':
			for i := range block {
				block[i] = byte(r.Uint32())
			}
		case 'm':
			block[chunk/2] = 1
		}
		content = append(content, block...)
	}
	return append(content, bytes.Repeat([]byte("t"), tail)...)
}

// An entry is one of a tar archive.
type entry struct {
	header  tar.Header
	content []byte
}

func file(name string, content []byte) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(content))}, content}
}

func tarball(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if err := w.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zip(t testing.TB, content ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, member := range content {
		w := gzip.NewWriter(&out)
		if _, err := w.Write(member); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func pack(t testing.TB, content []byte) []byte {
	t.Helper()
	return zip(t, tarball(t, file("m-1_system.raw", content)))
}

// counted is how often a kind of call was made.
func counted(calls []string, name string) (n int) {
	for _, c := range calls {
		if strings.EqualFold(c, name) {
			n++
		}
	}
	return n
}
