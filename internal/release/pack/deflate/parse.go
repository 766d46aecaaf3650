package deflate

import (
	"math"
	"math/bits"
)

// parse finds a cheap way through data[from:to].
func parse(data []byte, from, to int) []token {
	m := find(data, from, to)
	way := greedy(data[from:to], m)
	for range rounds {
		way = cheapest(data[from:to], m, costsOf(way))
	}
	return way
}

// greedy takes the longest match everywhere.
func greedy(data []byte, m *matches) []token {
	var way []token
	for i := 0; i < len(data); {
		if at := m.at(i); len(at) > 0 {
			longest := at[len(at)-1]
			way = append(way, token(longest))
			i += int(longest.length)
			continue
		}
		way = append(way, token{length: uint16(data[i])})
		i++
	}
	return way
}

// cheapest is the way with the least cost, by the costs given.
func cheapest(data []byte, m *matches, c *costs) []token {
	total := make([]float64, len(data)+1) // to get to each position
	step := make([]token, len(data)+1)    // the last one to there
	for i := range total[1:] {
		total[i+1] = math.Inf(1)
	}
	for i := range data {
		if cost := total[i] + c.literal[data[i]]; cost < total[i+1] {
			total[i+1], step[i+1] = cost, token{length: uint16(data[i])}
		}
		at, length := m.at(i), minMatch
		if n := len(at); n > 0 && at[n-1].length == maxMatch {
			at, length = at[n-1:], maxMatch // within a long repetition nothing shorter is worth looking at
		}
		for _, match := range at {
			base := total[i] + c.distanceOf(int(match.distance))
			for ; length <= int(match.length); length++ {
				if cost := base + c.length[length]; cost < total[i+length] {
					total[i+length], step[i+length] = cost, token{uint16(length), match.distance} // #nosec G115 -- at most 258
				}
			}
		}
	}
	var way []token
	for i := len(data); i > 0; {
		way = append(way, step[i])
		if step[i].distance == 0 {
			i--
		} else {
			i -= int(step[i].length)
		}
	}
	for i, j := 0, len(way)-1; i < j; i, j = i+1, j-1 {
		way[i], way[j] = way[j], way[i]
	}
	return way
}

// costs are in bits.
type costs struct {
	literal  [256]float64
	length   [maxMatch + 1]float64
	distance [distanceSymbols]float64 // by symbol, with its extra bits
}

func (c *costs) distanceOf(distance int) float64 { return c.distance[distanceSymbol(distance)] }

// costsOf are what the tokens would cost if the code of each symbol were as long as its rarity says.
func costsOf(way []token) *costs {
	var h histogram
	for _, t := range way {
		h.add(t)
	}
	literals, distances := information(h.literal[:]), information(h.distance[:])
	c := &costs{}
	copy(c.literal[:], literals)
	for length := minMatch; length <= maxMatch; length++ {
		symbol := lengthSymbol(length)
		c.length[length] = literals[symbol] + float64(lengthExtra(symbol))
	}
	for symbol := range c.distance {
		c.distance[symbol] = distances[symbol] + float64(distanceExtra(symbol))
	}
	return c
}

// information is that of each symbol. One that does not occur counts as if it did half a time.
func information(counts []int) []float64 {
	total := 1.0
	for _, n := range counts {
		total += float64(n)
	}
	out := make([]float64, len(counts))
	for i, n := range counts {
		out[i] = math.Log2(total / max(float64(n), 0.5))
	}
	return out
}

// A histogram counts symbols.
type histogram struct {
	literal  [literalSymbols]int // literals, the end of a block, and lengths
	distance [distanceSymbols]int
	extra    int // bits that follow them
}

const (
	literalSymbols  = 286
	distanceSymbols = 30
	endOfBlock      = 256
)

func (h *histogram) add(t token) {
	if t.distance == 0 {
		h.literal[t.length]++
		return
	}
	length, distance := lengthSymbol(int(t.length)), distanceSymbol(int(t.distance))
	h.literal[length]++
	h.distance[distance]++
	h.extra += lengthExtra(length) + distanceExtra(distance)
}

// lengthSymbol is the symbol of a match's length: there are four for each number of extra bits, and one for the longest.
func lengthSymbol(length int) int {
	n := length - minMatch
	switch {
	case length == maxMatch:
		return 285
	case n < 8:
		return 257 + n
	}
	extra := bits.Len(uint(n)) - 3
	return 257 + 4*extra + n>>extra
}

func lengthExtra(symbol int) int {
	if symbol < 265 || symbol == 285 {
		return 0
	}
	return (symbol - 261) / 4
}

// distanceSymbol is the symbol of a match's distance: there are two for each number of extra bits.
func distanceSymbol(distance int) int {
	n := distance - 1
	if n < 4 {
		return n
	}
	extra := bits.Len(uint(n)) - 2
	return 2*extra + n>>extra
}

func distanceExtra(symbol int) int { return max(0, symbol/2-1) }
