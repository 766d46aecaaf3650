package unpack_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

// failingAt fails the nth call of a kind, and all later ones.
type failingAt struct {
	unpack.Store
	n    int
	lock sync.Mutex
	seen int
}

func (f *failingAt) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, body io.ReaderAt) (unpack.Part, error) {
	f.lock.Lock()
	f.seen++
	fails := f.seen >= f.n
	f.lock.Unlock()
	if fails {
		return unpack.Part{}, unpacktest.ErrInjected
	}
	return f.Store.PutPart(ctx, u, p, body)
}

func TestUnpacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content      []byte
		sent, copied int64 // in chunks; sent without the object of zeros
		zeros        int64 // the object of zeros, in chunks
	}{
		"one byte":                  {[]byte("t"), 1, 0, 0},
		"data":                      {disk("dddddddddd", 0), 10, 0, 0},
		"odd end":                   {disk("ddddd", 17), 5, 0, 0},
		"zeros":                     {disk(strings.Repeat(".", 40), 0), 0, 40, 8},
		"zeros in the middle":       {disk("dd....................dd", 3), 4, 20, 8},
		"zeros at the ends":         {disk("......dd......", 0), 2, 12, 8},
		"nearly zeros are data":     {disk("m.m.", 0), 2, 2, 4},
		"a run shorter than a part": {disk("ddd.ddd.", 0), 6, 2, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pack(t, c.content))
			result, err := b.run(nil, int64(len(c.content)))
			if err != nil {
				t.Fatal(err)
			}
			b.wantTarget(c.content)
			o, err := b.memory.Head(t.Context(), targetKey)
			if err != nil {
				t.Fatal(err)
			}
			if result.Object != o || !result.Unpacked || result.Format != unpack.FormatRAW || result.Found || result.Resumed {
				t.Errorf("result %+v of %+v", result, o)
			}
			size := int64(len(c.content))
			want := unpack.Progress{
				Read: b.source.Size, ReadTotal: b.source.Size, Unpacked: size, UnpackedTotal: size,
				Copied: c.copied * chunk, Sent: size - c.copied*chunk + min(c.zeros*chunk, size), Parts: result.Work.Parts,
			}
			if c.zeros == 0 {
				want.Sent = size
			}
			if result.Work != want || want.Parts == 0 {
				t.Errorf("work %+v, not %+v", result.Work, want)
			}
		})
	}
}

func TestPlainSourcesNeedNoWork(t *testing.T) {
	t.Parallel()
	for want, content := range map[unpack.Format][]byte{
		unpack.FormatRAW:   disk("d.d.", 0),
		unpack.FormatQCOW2: append([]byte("QFI\xfb\x00\x00\x00\x03"), disk("d", 0)...),
		unpack.FormatVHD:   append(disk("d", 0), vhdFooter()...),
		unpack.FormatVMDK:  append([]byte("KDMV"), disk("d", 0)...),
	} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, content)
			result, err := b.run(nil, 1)
			if err != nil {
				t.Fatal(err)
			}
			if result.Unpacked || result.Format != want || result.Object.Key != sourceKey || result.Object.ETag != b.source.ETag {
				t.Errorf("result %+v", result)
			}
			b.wantKeys()
		})
	}
}

