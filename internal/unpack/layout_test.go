package unpack

import (
	"math/rand/v2"
	"testing"
)

// cuts returns the segments of a file whose chunks are zero or not.
func cuts(l layout, zero func(chunk int64) bool) (sizes []int64, zeros []bool) {
	c := cutter{layout: l}
	var size int64
	all := true
	for done := int64(0); done < l.size; {
		n := min(l.chunk, l.size-done)
		z := zero(done / l.chunk)
		if c.next(z, n) {
			sizes, zeros = append(sizes, size), append(zeros, all)
			size, all = 0, true
		}
		size += n
		all = all && z
		done += n
	}
	return append(sizes, size), append(zeros, all)
}

func checkCuts(t *testing.T, l layout, sizes []int64, zeros []bool) {
	t.Helper()
	var total int64
	for i, n := range sizes {
		total += n
		switch {
		case n > l.part && !zeros[i], n > l.zeros && zeros[i]:
			t.Fatalf("segment %d of %d bytes (zeros: %v), layout %+v", i, n, zeros[i], l)
		case n < l.chunk && i < len(sizes)-1:
			t.Fatalf("segment %d of %d has only %d bytes", i, len(sizes), n)
		}
	}
	if total != l.size {
		t.Fatalf("the segments have %d bytes, not %d", total, l.size)
	}
	if int64(len(sizes)) > l.maxParts {
		t.Fatalf("%d segments, more than %d", len(sizes), l.maxParts)
	}
}

func TestLargeFilesFitIntoTheParts(t *testing.T) {
	t.Parallel()
	for gib, want := range map[int64]struct {
		part    int64 // MiB
		buffers int
	}{1: {8, 48}, 20: {8, 48}, 74: {8, 48}, 75: {9, 48}, 500: {54, 70}, 2048: {221, 237}} {
		l := newLayout(gib<<30, ordinary)
		if l.part != want.part<<20 || l.buffers() != want.buffers {
			t.Errorf("%d GiB: parts of %d MiB, %d buffers", gib, l.part>>20, l.buffers())
		}
		for name, zero := range map[string]func(int64) bool{
			"data": func(int64) bool { return false },
			"zero": func(int64) bool { return true },
			"both": func(n int64) bool { return n%2 == 0 },
			"few":  func(n int64) bool { return n%128 != 0 },
		} {
			sizes, zeros := cuts(l, zero)
			checkCuts(t, l, sizes, zeros)
			if last := zeros[len(zeros)-1]; name == "zero" && !last {
				t.Error("zeros are no zeros")
			}
		}
	}
}

// A few spots of data on a large empty disk, as a file system leaves them, do not use up what may be cut.
func TestSpotsOnALargeDiskAreCutOut(t *testing.T) {
	t.Parallel()
	l := newLayout(500<<30, ordinary)
	sizes, zeros := cuts(l, func(n int64) bool { return n%128 != 0 })
	checkCuts(t, l, sizes, zeros)
	var sent int64
	for i, n := range sizes {
		if !zeros[i] {
			sent += n
		}
	}
	if want := int64(500 << 30 / 128); sent > want {
		t.Errorf("%d MiB are sent, not %d", sent>>20, want>>20)
	}
}

func TestCutsOfAnyPattern(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		small := limits{chunk: 4, part: 4 * (1 + r.Int64N(8)), parts: 1 + r.Int64N(20)}
		small.maxParts = small.parts + r.Int64N(5)
		l := newLayout(1+r.Int64N(2000), small)
		share, run, now := r.Float64(), 1+r.Int64N(12), false
		sizes, zeros := cuts(l, func(n int64) bool {
			if n%run == 0 {
				now = r.Float64() < share
			}
			return now
		})
		checkCuts(t, l, sizes, zeros)
	}
}
