package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func inflate(t *testing.T, compressed []byte) []byte {
	t.Helper()
	data, err := io.ReadAll(flate.NewReader(bytes.NewReader(compressed)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func samples(t *testing.T) map[string][]byte {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, segment+1)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	var skewed []byte // one byte is rarer than the other by a factor of two, twenty times: codes beyond the limit
	for b := range 20 {
		skewed = append(skewed, bytes.Repeat([]byte{byte(b)}, 1<<b)...)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(skewed), func(i, j int) { skewed[i], skewed[j] = skewed[j], skewed[i] })
	return map[string][]byte{
		"nothing":       nil,
		"one byte":      {7},
		"two bytes":     {7, 8},
		"a short text":  []byte("a short text that repeats a short text"),
		"zeros":         make([]byte, segment+5),
		"noise":         noise,
		"noise, twice":  append(bytes.Clone(noise[:20_000]), noise[:20_000]...),
		"far away":      append(append(bytes.Clone(noise[:100]), noise[1000:1000+maxWindow-100]...), noise[:100]...),
		"too far away":  append(append(bytes.Clone(noise[:100]), noise[1000:1000+maxWindow-99]...), noise[:100]...),
		"skewed":        skewed[:segment],
		"every byte":    []byte(strings.Repeat("abcdefghijklmnopqrstuvwxyz", 1000)),
		"this program":  self[:min(len(self), 2*segment)],
		"a segment":     noise[:segment],
		"one byte more": noise[:segment+1],
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compressed := Compress(data)
			if !bytes.Equal(inflate(t, compressed), data) {
				t.Fatal("something else came out")
			}
			if !bytes.Equal(Compress(data), compressed) {
				t.Error("the second time the bytes are different")
			}
		})
	}
}

// TestSmallerThanTheStandardLibrary is why there is this package.
func TestSmallerThanTheStandardLibrary(t *testing.T) {
	t.Parallel()
	data := samples(t)["this program"]
	var standard bytes.Buffer
	w, err := flate.NewWriter(&standard, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	own := len(Compress(data))
	if limit := standard.Len() * 98 / 100; own > limit {
		t.Errorf("%d bytes, the standard library needs %d", own, standard.Len())
	}
}

func TestSymbolsCoverEveryLengthAndDistance(t *testing.T) {
	t.Parallel()
	check := func(what string, value, symbol, extra int, seen map[string]bool) {
		low := value & (1<<extra - 1)
		key := fmt.Sprint(symbol, " ", low)
		if seen[key] {
			t.Errorf("%s %d has the code of another", what, value)
		}
		seen[key] = true
	}
	lengths, distances := map[string]bool{}, map[string]bool{}
	for length := minMatch; length <= maxMatch; length++ {
		symbol := lengthSymbol(length)
		check("length", length-minMatch, symbol, lengthExtra(symbol), lengths)
	}
	for distance := 1; distance <= maxWindow; distance++ {
		symbol := distanceSymbol(distance)
		check("distance", distance-1, symbol, distanceExtra(symbol), distances)
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("abcabcabcabc"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.Equal(inflate(t, Compress(data)), data) {
			t.Error("something else came out")
		}
	})
}
