package deflate

// chain is how many earlier places with the same three bytes are looked at.
const chain = 1024

// A match repeats up to length bytes from distance bytes before.
type match struct{ length, distance uint16 }

// matches are those of each position of a segment: each is longer than the one before it, and farther away.
type matches struct {
	all   []match
	first []int32 // of each position, and the end
}

func (m *matches) at(i int) []match { return m.all[m.first[i]:m.first[i+1]] }

// find looks for the matches of data[from:to], which may begin before from.
func find(data []byte, from, to int) *matches {
	const hashBits = 16
	start := max(0, from-maxWindow)
	newest := make([]int32, 1<<hashBits) // the last place with a hash, counted from start+1; 0: none
	before := make([]int32, to-start+1)  // the place before one with the same hash
	m := &matches{first: make([]int32, 0, to-from+1)}
	for i := start; i < to; i++ {
		if i >= from {
			m.first = append(m.first, int32(len(m.all))) // #nosec G115 -- a segment has no more
		}
		if i+minMatch > to {
			continue
		}
		hash := (uint32(data[i])<<16 | uint32(data[i+1])<<8 | uint32(data[i+2])) * 2654435761 >> (32 - hashBits)
		if i >= from {
			m.search(data[:to], i, start, newest[hash], before)
		}
		place := i - start + 1
		before[place], newest[hash] = newest[hash], int32(place) // #nosec G115 -- below segment + window
	}
	m.first = append(m.first, int32(len(m.all))) // #nosec G115 -- as above
	return m
}

// search follows a chain of candidates for position i.
func (m *matches) search(data []byte, i, start int, candidate int32, before []int32) {
	longest := min(maxMatch, len(data)-i)
	best := minMatch - 1
	for range chain {
		if candidate == 0 {
			return
		}
		j := int(candidate) - 1 + start
		if i-j > maxWindow {
			return
		}
		if data[j+best] == data[i+best] {
			length := 0
			for length < longest && data[j+length] == data[i+length] {
				length++
			}
			if length > best {
				m.all = append(m.all, match{uint16(length), uint16(i - j)}) // #nosec G115 -- at most 258 and 32768
				if best = length; best == longest {
					return
				}
			}
		}
		candidate = before[candidate]
	}
}
