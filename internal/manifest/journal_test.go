package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"imageferry/internal/manifest"
	"imageferry/internal/manifest/manifesttest"
)

var errCut = errors.New("connection reset")

// failing returns a fault for one operation on the keys with a part.
func failing(op, part string, applied bool, err error) manifesttest.Fault {
	return func(o, key string) (bool, error) {
		if o == op && strings.Contains(key, part) {
			return applied, err
		}
		return false, nil
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault    manifesttest.Fault
		taken    bool
		want     error
		appended bool
	}{
		"free":                        {nil, false, nil, true},
		"taken":                       {nil, true, manifest.ErrExists, false},
		"answer lost, applied":        {failing(manifesttest.Create, "", true, errCut), false, nil, true},
		"answer lost, not applied":    {failing(manifesttest.Create, "", false, errCut), false, errCut, false},
		"answer lost, taken":          {failing(manifesttest.Create, "", false, errCut), true, manifest.ErrExists, false},
		"repeated inside, so refused": {failing(manifesttest.Create, "", true, manifest.ErrExists), false, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, store := newJournal(t)
			other := queued("m-1", 1)
			if c.taken {
				if err := j.Append(t.Context(), other); err != nil {
					t.Fatal(err)
				}
			}
			store.SetFault(c.fault)
			mine := queued("m-1", 1)
			if err := j.Append(t.Context(), mine); !errors.Is(err, c.want) {
				t.Fatalf("error is %v, want %v", err, c.want)
			}
			store.SetFault(nil)
			head, err := j.Head(t.Context(), destination(), "m-1")
			switch {
			case c.appended && (err != nil || head.Writer != mine.Writer):
				t.Errorf("head is %+v (%v), want mine", head, err)
			case c.taken && (err != nil || head.Writer != other.Writer):
				t.Errorf("head is %+v (%v), want the other's", head, err)
			case !c.appended && !c.taken && !errors.Is(err, manifest.ErrNotFound):
				t.Errorf("head is %+v (%v), want none", head, err)
			}
		})
	}
}

// An answer that is lost while nobody can look leaves open what happened.
func TestAppendUnknown(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	store.SetFault(func(op, _ string) (bool, error) { return op == manifesttest.Create, errCut })
	if err := j.Append(t.Context(), queued("m-1", 1)); !errors.Is(err, errCut) || errors.Is(err, manifest.ErrExists) {
		t.Fatalf("error is %v", err)
	}
	store.SetFault(nil)
	if _, err := j.Head(t.Context(), destination(), "m-1"); err != nil {
		t.Errorf("the revision was applied: %v", err)
	}
}

// Whoever begins an export finds out at once whether others have.
func TestBegin(t *testing.T) {
	t.Parallel()
	first := layout.Journal(destination(), "m-1") + "00000001.json"
	for name, c := range map[string]struct {
		revisions, published int // by others
		deleted              bool
		fault                manifesttest.Fault
		head                 int // of the others, 0: begun by us
		want                 error
		gets                 int
	}{
		"new":                           {gets: 1},
		"begun":                         {revisions: 3, published: 3, head: 3, gets: 3},
		"begun, manifest stale":         {revisions: 4, published: 2, head: 4, gets: 5},
		"begun, no manifest":            {revisions: 2, head: 2, gets: 3},
		"just begun":                    {revisions: 1, head: 1, gets: 3},
		"first revision is deleted":     {revisions: 3, published: 3, deleted: true, head: 3, gets: 3},
		"answer lost, applied":          {fault: failing(manifesttest.Create, "", true, errCut), gets: 3},
		"answer lost, not applied":      {fault: failing(manifesttest.Create, "", false, errCut), want: errCut, gets: 3},
		"answer lost, begun":            {revisions: 2, published: 2, fault: failing(manifesttest.Create, "", false, errCut), head: 2, gets: 3},
		"repeated inside, so refused":   {fault: failing(manifesttest.Create, "", true, manifest.ErrExists), gets: 3},
		"new, manifest cannot be read":  {fault: failing(manifesttest.Get, "manifests/", false, errCut), gets: 1},
		"begun, journal cannot be read": {revisions: 1, fault: failing(manifesttest.Get, "journal/", false, errCut), want: manifest.ErrExists, gets: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, store := newJournal(t)
			appendAll(t, j, "m-1", c.revisions)
			if c.published > 0 {
				publish(t, j, queued("m-1", c.published))
			}
			if c.deleted {
				store.Uproot(first)
			}
			store.ResetOps()
			store.SetFault(c.fault)
			mine := queued("m-1", 1)
			head, err := j.Begin(t.Context(), mine)
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("error is %v, want %v", err, c.want)
			}
			if head == nil && c.head > 0 || head != nil && head.Revision != c.head {
				t.Errorf("head is %+v, want revision %d", head, c.head)
			}
			if got := store.Ops()[manifesttest.Get]; c.gets >= 0 && got != c.gets {
				t.Errorf("%d reads, want %d", got, c.gets)
			}
			store.SetFault(nil)
			if stored, err := j.Revision(t.Context(), destination(), "m-1", 1); c.head == 0 && c.want == nil && (err != nil || stored.Writer != mine.Writer) {
				t.Errorf("the first revision is %+v (%v), want ours", stored, err)
			}
		})
	}
}

