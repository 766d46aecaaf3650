package deflate

// chunk is how many tokens are the least that a block has: where two neighbours are cheaper as one, they are joined.
const chunk = 4096

// A block has codes of its own.
type block struct {
	tokens    []token
	counts    histogram
	literals  []uint8 // lengths of the codes
	distances []uint8
	header    header
	size      int // in bits
}

func newBlock(tokens []token) *block {
	b := &block{tokens: tokens}
	for _, t := range tokens {
		b.counts.add(t)
	}
	b.counts.literal[endOfBlock] = 1
	b.measure()
	return b
}

// measure makes the codes.
func (b *block) measure() {
	const longest = 15
	b.literals = codeLengths(b.counts.literal[:], longest)
	b.distances = codeLengths(b.counts.distance[:], longest)
	b.header = newHeader(b.literals, b.distances)
	b.size = 3 + b.header.size + b.counts.extra
	for symbol, n := range b.counts.literal {
		b.size += n * int(b.literals[symbol])
	}
	for symbol, n := range b.counts.distance {
		b.size += n * int(b.distances[symbol])
	}
}

// joined is one block of two neighbours, the first of which ends where the second begins.
func joined(a, b *block) *block {
	j := &block{tokens: a.tokens[:len(a.tokens)+len(b.tokens)], counts: a.counts}
	for symbol, n := range b.counts.literal {
		j.counts.literal[symbol] += n
	}
	for symbol, n := range b.counts.distance {
		j.counts.distance[symbol] += n
	}
	j.counts.literal[endOfBlock] = 1
	j.counts.extra += b.counts.extra
	j.measure()
	return j
}

// split divides the tokens into blocks; there is at least one.
func split(tokens []token) []*block {
	blocks := []*block{newBlock(tokens[:min(chunk, len(tokens))])}
	for at := chunk; at < len(tokens); at += chunk {
		last, next := blocks[len(blocks)-1], newBlock(tokens[at:min(at+chunk, len(tokens))])
		if both := joined(last, next); both.size <= last.size+next.size {
			blocks[len(blocks)-1] = both
			continue
		}
		blocks = append(blocks, next)
	}
	return blocks
}

// write writes the block with dynamic codes.
func (b *block) write(w *writer, last bool) {
	final := uint32(0)
	if last {
		final = 1
	}
	const dynamic = 2
	w.put(final|dynamic<<1, 3)
	b.header.write(w)
	literals, distances := codes(b.literals), codes(b.distances)
	for _, t := range b.tokens {
		if t.distance == 0 {
			w.code(literals[t.length])
			continue
		}
		length, distance := int(t.length), int(t.distance)
		symbol := lengthSymbol(length)
		w.code(literals[symbol])
		w.low(length-minMatch, lengthExtra(symbol))
		symbol = distanceSymbol(distance)
		w.code(distances[symbol])
		w.low(distance-1, distanceExtra(symbol))
	}
	w.code(literals[endOfBlock])
}
