package manifesttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"imageferry/internal/manifest"
)

// Conformance tests what every manifest.Store promises. open is called once a test, and returns a store that holds
// nothing under "conformance/".
func Conformance(t *testing.T, open func(t *testing.T) manifest.Store) {
	for name, test := range map[string]func(*testing.T, manifest.Store){
		"create":              createsOnce,
		"concurrent creates":  oneCreateWins,
		"put":                 putsOver,
		"absence":             absence,
		"delete":              deletes,
		"contents":            keepsContents,
		"list":                lists,
		"list pages":          listsPages,
		"cancelled context":   honoursContext,
		"callers' own memory": keepsCopies,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

const base = "conformance/"

func createsOnce(t *testing.T, s manifest.Store) {
	must(t, s.Create(t.Context(), base+"one", []byte("first")))
	wantError(t, s.Create(t.Context(), base+"one", []byte("second")), manifest.ErrExists)
	wantContent(t, s, base+"one", "first")
	must(t, s.Put(t.Context(), base+"two", []byte("put")))
	wantError(t, s.Create(t.Context(), base+"two", []byte("created")), manifest.ErrExists)
	wantContent(t, s, base+"two", "put")
}

func oneCreateWins(t *testing.T, s manifest.Store) {
	const writers = 16
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { errs[i] = s.Create(t.Context(), base+"contended", fmt.Appendf(nil, "writer %d", i)) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err != nil:
			wantError(t, err, manifest.ErrExists)
		case winner >= 0:
			t.Fatalf("both %d and %d created the key", winner, i)
		default:
			winner = i
		}
	}
	if winner < 0 {
		t.Fatal("nobody created the key")
	}
	wantContent(t, s, base+"contended", fmt.Sprintf("writer %d", winner))
}

func putsOver(t *testing.T, s manifest.Store) {
	for _, content := range []string{"first", "second, which is longer", "3"} {
		must(t, s.Put(t.Context(), base+"put", []byte(content)))
		wantContent(t, s, base+"put", content)
	}
}

func absence(t *testing.T, s manifest.Store) {
	_, err := s.Get(t.Context(), base+"absent")
	wantError(t, err, manifest.ErrNotFound)
	must(t, s.Delete(t.Context(), base+"absent"))
	keys, more, err := s.List(t.Context(), base+"absent", "", 10)
	must(t, err)
	if len(keys) != 0 || more {
		t.Errorf("an empty prefix lists %q, and more: %v", keys, more)
	}
	// A key is not a folder.
	must(t, s.Put(t.Context(), base+"folder/key", nil))
	_, err = s.Get(t.Context(), base+"folder")
	wantError(t, err, manifest.ErrNotFound)
}

func deletes(t *testing.T, s manifest.Store) {
	must(t, s.Create(t.Context(), base+"gone", []byte("x")))
	must(t, s.Delete(t.Context(), base+"gone"))
	_, err := s.Get(t.Context(), base+"gone")
	wantError(t, err, manifest.ErrNotFound)
	must(t, s.Create(t.Context(), base+"gone", []byte("again")))
	wantContent(t, s, base+"gone", "again")
}

func keepsContents(t *testing.T, s manifest.Store) {
	for name, content := range map[string]string{
		"empty":                     "",
		"binary":                    "\x00\xff\r\n\x1f\x8b",
		"large":                     strings.Repeat("0123456789abcdef", 16<<10),
		"20261123T190000.5Z/a b+c%": "a key with characters that URLs escape",
	} {
		must(t, s.Create(t.Context(), base+name, []byte(content)))
		wantContent(t, s, base+name, content)
	}
}

func lists(t *testing.T, s manifest.Store) {
	all := []string{"a", "a-", "a/1", "a/2", "a0", "b/1", "b/10", "b/2", "B"}
	for _, key := range all {
		must(t, s.Put(t.Context(), base+key, nil))
	}
	for _, c := range []struct {
		prefix, after string
		limit         int
		want          []string
		more          bool
	}{
		{"", "", 1000, []string{"B", "a", "a-", "a/1", "a/2", "a0", "b/1", "b/10", "b/2"}, false}, // byte order
		{"a", "", 10, []string{"a", "a-", "a/1", "a/2", "a0"}, false},
		{"a/", "", 10, []string{"a/1", "a/2"}, false},
		{"a/", "a/1", 10, []string{"a/2"}, false},
		{"a/", "a/11", 10, []string{"a/2"}, false}, // after need not exist
		{"a/", "a/2", 10, nil, false},
		{"a/", "b", 10, nil, false},
		{"b/", "a", 10, []string{"b/1", "b/10", "b/2"}, false}, // after may stand before the prefix
		{"b/", "", 2, []string{"b/1", "b/10"}, true},
		{"b/", "b/1", 1, []string{"b/10"}, true},
		{"b/", "", 3, []string{"b/1", "b/10", "b/2"}, false},
		{"c", "", 10, nil, false},
	} {
		after := c.after
		if after != "" {
			after = base + after
		}
		keys, more, err := s.List(t.Context(), base+c.prefix, after, c.limit)
		must(t, err)
		for i := range keys {
			keys[i] = strings.TrimPrefix(keys[i], base)
		}
		if !slices.Equal(keys, c.want) || more != c.more {
			t.Errorf("list %q after %q, at most %d: %q and more %v, want %q and %v", c.prefix, c.after, c.limit, keys, more, c.want, c.more)
		}
	}
}

func listsPages(t *testing.T, s manifest.Store) {
	const n = 25
	for i := range n {
		must(t, s.Put(t.Context(), fmt.Sprintf("%spage/%03d", base, i), nil))
	}
	var seen []string
	for after := ""; ; {
		keys, more, err := s.List(t.Context(), base+"page/", after, 10)
		must(t, err)
		seen = append(seen, keys...)
		if !more {
			break
		}
		after = keys[len(keys)-1]
	}
	if len(seen) != n || !slices.IsSorted(seen) || len(slices.Compact(seen)) != n {
		t.Errorf("pages list %d keys: %q", len(seen), seen)
	}
}

func honoursContext(t *testing.T, s manifest.Store) {
	must(t, s.Put(t.Context(), base+"there", []byte("x")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, base+"there")
	_, _, listErr := s.List(ctx, base, "", 10)
	for op, err := range map[string]error{
		Create: s.Create(ctx, base+"new", nil),
		Put:    s.Put(ctx, base+"new", nil),
		Get:    getErr,
		Delete: s.Delete(ctx, base+"there"),
		List:   listErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", op, err)
		}
	}
	wantContent(t, s, base+"there", "x")
	_, err := s.Get(t.Context(), base+"new")
	wantError(t, err, manifest.ErrNotFound)
}

// keepsCopies: the caller may change what it gave and what it got.
func keepsCopies(t *testing.T, s manifest.Store) {
	data := []byte("original")
	must(t, s.Create(t.Context(), base+"copy", data))
	data[0] = 'X'
	got, err := s.Get(t.Context(), base+"copy")
	must(t, err)
	if !bytes.Equal(got, []byte("original")) {
		t.Errorf("stored %q", got)
	}
	got[0] = 'Y'
	wantContent(t, s, base+"copy", "original")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func wantContent(t *testing.T, s manifest.Store, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %.100q, want %.100q", key, got, want)
	}
}
