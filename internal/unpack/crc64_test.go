package unpack_test

import (
	"hash/crc64"
	"math/rand/v2"
	"testing"

	"github.com/aliyun/aliyun-oss-go-sdk/oss"

	"imageferry/internal/unpack"
)

func TestCombinedCRCs(t *testing.T) {
	t.Parallel()
	table := crc64.MakeTable(crc64.ECMA)
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 2, 7, 8, 255, 256, 4096, 100001} {
		data := make([]byte, n)
		if got, want := unpack.ZerosCRC(int64(n)), crc64.Checksum(data, table); got != want {
			t.Errorf("%d zeros have %d, not %d", n, got, want)
		}
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		for _, at := range []int{0, n / 3, n} {
			a, b := crc64.Checksum(data[:at], table), crc64.Checksum(data[at:], table)
			got := unpack.CombineCRC(a, b, int64(n-at))
			if want := crc64.Checksum(data, table); got != want {
				t.Errorf("%d bytes cut at %d have %d, not %d", n, at, got, want)
			}
		}
	}
	for range 100 {
		a, b, n := r.Uint64(), r.Uint64(), r.Int64N(1<<45)
		if got, want := unpack.CombineCRC(a, b, n), oss.CRC64Combine(a, b, uint64(n)); got != want {
			t.Fatalf("combined %d, the SDK %d", got, want)
		}
	}
}
