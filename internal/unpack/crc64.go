package unpack

import "hash/crc64"

// ecma is the table of the CRC-64 that OSS keeps of every object (x-oss-hash-crc64ecma).
var ecma = crc64.MakeTable(crc64.ECMA)

// A CRC is a polynomial over GF(2) modulo the ECMA one, kept with its bits reversed: the highest bit is the coefficient of
// x^0. Bytes that follow shift what was before them by x^8 each, so that the CRC of a concatenation, and that of zeros,
// follow from lengths alone.

// combineCRC returns the CRC-64 of a followed by b, out of their CRCs and the length of b.
func combineCRC(a, b uint64, lengthB int64) uint64 {
	return timesX(a, lengthB) ^ b
}

// zerosCRC returns the CRC-64 of n zero bytes.
func zerosCRC(n int64) uint64 {
	return ^timesX(^uint64(0), n)
}

// timesX returns a times x^(8n).
func timesX(a uint64, n int64) uint64 {
	power := uint64(1) << (63 - 8) // x^8, then its squares
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			a = times(a, power)
		}
		power = times(power, power)
	}
	return a
}

// times multiplies two polynomials.
func times(a, b uint64) uint64 {
	var product uint64
	for ; a != 0; a <<= 1 {
		if a>>63 != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= crc64.ECMA
		}
	}
	return product
}
