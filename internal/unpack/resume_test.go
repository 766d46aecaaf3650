package unpack_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"imageferry/internal/unpack"
	"imageferry/internal/unpack/unpacktest"
)

const resumePattern = "dddddd..........dd.dddddd.....................dddm....ddddddddddd"

// Every run may be killed at any call, before or after the store has done it, and by a context that ends. The next run makes
// the same target, sends nothing again that an upload held, and leaves nothing behind.
func TestKilledAtEveryCallAndResumed(t *testing.T) {
	t.Parallel()
	content := disk(resumePattern, 100)
	archive := pack(t, content)
	whole := newBench(t, archive)
	count := &unpacktest.Failing{At: -1, Store: whole.memory}
	u := whole.unpacker(count, count, unpack.Options{})
	reference, err := u.Run(t.Context(), whole.source, unpack.Target{Key: targetKey})
	if err != nil {
		t.Fatal(err)
	}
	calls := len(count.Calls())
	if calls < 30 {
		t.Fatalf("only %d calls: %v", calls, count.Calls())
	}
	for _, how := range []string{"before", "after", "context before", "context after"} {
		for k := range calls {
			t.Run(fmt.Sprintf("%s call %d", how, k), func(t *testing.T) {
				t.Parallel()
				killAndResume(t, archive, content, k, how, reference.Work.Parts)
			})
		}
	}
}

func killAndResume(t *testing.T, archive, content []byte, k int, how string, parts int) {
	b := newBench(t, archive)
	target := unpack.Target{Key: targetKey}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	store := &unpacktest.Failing{At: k, Store: b.memory}
	if how == "after" || how == "context after" {
		store.Moment = unpacktest.After
	}
	if how == "context before" || how == "context after" {
		store.Killed = cancel
	}
	_, err := b.unpacker(store, store, unpack.Options{}).Run(ctx, b.source, target)
	if err == nil {
		if n := len(store.Calls()); n > k {
			t.Fatalf("%d calls were made, and it succeeded", n)
		}
		return // this time fewer calls were needed
	}
	if got := reason(t, err); got.Final() {
		t.Fatalf("ended with %v", err)
	}
	if store.Killed != nil && reason(t, err) != unpack.ReasonInterrupted {
		t.Errorf("the reason is %s: %v", reason(t, err), err)
	}

	held := b.stored()
	watch := &spy{Store: b.memory}
	result, err := b.unpacker(b.memory, watch, unpack.Options{}).Run(t.Context(), b.source, target)
	if err != nil {
		t.Fatal(err)
	}
	b.wantTarget(content)
	for _, n := range append(watch.sent, watch.copied...) {
		if held[n] {
			t.Errorf("part %d was stored already, and was sent or copied again", n)
		}
	}
	switch again := len(watch.sent) + len(watch.copied); {
	case result.Found && again > 0:
		t.Errorf("%d parts were made for a target that was there", again)
	case !result.Found && again+len(held) != parts:
		t.Errorf("%d parts were there and %d were made, not %d together", len(held), again, parts)
	}
	if len(held) > 0 && !result.Resumed {
		t.Errorf("it did not resume: %+v", result)
	}
}

// Killed again and again, each time a little later, a run still ends, and no part is made twice.
func TestKilledRepeatedly(t *testing.T) {
	t.Parallel()
	content := disk(resumePattern, 100)
	b := newBench(t, pack(t, content))
	made := map[int]int{}
	for tries := range 200 {
		watch := &spy{Store: b.memory}
		store := &unpacktest.Failing{At: 14, Store: watch}
		_, err := b.unpacker(store, store, unpack.Options{}).Run(t.Context(), b.source, unpack.Target{Key: targetKey})
		for _, n := range slices.Concat(watch.sent, watch.copied) {
			made[n]++
		}
		if err == nil {
			for n, times := range made {
				if times > 1 {
					t.Errorf("part %d was made %d times", n, times)
				}
			}
			if tries < 3 {
				t.Errorf("it ended after %d tries", tries)
			}
			b.wantTarget(content)
			return
		}
		if reason(t, err).Final() {
			t.Fatal(err)
		}
	}
	t.Fatal("it never ended")
}

// A part that the store lost or that differs is made again; the rest is kept.
func TestResumeChecksWhatIsThere(t *testing.T) {
	t.Parallel()
	content := disk(resumePattern, 100)
	b := newBench(t, pack(t, content))
	stop := &unpacktest.Failing{At: 25, Store: b.memory}
	if _, err := b.unpacker(stop, stop, unpack.Options{}).Run(t.Context(), b.source, unpack.Target{Key: targetKey}); err == nil {
		t.Fatal("it was not stopped")
	}
	uploads, err := b.memory.Uploads(t.Context(), targetKey)
	if err != nil || len(uploads) != 1 {
		t.Fatal(uploads, err)
	}
	o, err := b.memory.Head(t.Context(), sourceKey)
	if err != nil {
		t.Fatal(err)
	}
	held := b.stored()
	if !held[1] {
		t.Fatalf("part 1 is not among %v", held)
	}
	if _, err := b.memory.CopyPart(t.Context(), uploads[0], 1, unpack.Range{Key: o.Key, Length: 100}); err != nil {
		t.Fatal(err)
	}
	watch := &spy{Store: b.memory}
	if _, err := b.run(watch, int64(len(content))); err != nil {
		t.Fatal(err)
	}
	b.wantTarget(content)
	for _, n := range slices.Concat(watch.sent, watch.copied) {
		if held[n] != (n == 1) && held[n] {
			t.Errorf("part %d was made again", n)
		}
	}
	if !slices.Contains(watch.sent, 1) {
		t.Error("the part that differed was kept")
	}
}