func TestPlainTarIsUnpacked(t *testing.T) {
	t.Parallel()
	content := disk("d..d", 1)
	b := newBench(t, tarball(t, file("./disk.raw", content)))
	if _, err := b.run(nil, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	b.wantTarget(content)
}

// pigz and bgzip write several members; they are one archive as long as nothing hides behind its end.
func TestArchiveInSeveralMembers(t *testing.T) {
	t.Parallel()
	content := disk("d..d.d", 1)
	plain := tarball(t, file("disk.raw", content))
	var members [][]byte
	for cut := range slices.Chunk(plain, 1000) {
		members = append(members, cut)
	}
	b := newBench(t, zip(t, append(members, nil)...))
	if _, err := b.run(nil, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	b.wantTarget(content)
}

func TestFormatOfUnpackedFile(t *testing.T) {
	t.Parallel()
	for want, content := range map[unpack.Format][]byte{
		unpack.FormatQCOW2: append([]byte("QFI\xfb\x00\x00\x00\x03"), disk("d..d", 9)...),
		unpack.FormatVHD:   append(disk("d..d", 200), vhdFooter()...),
	} {
		b := newBench(t, pack(t, content))
		result, err := b.run(nil, int64(len(content)))
		if err != nil || result.Format != want {
			t.Errorf("%s: %+v, %v", want, result, err)
		}
	}
}

func TestFinishedTargetIsKnownAgain(t *testing.T) {
	t.Parallel()
	content := disk("d...d", 0)
	b := newBench(t, pack(t, content))
	first, err := b.run(nil, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.memory.Delete(t.Context(), sourceKey); err != nil {
		t.Fatal(err) // the target is all that is needed
	}
	watch := &unpacktest.Failing{At: -1, Store: b.memory}
	again, err := b.run(watch, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if !again.Found || again.Object != first.Object || again.Format != first.Format {
		t.Errorf("found %+v after %+v", again, first)
	}
	for _, call := range []string{"Put", "Begin", "PutPart", "CopyPart", "Complete"} {
		if counted(watch.Calls(), call) > 0 {
			t.Errorf("it called %s: %v", call, watch.Calls())
		}
	}
	b.wantTarget(content)
}

func TestChangedSourceStartsAgain(t *testing.T) {
	t.Parallel()
	old, now := disk("dddd....dddd", 0), disk("mmmm....ddmm", 0)
	for name, finish := range map[string]bool{"unfinished": false, "finished": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pack(t, old))
			var to unpack.Store
			if !finish {
				to = &failingAt{Store: b.memory, n: 2}
			}
			if _, err := b.run(to, int64(len(old))); (err == nil) != finish {
				t.Fatal(err)
			}
			b.upload(pack(t, now))
			result, err := b.run(nil, int64(len(now)))
			if err != nil {
				t.Fatal(err)
			}
			if result.Resumed || result.Found || result.Work.Kept > 0 {
				t.Errorf("it kept parts of another source: %+v", result)
			}
			b.wantTarget(now)
		})
	}
}

func TestSourceIsNotWhatTheManifestSays(t *testing.T) {
	t.Parallel()
	content := disk("d..d", 0)
	other := uint64(1)
	for name, c := range map[string]struct {
		change func(*unpack.Source)
		want   unpack.Reason
	}{
		"absent": {func(s *unpack.Source) { s.Key = "nothing" }, unpack.ReasonSourceAbsent},
		"size":   {func(s *unpack.Source) { s.Size++ }, unpack.ReasonSourceChanged},
		"ETag":   {func(s *unpack.Source) { s.ETag = "X" }, unpack.ReasonSourceChanged},
		"CRC-64": {func(s *unpack.Source) { s.CRC64 = &other }, unpack.ReasonSourceChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, pack(t, content))
			c.change(&b.source)
			_, err := b.run(nil, int64(len(content)))
			if got := reason(t, err); got != c.want {
				t.Errorf("%v, not %s", err, c.want)
			}
			b.wantKeys()
		})
	}
}

