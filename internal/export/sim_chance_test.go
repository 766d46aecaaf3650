package export

import (
	"math"
	"time"
)

// A chance is a stream of pseudo-random numbers (SplitMix64). Each call of the simulation gets its own, derived from what
// the call is and not from when it comes: so goroutines that run at the same instant cannot change each other's fate, and
// a seed always tells the same story.
type chance struct{ state uint64 }

func (c *chance) next() uint64 {
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// derive is a new stream for something that is named.
func (c chance) derive(name string, n int) *chance {
	h := uint64(14695981039346656037) ^ c.state
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	d := &chance{h ^ uint64(n)*0xd6e8feb86659fd93}
	d.next()
	return d
}

// unit is in [0, 1).
func (c *chance) unit() float64 { return float64(c.next()>>11) / (1 << 53) }

// of is true with a probability.
func (c *chance) of(p float64) bool { return c.unit() < p }

// n is in [0, n).
func (c *chance) n(n int) int { return int(c.unit() * float64(n)) }

// between is uniform in [from, to).
func (c *chance) between(from, to time.Duration) time.Duration {
	return from + time.Duration(c.unit()*float64(to-from))
}

// spread is in [from, to), each order of magnitude as likely as the others.
func (c *chance) spread(from, to time.Duration) time.Duration {
	return time.Duration(float64(from) * math.Pow(float64(to)/float64(from), c.unit()))
}

// pick is one of several.
func pick[T any](c *chance, of ...T) T { return of[c.n(len(of))] }
