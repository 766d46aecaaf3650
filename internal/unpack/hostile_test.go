package unpack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"

	"imageferry/internal/unpack"
)

const hostileSize = 10 * chunk

// hostile are sources that are refused.
func hostile(t testing.TB) map[string]struct {
	source []byte
	want   unpack.Reason
} {
	content := disk("d..d.d...d", 0)
	good := pack(t, content)
	plain := tarball(t, file("m-1_system.raw", content))
	typed := func(kind byte, name string) []byte {
		return zip(t, tarball(t, entry{header: tar.Header{Name: name, Linkname: "/etc/shadow", Typeflag: kind}}))
	}
	named := func(name string) []byte { return zip(t, tarball(t, file(name, content))) }
	changed := func(at int) []byte {
		bad := bytes.Clone(good)
		bad[len(bad)+at] ^= 1
		return bad
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x55
	damaged := bytes.Clone(plain)
	damaged[0] ^= 1
	type hostile = struct {
		source []byte
		want   unpack.Reason
	}
	return map[string]hostile{
		"symbolic link":              {typed(tar.TypeSymlink, "disk.raw"), unpack.ReasonArchiveLink},
		"hard link":                  {typed(tar.TypeLink, "disk.raw"), unpack.ReasonArchiveLink},
		"directory":                  {typed(tar.TypeDir, "disk/"), unpack.ReasonArchiveDirectory},
		"character device":           {typed(tar.TypeChar, "disk.raw"), unpack.ReasonArchiveDevice},
		"block device":               {typed(tar.TypeBlock, "disk.raw"), unpack.ReasonArchiveDevice},
		"pipe":                       {typed(tar.TypeFifo, "disk.raw"), unpack.ReasonArchiveDevice},
		"reserved type":              {typed('7', "disk.raw"), unpack.ReasonArchiveType},
		"unknown type":               {typed('Z', "disk.raw"), unpack.ReasonArchiveType},
		"global header":              {globalHeader(t, content), unpack.ReasonArchiveType},
		"GNU sparse file":            {zip(t, gnuSparse(hostileSize)), unpack.ReasonArchiveSparse},
		"PAX sparse file":            {zip(t, paxSparse()), unpack.ReasonArchiveSparse},
		"traversal":                  {named("../disk.raw"), unpack.ReasonArchiveName},
		"traversal inside":           {named("a/../../disk.raw"), unpack.ReasonArchiveName},
		"absolute name":              {named("/disk.raw"), unpack.ReasonArchiveName},
		"backslashes":                {named(`..\disk.raw`), unpack.ReasonArchiveName},
		"control characters":         {named("disk\x1b[2J.raw"), unpack.ReasonArchiveName},
		"no name":                    {named("."), unpack.ReasonArchiveName},
		"two files":                  {zip(t, tarball(t, file("a.raw", content), file("b.raw", content))), unpack.ReasonArchiveSeveral},
		"file and link":              {zip(t, tarball(t, file("a.raw", content), entry{header: tar.Header{Name: "b", Linkname: "a.raw", Typeflag: tar.TypeLink}})), unpack.ReasonArchiveSeveral},
		"directory before":           {zip(t, tarball(t, entry{header: tar.Header{Name: "d/", Typeflag: tar.TypeDir}}, file("d/a.raw", content))), unpack.ReasonArchiveDirectory},
		"no file":                    {zip(t, tarball(t)), unpack.ReasonArchiveEmpty},
		"nothing in gzip":            {zip(t, nil), unpack.ReasonArchiveEmpty},
		"empty file":                 {named0(t), unpack.ReasonArchiveSize},
		"too small":                  {pack(t, content[:hostileSize-1]), unpack.ReasonArchiveSize},
		"too large":                  {pack(t, append(bytes.Clone(content), 0)), unpack.ReasonArchiveSize},
		"bomb by its header":         {zip(t, tarHeaderOf(t, 1<<50)), unpack.ReasonArchiveSize},
		"bomb after the end":         {zip(t, plain, make([]byte, 4<<20)), unpack.ReasonArchiveTrailing},
		"negative size":              {zip(t, tarHeaderOf(t, -1)), unpack.ReasonArchiveNotTar},
		"no tar":                     {zip(t, bytes.Repeat([]byte("no tar"), 1000)), unpack.ReasonArchiveNotTar},
		"damaged tar header":         {zip(t, damaged), unpack.ReasonArchiveNotTar},
		"archive in the archive":     {zip(t, tarball(t, file("a.raw", append(zip(t, plain), make([]byte, hostileSize-len(zip(t, plain)))...)))), unpack.ReasonArchiveFormat},
		"VHDX in the archive":        {pack(t, append([]byte("vhdxfile"), make([]byte, hostileSize-8)...)), unpack.ReasonArchiveFormat},
		"garbage after gzip":         {append(bytes.Clone(good), "garbage"...), unpack.ReasonArchiveTrailing},
		"zeros after gzip":           {append(bytes.Clone(good), make([]byte, 20)...), unpack.ReasonArchiveTrailing},
		"one byte after gzip":        {append(bytes.Clone(good), 0x1f), unpack.ReasonArchiveTrailing},
		"file in a second member":    {zip(t, plain, plain), unpack.ReasonArchiveTrailing},
		"text in a second member":    {zip(t, plain, []byte("hidden")), unpack.ReasonArchiveTrailing},
		"broken second member":       {append(bytes.Clone(good), zip(t, nil)[:12]...), unpack.ReasonArchiveTruncated},
		"text after the tar archive": {zip(t, append(bytes.Clone(plain), "hidden"...)), unpack.ReasonArchiveTrailing},
		"text instead of an end":     {zip(t, append(plain[:len(plain)-1024:len(plain)-1024], bytes.Repeat([]byte("hidden"), 200)...)), unpack.ReasonArchiveTrailing},
		"cut in the gzip header":     {good[:5], unpack.ReasonArchiveTruncated},
		"cut in the data":            {good[:len(good)/2], unpack.ReasonArchiveTruncated},
		"cut in the trailer":         {good[:len(good)-3], unpack.ReasonArchiveTruncated},
		"cut in the tar archive":     {zip(t, plain[:len(plain)/2]), unpack.ReasonArchiveTruncated},
		"cut in the tar header":      {zip(t, plain[:300]), unpack.ReasonArchiveTruncated},
		"wrong CRC-32":               {changed(-8), unpack.ReasonArchiveCorrupt},
		"wrong length":               {changed(-4), unpack.ReasonArchiveCorrupt},
		"flipped bits":               {flipped, unpack.ReasonArchiveCorrupt},
		"unknown compression":        {append([]byte("\x1f\x8b\x07"), good[3:]...), unpack.ReasonArchiveCorrupt},
		"plain tar of two files":     {tarball(t, file("a.raw", content), file("b.raw", content)), unpack.ReasonArchiveSeveral},
		"plain tar cut":              {plain[:len(plain)/2], unpack.ReasonArchiveTruncated},
		"empty object":               {nil, unpack.ReasonSourceEmpty},
		"xz":                         {[]byte("\xfd7zXZ\x00 and so on"), unpack.ReasonSourceFormat},
		"VDI":                        {append(make([]byte, 64), "\x7f\x10\xda\xbe"...), unpack.ReasonSourceFormat},
		"QCOW1":                      {[]byte("QFI\xfb\x00\x00\x00\x01"), unpack.ReasonSourceFormat},
	}
}

func TestHostileArchivesAreRefusedAndLeaveNothing(t *testing.T) {
	t.Parallel()
	for name, c := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.source)
			result, err := b.run(nil, hostileSize)
			if got := reason(t, err); got != c.want {
				t.Errorf("%v, not %s", err, c.want)
			}
			if !c.want.Final() {
				t.Errorf("%s is not final", c.want)
			}
			if result.Unpacked || result.Object.Key != "" {
				t.Errorf("it has the result %+v", result)
			}
			b.wantKeys()
			if strings.Contains(err.Error(), "\x1b") {
				t.Errorf("the error %q holds control characters", err)
			}
		})
	}
}

