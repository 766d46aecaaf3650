package deflate

import (
	"math/bits"
	"slices"
)

// codeLengths are the lengths of a prefix code for the counts, each at most limit bits; 0 where a symbol does not occur. At
// least two symbols have a code, without which some readers refuse a block.
func codeLengths(counts []int, limit int) []uint8 {
	counts = slices.Clone(counts)
	used := 0
	for _, n := range counts {
		if n > 0 {
			used++
		}
	}
	for i := 0; used < 2; i++ {
		if counts[i] == 0 {
			counts[i], used = 1, used+1
		}
	}
	for {
		lengths := huffman(counts)
		if int(slices.Max(lengths)) <= limit {
			return lengths
		}
		// Flatter counts make shorter codes. It costs next to nothing, because such symbols are rare.
		for i, n := range counts {
			if n > 0 {
				counts[i] = n/2 + 1
			}
		}
	}
}

// huffman are the lengths of the best prefix code.
func huffman(counts []int) []uint8 {
	type node struct{ count, parent int }
	var symbols []int
	for symbol, n := range counts {
		if n > 0 {
			symbols = append(symbols, symbol)
		}
	}
	slices.SortStableFunc(symbols, func(a, b int) int { return counts[a] - counts[b] })
	nodes := make([]node, 0, 2*len(symbols))
	for _, symbol := range symbols {
		nodes = append(nodes, node{count: counts[symbol]})
	}
	// The leaves and the inner nodes are both in order of their counts, so the least is at the head of one of them.
	leaf, inner := 0, len(symbols)
	next := func() int {
		if leaf < len(symbols) && (inner >= len(nodes) || nodes[leaf].count <= nodes[inner].count) {
			leaf++
			return leaf - 1
		}
		inner++
		return inner - 1
	}
	for len(nodes) < 2*len(symbols)-1 {
		a, b := next(), next()
		nodes[a].parent, nodes[b].parent = len(nodes), len(nodes)
		nodes = append(nodes, node{count: nodes[a].count + nodes[b].count})
	}
	depth := make([]uint8, len(nodes))
	lengths := make([]uint8, len(counts))
	for i := len(nodes) - 2; i >= 0; i-- {
		depth[i] = depth[nodes[i].parent] + 1
		if i < len(symbols) {
			lengths[symbols[i]] = depth[i]
		}
	}
	return lengths
}

// A code is the bits of a symbol, the first of which is the lowest.
type code struct {
	bits   uint16
	length uint8
}

// codes are the canonical codes of the lengths.
func codes(lengths []uint8) []code {
	var count, next [16]uint16 // by length: how many codes there are, and the next one
	for _, length := range lengths {
		if length > 0 {
			count[length]++
		}
	}
	for length := 1; length < len(next); length++ {
		next[length] = (next[length-1] + count[length-1]) << 1
	}
	out := make([]code, len(lengths))
	for symbol, length := range lengths {
		if length == 0 {
			continue
		}
		out[symbol] = code{bits.Reverse16(next[length]) >> (16 - length), length}
		next[length]++
	}
	return out
}