// The CRC-64 of what was read is compared even where the store does not tell it.
func TestSourceWithoutStoredCRC(t *testing.T) {
	t.Parallel()
	content := disk("d..d", 0)
	b := newBench(t, pack(t, content))
	wrong := *b.source.CRC64 + 1
	for want, crc := range map[unpack.Reason]*uint64{"": b.source.CRC64, unpack.ReasonSourceChecksum: &wrong} {
		src := b.source
		src.CRC64 = crc
		u := b.unpacker(silent{b.memory}, nil, unpack.Options{})
		key := fmt.Sprintf("restore/%d", *crc)
		_, err := u.Run(t.Context(), src, unpack.Target{Key: key})
		switch {
		case want == "" && err != nil, want != "" && reason(t, err) != want:
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// silent does not know CRCs.
type silent struct{ unpack.Reader }

func (s silent) Head(ctx context.Context, key string) (unpack.Object, error) {
	o, err := s.Reader.Head(ctx, key)
	o.CRC64, o.HasCRC64 = 0, false
	return o, err
}

func TestForeignTargetStays(t *testing.T) {
	t.Parallel()
	content := disk("d..d", 0)
	b := newBench(t, pack(t, content))
	if _, err := b.memory.Put(t.Context(), targetKey, strings.NewReader("mine"), 4); err != nil {
		t.Fatal(err)
	}
	_, err := b.run(nil, int64(len(content)))
	if got := reason(t, err); got != unpack.ReasonTargetExists {
		t.Error(err)
	}
	b.wantKeys(targetKey)
	if err := b.unpacker(nil, nil, unpack.Options{}).Discard(t.Context(), targetKey); err != nil {
		t.Fatal(err)
	}
	if got := b.read(targetKey); string(got) != "mine" {
		t.Errorf("the object holds %q", got)
	}
}

// garbling answers the completion as if OSS had made something else of the parts.
type garbling struct{ unpack.Store }

func (g garbling) Complete(ctx context.Context, u unpack.Upload, parts []unpack.Part) (unpack.Object, error) {
	o, err := g.Store.Complete(ctx, u, parts)
	o.CRC64++
	return o, err
}

func TestTargetWithWrongChecksumIsDeleted(t *testing.T) {
	t.Parallel()
	content := disk("d..d", 0)
	b := newBench(t, pack(t, content))
	_, err := b.run(garbling{b.memory}, int64(len(content)))
	if got := reason(t, err); got != unpack.ReasonTargetChecksum || got.Final() {
		t.Error(err)
	}
	if slices.Contains(b.keys(), targetKey) {
		t.Errorf("left: %q", b.keys())
	}
	if _, err := b.run(nil, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	b.wantTarget(content)
}

func TestTwoRunsAtOnceDoNotSpoilTheTarget(t *testing.T) {
	t.Parallel()
	content := disk(strings.Repeat("dd...d......d.d", 8), 5)
	for round := range 20 {
		b := newBench(t, pack(t, content))
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() { _, errs[i] = b.run(nil, int64(len(content))) })
		}
		wg.Wait()
		for _, err := range errs {
			if err == nil {
				continue
			}
			if e := reason(t, err); e.Final() && e != unpack.ReasonTargetExists {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if result, err := b.run(nil, int64(len(content))); err != nil {
			t.Fatalf("round %d: %v after %v", round, err, errs)
		} else if !result.Unpacked {
			t.Errorf("round %d: %+v", round, result)
		}
		b.wantTarget(content)
	}
}

func TestProgressGrowsToTheEnd(t *testing.T) {
	t.Parallel()
	content := disk("dd......dd", 0)
	b := newBench(t, pack(t, content))
	var all []unpack.Progress
	u := b.unpacker(nil, nil, unpack.Options{Progress: func(p unpack.Progress) { all = append(all, p) }})
	result, err := u.Run(t.Context(), b.source, unpack.Target{Key: targetKey})
	if err != nil {
		t.Fatal(err)
	}
	var last unpack.Progress
	for _, p := range all {
		if p.Read < last.Read || p.Unpacked < last.Unpacked || p.Sent < last.Sent || p.Copied < last.Copied || p.Parts < last.Parts {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}
	if last != result.Work || last.Unpacked != int64(len(content)) || last.Read != b.source.Size {
		t.Errorf("ended with %+v, result %+v", last, result.Work)
	}
}

// vhdFooter is the footer of a fixed VHD.
func vhdFooter() []byte {
	footer := make([]byte, 512)
	copy(footer, "conectix\x00\x00\x00\x02\x00\x01\x00\x00")
	var sum uint32
	for _, b := range footer {
		sum += uint32(b)
	}
	sum = ^sum
	copy(footer[64:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return footer
}

func TestInspectWritesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk("d", 0)))
	watch := &unpacktest.Failing{At: -1, Store: b.memory}
	f, o, err := b.unpacker(watch, watch, unpack.Options{}).Inspect(t.Context(), b.source)
	if err != nil || f != unpack.FormatTarGzip || !f.Archive() || o.Key != sourceKey || o.Size != b.source.Size {
		t.Errorf("%q, %+v, %v", f, o, err)
	}
	if !slices.Equal(watch.Calls(), []string{"Head", "Read", "Read"}) {
		t.Errorf("calls %q", watch.Calls())
	}
}

func TestRunHonoursCancelledContext(t *testing.T) {
	t.Parallel()
	b := newBench(t, pack(t, disk("d", 0)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.unpacker(nil, nil, unpack.Options{}).Run(ctx, b.source, unpack.Target{Key: targetKey})
	if got := reason(t, err); got != unpack.ReasonInterrupted || got.Final() {
		t.Error(err)
	}
	b.wantKeys()
}
