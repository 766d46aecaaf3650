package unpacktest

import (
	"bytes"
	"context"
	"errors"
	"hash/crc64"
	"io"
	"strings"
	"testing"

	"imageferry/internal/unpack"
)

const (
	base = "conformance/"
	// enough is more than the smallest part that OSS takes.
	enough = 128 << 10
)

// Conformance tests what every unpack.Store promises. open is called once a test, and returns a store that holds nothing
// under "conformance/", neither objects nor uploads.
func Conformance(t *testing.T, open func(t *testing.T) unpack.Store) {
	for name, test := range map[string]func(*testing.T, unpack.Store){
		"objects":              keepsObjects,
		"ranges":               readsRanges,
		"pinned versions":      pinsVersions,
		"list":                 listsObjects,
		"upload":               completesUpload,
		"wrong MD5":            refusesWrongMD5,
		"parts replaced":       replacesParts,
		"parts left out":       leavesPartsOut,
		"wrong part list":      refusesWrongList,
		"never replaces":       neverReplaces,
		"copy":                 copiesParts,
		"abort":                abortsUploads,
		"uploads listed":       listsUploads,
		"cancelled context":    honoursContext,
		"body within its size": readsWithin,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func keepsObjects(t *testing.T, s unpack.Store) {
	for _, key := range []string{base + "plain", base + "with space+plus%25/ü.raw"} {
		_, err := s.Head(t.Context(), key)
		wantError(t, err, unpack.ErrAbsent)
		_, err = s.Read(t.Context(), unpack.Range{Key: key, Length: 1})
		wantError(t, err, unpack.ErrAbsent)
		must(t, s.Delete(t.Context(), key))

		for _, content := range []string{"first", "the second"} {
			put := putObject(t, s, key, content)
			got, err := s.Head(t.Context(), key)
			must(t, err)
			if got.Size != int64(len(content)) || got.ETag == "" || got.ETag != put.ETag || got.Key != key {
				t.Errorf("Head = %+v after Put = %+v", got, put)
			}
			if strings.Contains(got.ETag, `"`) {
				t.Errorf("the ETag %s has quotes", got.ETag)
			}
			if got.HasCRC64 && got.CRC64 != crc64.Checksum([]byte(content), ecma) {
				t.Errorf("the CRC-64 of %q is %d", content, got.CRC64)
			}
			if got.Modified.IsZero() {
				t.Error("Modified is zero")
			}
			wantContent(t, s, got, content)
		}
		must(t, s.Delete(t.Context(), key))
		_, err = s.Head(t.Context(), key)
		wantError(t, err, unpack.ErrAbsent)
	}
}

func readsRanges(t *testing.T, s unpack.Store) {
	o := putObject(t, s, base+"ranges", "0123456789")
	for _, r := range []struct {
		offset, length int64
		want           string
	}{{0, 10, "0123456789"}, {0, 1, "0"}, {9, 1, "9"}, {3, 4, "3456"}} {
		body, err := s.Read(t.Context(), unpack.Range{Key: o.Key, ETag: o.ETag, Offset: r.offset, Length: r.length})
		must(t, err)
		got, err := io.ReadAll(body)
		must(t, err)
		must(t, body.Close())
		if string(got) != r.want {
			t.Errorf("range %d+%d = %q, not %q", r.offset, r.length, got, r.want)
		}
	}
}

func pinsVersions(t *testing.T, s unpack.Store) {
	old := putObject(t, s, base+"pinned", "the old one")
	putObject(t, s, base+"pinned", "the new one")
	_, err := s.Read(t.Context(), unpack.Range{Key: old.Key, ETag: old.ETag, Length: 3})
	wantError(t, err, unpack.ErrChanged)
	u := begin(t, s, base+"pinning")
	_, err = s.CopyPart(t.Context(), u, 1, unpack.Range{Key: old.Key, ETag: old.ETag, Length: 3})
	wantError(t, err, unpack.ErrChanged)
	_, err = s.CopyPart(t.Context(), u, 1, unpack.Range{Key: base + "nothing", ETag: old.ETag, Length: 3})
	wantError(t, err, unpack.ErrAbsent)
	must(t, s.Abort(t.Context(), u))
}

func listsObjects(t *testing.T, s unpack.Store) {
	want := []string{base + "list/a", base + "list/a.unpack/zeros", base + "list/b"}
	for _, key := range want {
		putObject(t, s, key, "x")
	}
	putObject(t, s, base+"other", "x")
	all, err := s.List(t.Context(), base+"list/")
	must(t, err)
	var got []string
	for _, o := range all {
		got = append(got, o.Key)
		if o.Modified.IsZero() || o.Size != 1 {
			t.Errorf("listed %+v", o)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("List = %q, not %q", got, want)
	}
}

func completesUpload(t *testing.T, s unpack.Store) {
	u := begin(t, s, base+"multipart")
	_, err := s.Head(t.Context(), u.Key)
	wantError(t, err, unpack.ErrAbsent)
	content := [][]byte{block('a', enough), block('b', enough+1), block('c', 7)}
	second := putPart(t, s, u, 2, content[1])
	last := putPart(t, s, u, 10000, content[2])
	first := putPart(t, s, u, 1, content[0])
	parts, err := s.Parts(t.Context(), u)
	must(t, err)
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, want := range []unpack.Part{first, second, last} {
		if parts[i].Number != want.Number || parts[i].Size != want.Size || !strings.EqualFold(parts[i].ETag, want.ETag) {
			t.Errorf("part %+v, not %+v", parts[i], want)
		}
	}
	whole := bytes.Join(content, nil)
	made, err := s.Complete(t.Context(), u, parts)
	must(t, err)
	seen, err := s.Head(t.Context(), u.Key)
	must(t, err)
	if !seen.HasCRC64 || seen.CRC64 != crc64.Checksum(whole, ecma) || seen.Size != int64(len(whole)) {
		t.Errorf("Head = %+v", seen)
	}
	if made.HasCRC64 && made.CRC64 != seen.CRC64 || made.ETag != "" && made.ETag != seen.ETag {
		t.Errorf("Complete = %+v, Head = %+v", made, seen)
	}
	wantContent(t, s, seen, string(whole))
	_, err = s.Parts(t.Context(), u)
	wantError(t, err, unpack.ErrNoUpload)
	_, err = s.Complete(t.Context(), u, parts)
	wantError(t, err, unpack.ErrNoUpload, unpack.ErrExists)
}

func refusesWrongMD5(t *testing.T, s unpack.Store) {
	u := begin(t, s, base+"md5")
	wrong := unpack.Part{Number: 1, Size: 4, ETag: sum([]byte("rite"))}
	if _, err := s.PutPart(t.Context(), u, wrong, strings.NewReader("test")); err == nil {
		t.Error("a part with a wrong MD5 was taken")
	}
	parts, err := s.Parts(t.Context(), u)
	must(t, err)
	if len(parts) > 0 {
		t.Errorf("the upload holds %+v", parts)
	}
	must(t, s.Abort(t.Context(), u))
}

func replacesParts(t *testing.T, s unpack.Store) {
	u := begin(t, s, base+"replaced")
	old := putPart(t, s, u, 1, []byte("old"))
	now := putPart(t, s, u, 1, []byte("new"))
	if _, err := s.Complete(t.Context(), u, []unpack.Part{old}); err == nil {
		t.Error("a part that was replaced was completed")
	}
	o, err := s.Complete(t.Context(), u, []unpack.Part{now})
	must(t, err)
	wantContent(t, s, unpack.Object{Key: u.Key, Size: o.Size}, "new")
}

func leavesPartsOut(t *testing.T, s unpack.Store) {
	u := begin(t, s, base+"left out")
	first := putPart(t, s, u, 1, block('a', enough))
	putPart(t, s, u, 2, block('b', enough))
	third := putPart(t, s, u, 3, []byte("end"))
	_, err := s.Complete(t.Context(), u, []unpack.Part{first, third})
	must(t, err)
	o, err := s.Head(t.Context(), u.Key)
	must(t, err)
	wantContent(t, s, o, string(block('a', enough))+"end")
}

func refusesWrongList(t *testing.T, s unpack.Store) {
	u := begin(t, s, base+"wrong list")
	first := putPart(t, s, u, 1, block('a', enough))
	second := putPart(t, s, u, 2, block('b', enough))
	small := putPart(t, s, u, 3, []byte("small"))
	for name, parts := range map[string][]unpack.Part{
		"order":   {second, first},
		"missing": {first, {Number: 9, Size: 1, ETag: first.ETag}},
		"ETag":    {{Number: 1, Size: first.Size, ETag: second.ETag}},
		"small":   {small, {Number: 4, Size: 1, ETag: first.ETag}},
	} {
		if _, err := s.Complete(t.Context(), u, parts); err == nil {
			t.Errorf("%s: completed", name)
		}
	}
	must(t, s.Abort(t.Context(), u))
}

func neverReplaces(t *testing.T, s unpack.Store) {
	o := putObject(t, s, base+"taken", "mine")
	u := begin(t, s, o.Key)
	part := putPart(t, s, u, 1, []byte("yours"))
	_, err := s.Complete(t.Context(), u, []unpack.Part{part})
	wantError(t, err, unpack.ErrExists)
	wantContent(t, s, o, "mine")
	must(t, s.Abort(t.Context(), u))
}

func copiesParts(t *testing.T, s unpack.Store) {
	content := block('z', enough+10)
	from := putObject(t, s, base+"from here+there", string(content))
	u := begin(t, s, base+"copied")
	part, err := s.CopyPart(t.Context(), u, 1, unpack.Range{Key: from.Key, ETag: from.ETag, Offset: 10, Length: enough})
	must(t, err)
	parts, err := s.Parts(t.Context(), u)
	must(t, err)
	if len(parts) != 1 || parts[0].Size != enough || !strings.EqualFold(parts[0].ETag, part.ETag) {
		t.Errorf("parts %+v after the copy %+v", parts, part)
	}
	last := putPart(t, s, u, 2, []byte("end"))
	_, err = s.Complete(t.Context(), u, []unpack.Part{part, last})
	must(t, err)
	o, err := s.Head(t.Context(), u.Key)
	must(t, err)
	wantContent(t, s, o, string(content[10:])+"end")
}

func abortsUploads(t *testing.T, s unpack.Store) {
	u := begin(t, s, base+"aborted")
	part := putPart(t, s, u, 1, []byte("part"))
	must(t, s.Abort(t.Context(), u))
	must(t, s.Abort(t.Context(), u))
	_, err := s.Parts(t.Context(), u)
	wantError(t, err, unpack.ErrNoUpload)
	_, err = s.PutPart(t.Context(), u, part, strings.NewReader("part"))
	wantError(t, err, unpack.ErrNoUpload)
	o := putObject(t, s, base+"source", "part")
	_, err = s.CopyPart(t.Context(), u, 1, unpack.Range{Key: o.Key, ETag: o.ETag, Length: 4})
	wantError(t, err, unpack.ErrNoUpload)
	_, err = s.Complete(t.Context(), u, []unpack.Part{part})
	wantError(t, err, unpack.ErrNoUpload)
}

func listsUploads(t *testing.T, s unpack.Store) {
	want := map[string]bool{}
	for _, key := range []string{"uploads/a", "uploads/a", "uploads/ü b"} {
		want[begin(t, s, base+key).ID] = true
	}
	other := begin(t, s, base+"elsewhere")
	all, err := s.Uploads(t.Context(), base+"uploads/")
	must(t, err)
	for _, u := range all {
		if !want[u.ID] || !strings.HasPrefix(u.Key, base+"uploads/") || u.Begun.IsZero() {
			t.Errorf("listed %+v", u)
		}
		delete(want, u.ID)
		must(t, s.Abort(t.Context(), u))
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
	must(t, s.Abort(t.Context(), other))
	all, err = s.Uploads(t.Context(), base)
	must(t, err)
	if len(all) > 0 {
		t.Errorf("listed after they were aborted: %+v", all)
	}
}

func honoursContext(t *testing.T, s unpack.Store) {
	o := putObject(t, s, base+"context", "x")
	u := begin(t, s, base+"context upload")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	part := unpack.Part{Number: 1, Size: 1, ETag: sum([]byte("x"))}
	for name, do := range map[string]func() error{
		"Head": func() error { _, err := s.Head(ctx, o.Key); return err },
		"Read": func() error { _, err := s.Read(ctx, unpack.Range{Key: o.Key, Length: 1}); return err },
		"Put":  func() error { _, err := s.Put(ctx, o.Key, strings.NewReader("y"), 1); return err },
		"List": func() error { _, err := s.List(ctx, base); return err },
		"PutPart": func() error {
			_, err := s.PutPart(ctx, u, part, strings.NewReader("x"))
			return err
		},
		"Parts":    func() error { _, err := s.Parts(ctx, u); return err },
		"Uploads":  func() error { _, err := s.Uploads(ctx, base); return err },
		"Abort":    func() error { return s.Abort(ctx, u) },
		"Delete":   func() error { return s.Delete(ctx, o.Key) },
		"Begin":    func() error { _, err := s.Begin(ctx, o.Key); return err },
		"Complete": func() error { _, err := s.Complete(ctx, u, []unpack.Part{part}); return err },
	} {
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantContent(t, s, o, "x")
	must(t, s.Abort(t.Context(), u))
}

func readsWithin(t *testing.T, s unpack.Store) {
	body := &watched{Reader: bytes.NewReader(block('w', enough))}
	u := begin(t, s, base+"watched")
	_, err := s.PutPart(t.Context(), u, unpack.Part{Number: 1, Size: enough, ETag: sum(block('w', enough))}, body)
	must(t, err)
	if body.most > enough {
		t.Errorf("read up to byte %d of %d", body.most, enough)
	}
	must(t, s.Abort(t.Context(), u))
}
