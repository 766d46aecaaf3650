package manifesttest

import (
	"context"
	"fmt"
	"maps"
	"path"
	"strings"
	"sync"
	"testing"

	"imageferry/internal/manifest"
)

// The names of a Store's operations.
const (
	Create = "create"
	Put    = "put"
	Get    = "get"
	Delete = "delete"
	List   = "list"
)

// A Fault is asked before every operation; for List the key is the prefix. An error is returned in the operation's place,
// after it was applied if apply is set: so an answer gets lost. A Fault may block, and may be called concurrently.
type Fault func(op, key string) (apply bool, err error)

// A Store is a Memory that fails the test when the rules of the three prefixes are broken: only revisions are created,
// under their own keys, without gaps and valid against the published schema; they are never put or deleted; only manifests
// and the index are put; only the index is deleted.
type Store struct {
	t      testing.TB
	layout string
	inner  Memory

	mu    sync.Mutex
	fault Fault
	ops   map[string]int
}

var _ manifest.Store = (*Store)(nil)

// NewStore returns an empty store for the keys under a layout.
func NewStore(t testing.TB, layout manifest.Layout) *Store {
	return &Store{t: t, layout: string(layout), ops: map[string]int{}}
}

// SetFault sets the fault from now on; nil ends it.
func (s *Store) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Ops counts the operations by name since the last ResetOps.
func (s *Store) Ops() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.ops)
}

// ResetOps begins counting anew.
func (s *Store) ResetOps() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ops = map[string]int{}
}

// Plant stores what nobody could write through the store: a damaged object, or somebody else's.
func (s *Store) Plant(key string, data []byte) {
	_ = s.inner.Put(context.Background(), key, data)
}

// Uproot removes what nobody could delete through the store.
func (s *Store) Uproot(key string) {
	_ = s.inner.Delete(context.Background(), key)
}

// Keys lists the keys under a prefix of the layout, without the layout, whatever the fault.
func (s *Store) Keys(prefix string) []string {
	var keys []string
	after := ""
	for {
		page, more, err := s.inner.List(context.Background(), s.layout+prefix, after, 1000)
		if err != nil {
			s.t.Errorf("list %s: %v", prefix, err)
		}
		for _, key := range page {
			keys = append(keys, strings.TrimPrefix(key, s.layout))
		}
		if !more {
			return keys
		}
		after = page[len(page)-1]
	}
}

// Object is what is stored under a key without the layout, whatever the fault; nil when nothing is.
func (s *Store) Object(key string) []byte {
	data, err := s.inner.Get(context.Background(), s.layout+key)
	if err != nil {
		return nil
	}
	return data
}

// Create checks and creates a revision.
func (s *Store) Create(ctx context.Context, key string, data []byte) error {
	return s.do(Create, key, func() error {
		s.checkCreate(key, data)
		return s.inner.Create(ctx, key, data)
	})
}

// Put checks and stores a manifest, or an entry of the index.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	return s.do(Put, key, func() error {
		s.checkPut(key, data)
		return s.inner.Put(ctx, key, data)
	})
}

// Get reads a key.
func (s *Store) Get(ctx context.Context, key string) (data []byte, err error) {
	err = s.do(Get, key, func() (err error) {
		data, err = s.inner.Get(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Delete checks and removes an entry of the index.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.do(Delete, key, func() error {
		if !strings.HasPrefix(key, s.layout+"active/") {
			s.t.Errorf("delete %s: not in the index", key)
		}
		return s.inner.Delete(ctx, key)
	})
}

// List lists keys.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (keys []string, more bool, err error) {
	err = s.do(List, prefix, func() (err error) {
		keys, more, err = s.inner.List(ctx, prefix, after, limit)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return keys, more, nil
}

// do counts an operation, asks the fault and applies.
func (s *Store) do(op, key string, apply func() error) error {
	s.mu.Lock()
	s.ops[op]++
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		return apply()
	}
	applied, err := fault(op, key)
	if err == nil {
		return apply()
	}
	if applied {
		_ = apply()
	}
	return err
}

func (s *Store) checkCreate(key string, data []byte) {
	rest, ok := strings.CutPrefix(key, s.layout+"journal/")
	if !ok {
		s.t.Errorf("create %s: only revisions are created", key)
		return
	}
	m := s.check(Create, key, data)
	if m == nil {
		return
	}
	if want := fmt.Sprintf("%s/%s/%08d.json", where(m.Destination), m.Image.ID, m.Revision); rest != want {
		s.t.Errorf("create %s: the revision belongs to %s", key, want)
	}
	if m.Revision > 1 && s.Object("journal/"+path.Dir(rest)+fmt.Sprintf("/%08d.json", m.Revision-1)) == nil {
		s.t.Errorf("create %s: the revision before it is missing", key)
	}
}

func (s *Store) checkPut(key string, data []byte) {
	if strings.HasPrefix(key, s.layout+"active/") {
		return
	}
	rest, ok := strings.CutPrefix(key, s.layout+"manifests/")
	if !ok {
		s.t.Errorf("put %s: neither a manifest nor in the index", key)
		return
	}
	m := s.check(Put, key, data)
	if m == nil {
		return
	}
	if want := where(m.Destination) + "/" + m.Image.ID + ".json"; rest != want {
		s.t.Errorf("put %s: the manifest belongs to %s", key, want)
	}
}

// check is the manifest in data, nil after reporting that it is none.
func (s *Store) check(op, key string, data []byte) *manifest.Manifest {
	if err := Validate(data); err != nil {
		s.t.Errorf("%s %s: %v\n%s", op, key, err, data)
		return nil
	}
	m, err := manifest.Decode(data)
	if err != nil {
		s.t.Errorf("%s %s: %v", op, key, err)
		return nil
	}
	return m
}

// where spells a destination as the published layout does.
func where(d manifest.Destination) string {
	prefix := d.Prefix
	if prefix == "" {
		prefix = "-"
	}
	return d.Region + "/" + d.Bucket + "/" + prefix + "/" + d.Format
}
