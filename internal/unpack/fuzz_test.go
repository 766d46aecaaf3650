package unpack_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"imageferry/internal/unpack"
)

// Whatever the source is, a run ends with the file, with a plain source or with a final reason, and then with nothing left.
func FuzzArchive(f *testing.F) {
	for _, c := range hostile(f) {
		f.Add(c.source, false)
	}
	content := disk("d..m", 9)
	f.Add(pack(f, content), false)
	f.Add(tarball(f, file("disk.raw", content)), true)
	f.Fuzz(func(t *testing.T, source []byte, compress bool) {
		if compress {
			source = zip(t, source)
		}
		b := newBench(t, source)
		u := b.unpacker(nil, nil, unpack.Options{})
		result, err := u.Run(t.Context(), b.source, unpack.Target{Key: targetKey, MaxSize: 1 << 20})
		switch {
		case err != nil:
			if got := reason(t, err); !got.Final() {
				t.Errorf("ended with %v", err)
			}
			b.wantKeys()
		case result.Unpacked:
			got := b.read(targetKey)
			if int64(len(got)) != result.Object.Size || !bytes.Contains(expand(source), got) {
				t.Errorf("unpacked %d bytes that the archive does not hold", len(got))
			}
		default:
			b.wantKeys()
		}
	})
}

// expand returns the source, without compression if it has any.
func expand(source []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(source))
	if err != nil {
		return source
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil
	}
	return all
}
