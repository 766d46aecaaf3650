// Package deflate compresses for size: it takes seconds for some megabytes, and makes them several per cent smaller than
// compress/flate does. What it writes is the format of RFC 1951, which every reader of zips understands.
//
// It looks for the cheapest way through the data instead of the next good match, by the costs that the codes will have. Those
// follow from the way that was taken, so it goes several times.
package deflate

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

const (
	minMatch  = 3
	maxMatch  = 258
	maxWindow = 32 << 10
	// segment is how many bytes have one set of costs, and are worked on at once.
	segment = 128 << 10
	// rounds is how often the way through a segment is looked for. More make no difference worth their time.
	rounds = 4
)

// A token is one byte, with a distance of 0, or a repetition of length bytes from distance bytes before.
type token struct {
	length   uint16 // or the byte
	distance uint16
}

// Compress returns the data as one stream. The same data makes the same bytes, however many processors there are.
func Compress(data []byte) []byte {
	parts := make([][]token, (len(data)+segment-1)/segment)
	workers, _ := errgroup.WithContext(context.Background())
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range parts {
		workers.Go(func() error {
			parts[i] = parse(data, i*segment, min((i+1)*segment, len(data)))
			return nil
		})
	}
	_ = workers.Wait() // none of them fails
	var tokens []token
	for _, part := range parts {
		tokens = append(tokens, part...)
	}
	var w writer
	blocks := split(tokens)
	for i, b := range blocks {
		b.write(&w, i == len(blocks)-1)
	}
	return w.bytes()
}
