package unpack

// MaxParts is the largest number of parts that OSS takes for one object.
const MaxParts = 10000

// Limits shape a layout. They are the same for every run: a layout has to come out the same in each.
type limits struct {
	// chunk is the unit of memory and of looking for zeros. It is larger than the smallest part that OSS takes (100 KiB), so
	// that any run of chunks can be a part.
	chunk int64
	// part is the smallest regular size of a part, a multiple of chunk.
	part int64
	// parts is the number of regular parts that a file is cut into at most; the rest, up to maxParts, is left for cutting
	// runs of zeros out of them.
	parts, maxParts int64
	// memory is what the buffers may hold together; a regular part and slack is the least.
	memory, slack int64
}

var ordinary = limits{chunk: 1 << 20, part: 8 << 20, parts: 9500, maxParts: MaxParts, memory: 48 << 20, slack: 16 << 20}

// A layout says how a file of a size is cut into segments.
type layout struct {
	limits
	size int64
	// zeros is the size of the object of zeros, and with that of the longest segment of them.
	zeros int64
}

// newLayout makes the regular part just so large that the number of parts suffices: 8 MiB up to 74 GiB, 54 MiB for 500 GiB.
// The object of zeros is sent once, so it is small; where parts are scarce it is large enough for the gap between the
// metadata of two block groups of ext4 (128 MiB apart) to be one part.
func newLayout(size int64, l limits) layout {
	zeros := 2 * l.part
	if need := (size + l.parts - 1) / l.parts; need > l.part {
		l.part = (need + l.chunk - 1) / l.chunk * l.chunk
		zeros = 4 * l.part
	}
	return layout{limits: l, size: size, zeros: min(zeros, size)}
}

// buffers is the number of chunks that may be in memory.
func (l layout) buffers() int {
	return int(max(l.memory, l.part+l.slack) / l.chunk)
}

// A cutter decides, chunk by chunk, where segments end. A segment is a run of zeros, up to layout.zeros long, or anything
// else up to a regular part. Zeros are cut out of a regular part as long as the rest of the file, cut into regular parts,
// still fits into the number that is allowed; a long run of zeros makes room for more.
type cutter struct {
	layout
	closed int64 // segments that have ended
	start  int64 // of the open segment
	length int64 // of the open segment
	zero   bool  // the open segment is all zeros
}

// next adds a chunk of n bytes, and reports whether the segment that was open ends before it.
func (c *cutter) next(zero bool, n int64) (ends bool) {
	if c.length > 0 && c.ends(zero, n) {
		ends = true
		c.closed++
		c.start += c.length
		c.length = 0
	}
	if c.length == 0 {
		c.zero = true
	}
	c.zero = c.zero && zero
	c.length += n
	return ends
}

func (c *cutter) ends(zero bool, n int64) bool {
	switch {
	case c.zero && zero:
		return c.length+n > c.zeros
	case c.zero:
		return c.length+n > c.part || c.affordable()
	case zero:
		return c.length+n > c.part || c.affordable()
	default:
		return c.length+n > c.part
	}
}

// affordable reports whether the open segment may end early.
func (c *cutter) affordable() bool {
	rest := c.size - c.start - c.length
	return c.closed+1+(rest+c.part-1)/c.part <= c.maxParts
}