// What cannot be read is nobody's to begin.
func TestBeginUnreadable(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]error{"damaged": manifest.ErrUnreadable, `{"schema":"imageferry.manifest/v2"}`: manifest.ErrNewer} {
		j, store := newJournal(t)
		store.Plant(layout.Journal(destination(), "m-1")+"00000001.json", []byte(content))
		if head, err := j.Begin(t.Context(), queued("m-1", 1)); !errors.Is(err, want) || head != nil {
			t.Errorf("head is %+v (%v), want %v", head, err, want)
		}
	}
}

func TestAppendToDamagedRevision(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	key := layout.Journal(destination(), "m-1") + "00000001.json"
	store.Plant(key, []byte("damaged"))
	if err := j.Append(t.Context(), queued("m-1", 1)); !errors.Is(err, manifest.ErrExists) {
		t.Errorf("error is %v", err)
	}
}

func TestConcurrentAppendsHaveOneWinner(t *testing.T) {
	t.Parallel()
	j, _ := newJournal(t)
	const writers = 32
	var mu sync.Mutex
	var winners []string
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			m := queued("m-1", 1)
			err := j.Append(t.Context(), m)
			if err != nil {
				if !errors.Is(err, manifest.ErrExists) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			winners = append(winners, m.Writer)
		})
	}
	wg.Wait()
	head, err := j.Head(t.Context(), destination(), "m-1")
	if err != nil || len(winners) != 1 || head.Writer != winners[0] {
		t.Errorf("winners are %q, head is %+v (%v)", winners, head, err)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	const prefix = "journal/cn-hangzhou/golden-images/nightly/qcow2/m-1/"
	for name, c := range map[string]struct {
		revisions int
		prepare   func(t *testing.T, j *manifest.Journal, store *manifesttest.Store)
		want      int
		err       error
	}{
		"nothing":                      {revisions: 0, err: manifest.ErrNotFound},
		"one, no manifest":             {revisions: 1, want: 1},
		"many, no manifest":            {revisions: 12, want: 12},
		"manifest is newest":           {revisions: 3, prepare: published(3), want: 3},
		"manifest is stale":            {revisions: 5, prepare: published(2), want: 5},
		"manifest is ahead":            {revisions: 3, prepare: published(4), want: 3},
		"newest revisions are deleted": {revisions: 3, prepare: published(40), err: manifest.ErrUnreadable},
		"manifest is first ahead":      {revisions: 0, prepare: published(1), err: manifest.ErrNotFound},
		"journal is deleted":           {revisions: 0, prepare: published(2), err: manifest.ErrUnreadable},
		"oldest revision is deleted": {revisions: 3, err: manifest.ErrUnreadable, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Uproot(string(layout) + prefix + "00000001.json")
		}},
		"revision between is deleted": {revisions: 4, err: manifest.ErrUnreadable, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Uproot(string(layout) + prefix + "00000003.json")
		}},
		"manifest is damaged": {revisions: 3, want: 3, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(layout.Manifest(destination(), "m-1"), []byte("{"))
		}},
		"manifest is of another image": {revisions: 3, want: 3, prepare: func(t *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(layout.Manifest(destination(), "m-1"), encode(t, queued("m-2", 1)))
		}},
		"manifest is of a newer version": {revisions: 3, want: 3, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(layout.Manifest(destination(), "m-1"), []byte(`{"schema":"imageferry.manifest/v2"}`))
		}},
		"listing is stale": {revisions: 4, want: 4, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			hidden := store.Object(prefix + "00000004.json")
			store.Uproot(string(layout) + prefix + "00000004.json")
			store.SetFault(func(op, key string) (bool, error) {
				if op == manifesttest.Get && strings.HasSuffix(key, "00000004.json") {
					store.Plant(key, hidden) // only now visible
				}
				return false, nil
			})
		}},
		"foreign keys beside the revisions": {revisions: 2, want: 2, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(string(layout)+prefix+"00000009.json.bak", nil)
			store.Plant(string(layout)+prefix+"notes.txt", nil)
			store.Plant(string(layout)+prefix+"old/00000008.json", nil)
		}},
		"newest is damaged": {revisions: 2, err: manifest.ErrUnreadable, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(string(layout)+prefix+"00000003.json", []byte("{"))
		}},
		"newest is of a newer version": {revisions: 2, err: manifest.ErrNewer, prepare: func(t *testing.T, j *manifest.Journal, store *manifesttest.Store) {
			published(2)(t, j, store)
			store.Plant(string(layout)+prefix+"00000003.json", []byte(`{"schema":"imageferry.manifest/v2"}`))
		}},
		"newest is of another image": {revisions: 2, err: manifest.ErrUnreadable, prepare: func(t *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(string(layout)+prefix+"00000003.json", encode(t, queued("m-2", 3)))
		}},
		"newest has another number": {revisions: 2, err: manifest.ErrUnreadable, prepare: func(t *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.Plant(string(layout)+prefix+"00000003.json", encode(t, queued("m-1", 2)))
		}},
		"newest is of another destination": {revisions: 2, err: manifest.ErrUnreadable, prepare: func(t *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			m := queued("m-1", 3)
			m.Destination.Format = "raw"
			store.Plant(string(layout)+prefix+"00000003.json", encode(t, m))
		}},
		"manifest cannot be read": {revisions: 2, err: errCut, prepare: func(_ *testing.T, _ *manifest.Journal, store *manifesttest.Store) {
			store.SetFault(failing(manifesttest.Get, "manifests/", false, errCut))
		}},
		"journal cannot be read": {revisions: 2, err: errCut, prepare: func(t *testing.T, j *manifest.Journal, store *manifesttest.Store) {
			published(2)(t, j, store)
			store.SetFault(failing(manifesttest.Get, "00000003.json", false, errCut))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, store := newJournal(t)
			appendAll(t, j, "m-1", c.revisions)
			if c.prepare != nil {
				c.prepare(t, j, store)
			}
			head, err := j.Head(t.Context(), destination(), "m-1")
			if !errors.Is(err, c.err) {
				t.Fatalf("error is %v, want %v", err, c.err)
			}
			if err == nil && head.Revision != c.want {
				t.Errorf("head is revision %d, want %d", head.Revision, c.want)
			}
		})
	}
}

