package content_test

import (
	"bytes"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"testing"

	"imageferry/internal/localcloud/content"
)

// mixed is n bytes of which many runs are zero.
func mixed(seed uint64, n int) []byte {
	source := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, n)
	for at := 0; at < n; {
		length := min(1+source.IntN(30_000), n-at)
		if source.IntN(2) == 0 {
			for i := range length {
				data[at+i] = byte(source.Uint32())
			}
		}
		at += length
	}
	return data
}

func check(t *testing.T, c content.Content, want []byte) {
	t.Helper()
	if c.Size() != int64(len(want)) || !bytes.Equal(c.Bytes(), want) {
		t.Fatalf("%d bytes differ from the %d that they should be", c.Size(), len(want))
	}
	if got, sum := c.CRC64(), crc64.Checksum(want, crc64.MakeTable(crc64.ECMA)); got != sum {
		t.Errorf("CRC-64 is %x, want %x", got, sum)
	}
	if got, sum := c.CRC32(), crc32.ChecksumIEEE(want); got != sum {
		t.Errorf("CRC-32 is %x, want %x", got, sum)
	}
	var b bytes.Buffer
	if n, err := c.WriteTo(&b); err != nil || n != c.Size() || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("WriteTo wrote %d bytes (%v)", n, err)
	}
}

func TestContentIsItsBytes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4095, 4096, 4097, 1<<20 + 5, 3 << 20} {
		want := mixed(uint64(size), size)
		c := content.Of(want)
		check(t, c, want)
		source := rand.New(rand.NewPCG(uint64(size), 1))
		joined, pieces := content.Content{}, []content.Content{}
		for at := int64(0); at < c.Size(); {
			end := min(at+1+source.Int64N(200_000), c.Size())
			piece := c.Slice(at, end)
			check(t, piece, want[at:end])
			pieces = append(pieces, piece)
			at = end
		}
		joined = content.Join(pieces...)
		check(t, joined, want)
		if !content.Equal(joined, c) {
			t.Error("the pieces together are not the whole")
		}
	}
}

func TestWriterTakesAnyPieces(t *testing.T) {
	t.Parallel()
	source := rand.New(rand.NewPCG(7, 7))
	var w content.Writer
	var want []byte
	for range 400 {
		piece := mixed(source.Uint64(), source.IntN(20_000))
		if source.IntN(3) == 0 {
			clear(piece)
			if err := w.WriteZeros(int64(len(piece))); err != nil {
				t.Fatal(err)
			}
		} else if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
		want = append(want, piece...)
	}
	check(t, w.Content(), want)
}

func TestWriterKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	w := content.Writer{Limit: 10_000}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Errorf("zeros are counted: %v", err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("x"), 10_000)); err != nil {
		t.Errorf("the limit is refused: %v", err)
	}
	if _, err := w.Write([]byte("x")); err != content.ErrLimit {
		t.Errorf("error is %v", err)
	}
}

// A content of 64 GiB costs what its few distinct bytes do, to make, to cut, to compare and to sum up.
func TestZerosCostNothing(t *testing.T) {
	t.Parallel()
	const size = 64 << 30
	island := content.Of(bytes.Repeat([]byte("x"), 100))
	c := content.Join(content.Zeros(size/2), island, content.Zeros(size/2))
	var parts []content.Content
	for at := int64(0); at < c.Size(); at += 64 << 20 {
		parts = append(parts, c.Slice(at, min(at+64<<20, c.Size())))
	}
	again := content.Join(parts...)
	if again.Size() != size+100 || again.Stored() != 100 || !content.Equal(again, c) || again.CRC64() != c.CRC64() {
		t.Errorf("%d bytes of which %d are stored", again.Size(), again.Stored())
	}
	if content.Equal(again, content.Zeros(size+100)) {
		t.Error("the island is overlooked")
	}
	p := make([]byte, 300)
	if n, err := c.ReadAt(p, size/2-100); n != 300 || err != nil || !bytes.Equal(p[100:200], island.Bytes()) || p[99] != 0 || p[200] != 0 {
		t.Errorf("read %d, %v", n, err)
	}
	if n, err := c.ReadAt(p, c.Size()-1); n != 1 || err != io.EOF {
		t.Errorf("read %d, %v", n, err)
	}
}

func FuzzSlice(f *testing.F) {
	f.Add([]byte("abc"), 5000, 2, 4000)
	f.Fuzz(func(t *testing.T, data []byte, zeros, first, end int) {
		zeros = max(0, min(zeros, 1<<20))
		whole := append(append(bytes.Clone(data), make([]byte, zeros)...), data...)
		if first < 0 || end < first || end > len(whole) {
			t.Skip()
		}
		c := content.Join(content.Of(data), content.Zeros(int64(zeros)), content.Of(data))
		check(t, c.Slice(int64(first), int64(end)), whole[first:end])
	})
}
