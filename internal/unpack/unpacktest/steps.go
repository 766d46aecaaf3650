package unpacktest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"imageferry/internal/unpack"
)

func putObject(t *testing.T, s unpack.Store, key, content string) unpack.Object {
	t.Helper()
	o, err := s.Put(t.Context(), key, strings.NewReader(content), int64(len(content)))
	must(t, err)
	o.Key = key
	return o
}

func begin(t *testing.T, s unpack.Store, key string) unpack.Upload {
	t.Helper()
	u, err := s.Begin(t.Context(), key)
	must(t, err)
	if u.Key != key || u.ID == "" {
		t.Fatalf("Begin(%q) = %+v", key, u)
	}
	return u
}

func putPart(t *testing.T, s unpack.Store, u unpack.Upload, number int, content []byte) unpack.Part {
	t.Helper()
	p := unpack.Part{Number: number, Size: int64(len(content)), ETag: sum(content)}
	got, err := s.PutPart(t.Context(), u, p, bytes.NewReader(content))
	must(t, err)
	if !strings.EqualFold(got.ETag, p.ETag) {
		t.Errorf("part %d has the ETag %s, not %s", number, got.ETag, p.ETag)
	}
	return unpack.Part{Number: number, Size: p.Size, ETag: got.ETag}
}

func wantContent(t *testing.T, s unpack.Store, o unpack.Object, want string) {
	t.Helper()
	body, err := s.Read(t.Context(), unpack.Range{Key: o.Key, ETag: o.ETag, Length: int64(len(want))})
	must(t, err)
	got, err := io.ReadAll(body)
	must(t, err)
	must(t, body.Close())
	if string(got) != want {
		t.Errorf("%s holds other bytes than were stored", o.Key)
	}
}

func wantError(t *testing.T, err error, any ...error) {
	t.Helper()
	for _, want := range any {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("got the error %v, not %v", err, any)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func block(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

func sum(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

// watched notes how far it was read.
type watched struct {
	*bytes.Reader
	most int64
}

func (w *watched) ReadAt(p []byte, offset int64) (int, error) {
	n, err := w.Reader.ReadAt(p, offset)
	w.most = max(w.most, offset+int64(n))
	return n, err
}
