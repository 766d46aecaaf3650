package unpack_test

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

// A giant is the archive of a large disk that repeats a block and then is empty. It is made of pieces that repeat, so that it
// is ready at once and takes no memory: deflate blocks that end on a byte (sync flush) and refer to nothing before them.
type giant struct {
	pieces []piece
	size   int64 // of the archive
	disk   int64
}

type piece struct {
	data  []byte
	times int64
}

// newGiant makes the archive of a disk of the size, a multiple of the block's, that begins with so many blocks.
func newGiant(t testing.TB, size int64, block []byte, blocks int64) *giant {
	t.Helper()
	var header bytes.Buffer
	w := tar.NewWriter(&header)
	if err := w.WriteHeader(&tar.Header{Name: "disk.raw", Typeflag: tar.TypeReg, Size: size, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	var (
		g    = &giant{disk: size, pieces: []piece{{[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), 1}}}
		sum  uint32
		read int64
	)
	for _, part := range []struct {
		data  []byte
		times int64
		last  bool
	}{
		{header.Bytes(), 1, false},
		{block, blocks, false},
		{make([]byte, len(block)), size/int64(len(block)) - blocks, false},
		{make([]byte, 1024), 1, true},
	} {
		for range part.times {
			sum = crc32.Update(sum, crc32.IEEETable, part.data)
		}
		read += int64(len(part.data)) * part.times
		g.pieces = append(g.pieces, piece{deflate(t, part.data, part.last), part.times})
	}
	trailer := binary.LittleEndian.AppendUint32(nil, sum)
	g.pieces = append(g.pieces, piece{binary.LittleEndian.AppendUint32(trailer, uint32(read)), 1})
	for _, p := range g.pieces {
		g.size += int64(len(p.data)) * p.times
	}
	return g
}

func deflate(t testing.TB, data []byte, last bool) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	end := w.Flush
	if last {
		end = w.Close
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (g *giant) Head(context.Context, string) (unpack.Object, error) {
	return unpack.Object{Key: sourceKey, Size: g.size, ETag: "GIANT"}, nil
}

func (g *giant) Read(_ context.Context, r unpack.Range) (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(g, r.Offset, r.Length)), nil
}

// ReadAt implements io.ReaderAt.
func (g *giant) ReadAt(p []byte, offset int64) (done int, err error) {
	for _, piece := range g.pieces {
		length := int64(len(piece.data))
		for offset < length*piece.times {
			n := copy(p[done:], piece.data[offset%length:])
			done += n
			offset += int64(n)
			if done == len(p) {
				return done, nil
			}
		}
		offset -= length * piece.times
	}
	return done, io.EOF
}

// peak samples the memory that the Go runtime has from the system, less what it has returned, until stop is called.
func peak() (stop func() int64) {
	var most atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	look := func() {
		metrics.Read(samples)
		most.Store(max(most.Load(), int64(samples[0].Value.Uint64()-samples[1].Value.Uint64())))
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				look()
			case <-done:
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		look()
		return most.Load()
	}
}

// A disk of 20 GiB that is empty but for 24 MiB is unpacked in less than 128 MiB of memory, that of the test's store included,
// and hardly anything is sent. It does not run in parallel with others: it measures the process.
func TestLargeEmptyDisk(t *testing.T) {
	size, blocks := int64(20<<30), int64(24)
	if raced || testing.Short() {
		size = 256 << 20
	}
	block := make([]byte, 1<<20)
	fill(block)
	written := blocks << 20
	g := newGiant(t, size, block, blocks)
	debug.FreeOSMemory()
	store := unpacktest.NewMemory()
	u := unpack.New(g, store, unpack.Options{})
	start, stop := time.Now(), peak()
	result, err := u.Run(t.Context(), unpack.Source{Key: sourceKey}, unpack.Target{Key: targetKey, MinSize: size, MaxSize: size})
	most, took := stop(), time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	want := crc64.Checksum(bytes.Repeat(block, int(blocks)), crc64.MakeTable(crc64.ECMA))
	want = unpack.CombineCRC(want, unpack.ZerosCRC(size-written), size-written)
	if result.Object.Size != size || result.Object.CRC64 != want {
		t.Errorf("the target is %+v", result.Object)
	}
	work := result.Work
	if work.Sent > written+(16<<20) || work.Copied != size-written {
		t.Errorf("sent %d MiB, copied %d MiB", work.Sent>>20, work.Copied>>20)
	}
	t.Logf("%d GiB, packed %d KiB: sent %d MiB, copied %d MiB, %d parts, at most %d MiB of memory, %.1f s",
		size>>30, g.size>>10, work.Sent>>20, work.Copied>>20, work.Parts, most>>20, took.Seconds())
	if !raced && most > 128<<20 {
		t.Errorf("it took %d MiB of memory", most>>20)
	}
}

// discarding stores nothing of parts, after a moment that lets the buffers fill.
type discarding struct{ *unpacktest.Memory }

func (d discarding) PutPart(_ context.Context, _ unpack.Upload, p unpack.Part, body io.ReaderAt) (unpack.Part, error) {
	_, err := io.Copy(io.Discard, io.NewSectionReader(body, 0, p.Size))
	return p, err
}

func (d discarding) Complete(_ context.Context, u unpack.Upload, _ []unpack.Part) (unpack.Object, error) {
	return unpack.Object{}, unpacktest.ErrInjected
}

// The parts of a disk of 500 GiB, full of data, need no more memory than the process may have: 384 MiB are enough to fill all
// buffers many times.
func TestMemoryForPartsOfALargeDisk(t *testing.T) {
	if raced || testing.Short() {
		t.Skip("it measures memory, over much data")
	}
	block := make([]byte, 1<<20)
	fill(block)
	size := int64(384 << 20)
	g := newGiant(t, size, block, size>>20)
	debug.FreeOSMemory()
	u := unpack.New(g, discarding{unpacktest.NewMemory()}, unpack.Options{})
	u.Regular(54 << 20)
	stop := peak()
	result, err := u.Run(t.Context(), unpack.Source{Key: sourceKey}, unpack.Target{Key: targetKey})
	most := stop()
	if reason(t, err) != unpack.ReasonStore || result.Work.Unpacked != size {
		t.Fatalf("%+v, %v", result.Work, err)
	}
	t.Logf("at most %d MiB of memory", most>>20)
	if most > 128<<20 {
		t.Errorf("it took %d MiB of memory", most>>20)
	}
}

// fill writes what hardly compresses and has no zeros.
func fill(data []byte) {
	r := rand.New(rand.NewPCG(7, 8))
	for i := range data {
		data[i] = byte(r.Uint32()) | 1
	}
}

func BenchmarkUnpack(b *testing.B) {
	block := make([]byte, 1<<20)
	fill(block)
	for name, g := range map[string]*giant{
		"data":  newGiant(b, 256<<20, block, 256),
		"zeros": newGiant(b, 1<<30, block, 0),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(g.disk)
			b.ReportAllocs()
			for b.Loop() {
				u := unpack.New(g, discarding{unpacktest.NewMemory()}, unpack.Options{})
				if result, _ := u.Run(b.Context(), unpack.Source{Key: sourceKey}, unpack.Target{Key: targetKey}); result.Work.Unpacked != g.disk {
					b.Fatalf("%+v", result.Work)
				}
			}
		})
	}
}