// A source that proves to be bad after parts were stored by an earlier run leaves nothing of that either.
func TestRefusalRemovesWhatEarlierRunsLeft(t *testing.T) {
	t.Parallel()
	content := disk("dddd...."+strings.Repeat("d", 80), 0) // more than the buffers hold
	bad := pack(t, content)
	bad[len(bad)-8] ^= 1 // the CRC-32, found only at the very end
	b := newBench(t, bad)
	stop := &failingAt{Store: b.memory, n: 3}
	if _, err := b.run(stop, int64(len(content))); reason(t, err) != unpack.ReasonStore {
		t.Fatal(err)
	}
	if len(b.stored()) == 0 || len(b.keys()) < 2 {
		t.Fatalf("nothing to remove: %q", b.keys())
	}
	if _, err := b.run(nil, int64(len(content))); reason(t, err) != unpack.ReasonArchiveCorrupt {
		t.Fatal(err)
	}
	b.wantKeys()
}

func named0(t testing.TB) []byte { return zip(t, tarball(t, file("disk.raw", nil))) }

// rawHeader is a ustar header with a right checksum.
func rawHeader(kind byte, size []byte, edit func(block []byte)) []byte {
	block := make([]byte, 512)
	copy(block, "disk.raw")
	copy(block[100:], "0000600\x000000000\x000000000\x00")
	copy(block[124:136], size)
	copy(block[136:], "00000000000\x00        ")
	block[156] = kind
	copy(block[257:], "ustar\x0000")
	if edit != nil {
		edit(block)
	}
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], []byte{'0', byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0})
	return block
}

