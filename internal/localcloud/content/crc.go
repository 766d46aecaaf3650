package content

import (
	"hash/crc32"
	"hash/crc64"
)

// A polynomial is the divisor of a reflected CRC, whose top bit stands for x⁰. It lets the checksum of a long run of zeros,
// and of two sequences together, be computed without their bytes.
type polynomial struct{ top, divisor uint64 }

var (
	ecma  = polynomial{1 << 63, crc64.ECMA}
	ieee  = polynomial{1 << 31, crc32.IEEE}
	table = crc64.MakeTable(crc64.ECMA)
)

func checksum(data []byte) uint64 { return crc64.Checksum(data, table) }

// times is the product of two remainders.
func (p polynomial) times(a, b uint64) uint64 {
	var product uint64
	for bit := p.top; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= p.divisor
		}
	}
	return product
}

// shift is the remainder of x to the power of eight times n: what n more bytes multiply a checksum by.
func (p polynomial) shift(n int64) uint64 {
	result, square := p.top, p.top>>8 // 1 and x⁸
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = p.times(result, square)
		}
		square = p.times(square, square)
	}
	return result
}

// A summer puts checksums together. It remembers the last shift, because many pieces of a content have the same length.
type summer struct {
	polynomial
	size  int64
	power uint64 // shift(size), unless size is 0
}

func (s *summer) by(n int64) uint64 {
	if n != s.size {
		s.size, s.power = n, s.shift(n)
	}
	return s.power
}

// join is the checksum of two sequences one after the other, the second of n bytes.
func (s *summer) join(first, second uint64, n int64) uint64 {
	return s.times(s.by(n), first) ^ second
}

// extend is the checksum of a sequence with n zeros after it.
func (s *summer) extend(sum uint64, n int64) uint64 {
	ones := s.top | (s.top - 1)
	return s.times(s.by(n), sum^ones) ^ ones
}

// CRC64 is the CRC-64 of the content as OSS computes it (ECMA-182). Its cost grows with the pieces of the content, not with
// its size.
func (c Content) CRC64() uint64 {
	s := summer{polynomial: ecma}
	var sum uint64
	for _, e := range c.extents {
		if e.data == nil {
			sum = s.extend(sum, e.size)
		} else {
			sum = s.join(sum, e.crc, e.size)
		}
	}
	return sum
}

// CRC32 is the CRC-32 of the content as gzip computes it (IEEE), without looking at runs of zeros.
func (c Content) CRC32() uint32 {
	s := summer{polynomial: ieee}
	var sum uint64
	for _, e := range c.extents {
		if e.data == nil {
			sum = s.extend(sum, e.size)
		} else {
			sum = uint64(crc32.Update(uint32(sum), crc32.IEEETable, e.data))
		}
	}
	return uint32(sum)
}