func published(revision int) func(*testing.T, *manifest.Journal, *manifesttest.Store) {
	return func(t *testing.T, j *manifest.Journal, _ *manifesttest.Store) { publish(t, j, queued("m-1", revision)) }
}

func encode(t *testing.T, m *manifest.Manifest) []byte {
	t.Helper()
	m.Schema = manifest.SchemaV1
	data, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A manifest that is up to date costs three reads, two of them at once, and no listing.
func TestHeadIsCheapWithAManifest(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	appendAll(t, j, "m-1", 9)
	publish(t, j, queued("m-1", 9))
	store.ResetOps()
	if _, err := j.Head(t.Context(), destination(), "m-1"); err != nil {
		t.Fatal(err)
	}
	if ops := store.Ops(); ops[manifesttest.Get] != 3 || ops[manifesttest.List] != 0 {
		t.Errorf("operations are %v", ops)
	}
}

func TestPublished(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	if _, err := j.Published(t.Context(), destination(), "m-1"); !errors.Is(err, manifest.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	publish(t, j, queued("m-1", 2))
	if m, err := j.Published(t.Context(), destination(), "m-1"); err != nil || m.Revision != 2 {
		t.Errorf("published is %+v (%v)", m, err)
	}
	store.Plant(layout.Manifest(destination(), "m-1"), nil)
	if _, err := j.Published(t.Context(), destination(), "m-1"); !errors.Is(err, manifest.ErrUnreadable) {
		t.Errorf("error is %v", err)
	}
}

func TestImagesPages(t *testing.T) {
	t.Parallel()
	j, store := newJournal(t)
	var want []string
	for i := range 7 {
		id := fmt.Sprintf("m-%d", i)
		want = append(want, id)
		publish(t, j, queued(id, 1))
	}
	raw := queued("m-raw", 1)
	raw.Destination.Format = "raw"
	publish(t, j, raw)
	// Somebody else's objects between them must neither be taken for images nor end the listing.
	for _, name := range []string{"a.txt", "b.txt", "m-2.json.bak", "m-3/x.json", "zz"} {
		store.Plant(layout.Manifests(destination())+name, nil)
	}
	for _, limit := range []int{1, 2, 3, 100} {
		var got []string
		after := ""
		for {
			ids, more, err := j.Images(t.Context(), destination(), after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(ids) > limit {
				t.Errorf("%d ids on a page of %d", len(ids), limit)
			}
			got = append(got, ids...)
			if !more {
				break
			}
			if len(ids) == 0 {
				t.Fatal("a page without a place to go on from")
			}
			after = ids[len(ids)-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d list %q, want %q", limit, got, want)
		}
	}
}

func TestJournalHonoursContext(t *testing.T) {
	t.Parallel()
	j, _ := newJournal(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, queued("m-1", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if _, err := j.Head(ctx, destination(), "m-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("head: %v", err)
	}
}
