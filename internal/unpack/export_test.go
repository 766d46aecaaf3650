package unpack

// Shrink makes the unpacker cut small parts, so that tests need little data.
func (u *Unpacker) Shrink(chunk, part int64) {
	u.limits = limits{chunk: chunk, part: part, parts: 9500, maxParts: MaxParts, memory: 6 * part, slack: 2 * chunk}
}

// Limit bounds the number of parts, the regular ones and all.
func (u *Unpacker) Limit(parts, maxParts int64) { u.limits.parts, u.limits.maxParts = parts, maxParts }

// Regular makes the regular part this large, as a large file would.
func (u *Unpacker) Regular(part int64) { u.limits.part = part }

// What the tests in unpack_test need to see.
var (
	CombineCRC = combineCRC
	ZerosCRC   = zerosCRC
	Detect     = detect
)

// The names of what lies next to a target.
const (
	RecordSuffix = recordSuffix
	ZerosSuffix  = zerosSuffix
)
