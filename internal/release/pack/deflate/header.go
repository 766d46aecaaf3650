package deflate

import "slices"

// order is that in which the lengths of the codes for lengths are written.
var order = [...]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// A header tells the lengths of a block's codes, compressed by codes of its own.
type header struct {
	literals, distances int // how many lengths of each
	runs                []run
	lengths             []uint8 // of the codes for them
	stored              int     // how many of those
	size                int     // in bits
}

// A run is a length, or one of the symbols that repeat one: 16 the last, 17 and 18 the length 0.
type run struct {
	symbol uint8
	extra  uint8 // its value
}

// extraOf is how many bits follow a symbol of a run.
func extraOf(symbol uint8) int {
	switch symbol {
	case 16:
		return 2
	case 17:
		return 3
	case 18:
		return 7
	}
	return 0
}

func newHeader(literals, distances []uint8) header {
	const leastLiterals, leastDistances, leastStored = 257, 1, 4
	literals, distances = trimmed(literals, leastLiterals), trimmed(distances, leastDistances)
	h := header{literals: len(literals), distances: len(distances), runs: runs(slices.Concat(literals, distances))}
	counts := make([]int, len(order))
	for _, r := range h.runs {
		counts[r.symbol]++
	}
	const longest = 7
	h.lengths = codeLengths(counts, longest)
	for h.stored = len(order); h.stored > leastStored && h.lengths[order[h.stored-1]] == 0; {
		h.stored--
	}
	h.size = 5 + 5 + 4 + 3*h.stored
	for _, r := range h.runs {
		h.size += int(h.lengths[r.symbol]) + extraOf(r.symbol)
	}
	return h
}

// trimmed leaves the zeros at the end out.
func trimmed(lengths []uint8, least int) []uint8 {
	n := len(lengths)
	for n > least && lengths[n-1] == 0 {
		n--
	}
	return lengths[:n]
}

// runs shortens repetitions.
func runs(lengths []uint8) []run {
	var out []run
	for i := 0; i < len(lengths); {
		value, n := lengths[i], 1
		for i+n < len(lengths) && lengths[i+n] == value {
			n++
		}
		i += n
		if value != 0 {
			out = append(out, run{symbol: value})
			n--
		}
		for n > 0 {
			take := 1
			switch {
			case value == 0 && n >= 11:
				take = min(n, 138)
				out = append(out, run{18, uint8(take - 11)}) // #nosec G115 -- at most 127
			case value == 0 && n >= 3:
				take = n
				out = append(out, run{17, uint8(take - 3)}) // #nosec G115 -- at most 7
			case value != 0 && n >= 3:
				take = min(n, 6)
				out = append(out, run{16, uint8(take - 3)}) // #nosec G115 -- at most 3
			default:
				out = append(out, run{symbol: value})
			}
			n -= take
		}
	}
	return out
}

func (h *header) write(w *writer) {
	w.low(h.literals-257, 5)
	w.low(h.distances-1, 5)
	w.low(h.stored-4, 4)
	for _, symbol := range order[:h.stored] {
		w.low(int(h.lengths[symbol]), 3)
	}
	all := codes(h.lengths)
	for _, r := range h.runs {
		w.code(all[r.symbol])
		w.low(int(r.extra), extraOf(r.symbol))
	}
}

// A writer packs bits, the lowest first.
type writer struct {
	out     []byte
	pending uint64
	n       int // of pending bits
}

func (w *writer) put(bits uint32, n int) {
	w.pending |= uint64(bits) << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.pending))
		w.pending >>= 8
	}
}

func (w *writer) code(c code) { w.put(uint32(c.bits), int(c.length)) }

// low writes the n lowest bits of a value.
func (w *writer) low(value, n int) { w.put(uint32(value)&(1<<n-1), n) } // #nosec G115 -- of at most 13 bits

func (w *writer) bytes() []byte {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
	return w.out
}