// tarHeaderOf is the header of a file that claims a size, in base 256, and a little content.
func tarHeaderOf(t testing.TB, size int64) []byte {
	t.Helper()
	field := make([]byte, 12)
	binary.BigEndian.PutUint64(field[4:], uint64(size))
	field[0] = 0x80
	if size < 0 {
		field[0], field[1], field[2], field[3] = 0xff, 0xff, 0xff, 0xff
	}
	return append(rawHeader('0', field, nil), make([]byte, 4096)...)
}

// gnuSparse claims a size that it does not hold.
func gnuSparse(size int64) []byte {
	block := rawHeader('S', []byte("00000000000\x00"), func(block []byte) {
		copy(block[257:], "ustar  \x00")
		copy(block[386:], octal(size)) // one hole up to the end
		copy(block[398:], octal(0))
		copy(block[483:], octal(size))
	})
	return append(block, make([]byte, 1024)...)
}

func octal(n int64) string {
	digits := make([]byte, 12)
	for i := 10; i >= 0; i-- {
		digits[i] = byte('0' + n&7)
		n >>= 3
	}
	return string(digits)
}

// paxSparse does the same with PAX records (GNU sparse format 0.1).
func paxSparse() []byte {
	var records strings.Builder
	for _, r := range []string{
		"22 GNU.sparse.major=0\n", "22 GNU.sparse.minor=1\n", "29 GNU.sparse.name=disk.raw\n", "26 GNU.sparse.size=40960\n",
		"26 GNU.sparse.numblocks=1\n", "26 GNU.sparse.map=40960,0\n",
	} {
		body := r[3:]
		n := len(body) + 3
		records.WriteString(string([]byte{byte('0' + n/10), byte('0' + n%10), ' '}) + body)
	}
	out := rawHeader('x', []byte(octal(int64(records.Len()))), nil)
	padded := make([]byte, 512)
	copy(padded, records.String())
	out = append(out, padded...)
	out = append(out, rawHeader('0', []byte(octal(0)), nil)...)
	return append(out, make([]byte, 1024)...)
}

func globalHeader(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"comment": "x"}}); err != nil {
		t.Fatal(err)
	}
	h := file("disk.raw", content)
	if err := w.WriteHeader(&h.header); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
