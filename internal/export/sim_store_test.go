package export

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"imageferry/internal/manifest"
)

// A simStore is the manifest bucket. It asserts at each write what the journal, the manifests and the index promise.
type simStore struct {
	sim     *simulation
	objects map[string]*simStored
	// heads are the newest revisions by image.
	heads map[string]*manifest.Manifest
	// markers are the keys of the index by image.
	markers map[string]map[string]bool
}

// A simStored is what is under a key, and when it came and went.
type simStored struct {
	data    []byte // nil: nothing
	changes []time.Time
}

// thereAt tells whether there was something at a time: the changes alternate between coming and going.
func (o *simStored) thereAt(t time.Time) bool {
	n := 0
	for _, at := range o.changes {
		if !at.After(t) {
			n++
		}
	}
	return n%2 == 1
}

func newSimStore(s *simulation) *simStore {
	return &simStore{sim: s, objects: map[string]*simStored{}, heads: map[string]*manifest.Manifest{}, markers: map[string]map[string]bool{}}
}

func (b *simStore) get(key string) []byte {
	if o := b.objects[key]; o != nil {
		return o.data
	}
	return nil
}

func (b *simStore) set(key string, data []byte) {
	o := b.objects[key]
	if o == nil {
		o = &simStored{}
		b.objects[key] = o
	}
	if (o.data == nil) != (data == nil) {
		o.changes = append(o.changes, time.Now())
	}
	o.data = data
}

func (b *simStore) create(key string, data []byte) error {
	if b.get(key) != nil {
		return fmt.Errorf("create %s: %w", key, manifest.ErrExists)
	}
	b.sim.checkRevision(key, data)
	b.set(key, bytes.Clone(data))
	return nil
}

func (b *simStore) put(key string, data []byte) {
	b.sim.checkSecret("put "+key, string(data))
	switch rest := strings.TrimPrefix(key, string(testLayout)); {
	case strings.HasPrefix(rest, "manifests/"):
		b.sim.checkManifest(key, data)
	case strings.HasPrefix(rest, "active/queued/"), strings.HasPrefix(rest, "active/exporting/"):
		image := key[strings.LastIndexByte(key, '/')+1:]
		if b.markers[image] == nil {
			b.markers[image] = map[string]bool{}
		}
		b.markers[image][key] = true
	case strings.HasPrefix(rest, "active/ended/"):
		b.sim.checkEnding(key)
	case rest == "active/hold", rest == "active/complete", rest == "active/census":
	default:
		b.sim.violate("put %s: outside of the prefixes", key)
	}
	b.set(key, append([]byte{}, data...))
}

func (b *simStore) remove(key string) {
	if !strings.HasPrefix(key, string(testLayout)+"active/") {
		b.sim.violate("delete %s: not in the index", key)
	}
	if b.get(key) == nil {
		return
	}
	b.set(key, nil)
	image := key[strings.LastIndexByte(key, '/')+1:]
	if markers := b.markers[image]; markers != nil {
		delete(markers, key)
		b.sim.checkMarkers(image, "delete "+key)
	}
}

// list is what a listing showed a while ago.
func (b *simStore) list(prefix, after string, limit int, old time.Duration) ([]string, bool) {
	at := time.Now().Add(-old)
	var keys []string
	for key, o := range b.objects {
		if key > after && strings.HasPrefix(key, prefix) && (old == 0 && o.data != nil || old > 0 && o.thereAt(at)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], len(keys) > limit
}

// The store of one process.

func (p *simProcess) Create(ctx context.Context, key string, data []byte) error {
	return p.call(ctx, "create", key, func() error { return p.sim.store.create(key, data) })
}

func (p *simProcess) Put(ctx context.Context, key string, data []byte) error {
	return p.call(ctx, "put", key, func() error { p.sim.store.put(key, data); return nil })
}

func (p *simProcess) Delete(ctx context.Context, key string) error {
	return p.call(ctx, "delete", key, func() error { p.sim.store.remove(key); return nil })
}

func (p *simProcess) Get(ctx context.Context, key string) ([]byte, error) {
	var data []byte
	err := p.call(ctx, "get", key, func() error {
		if data = p.sim.store.get(key); data == nil {
			return fmt.Errorf("get %s: %w", key, manifest.ErrNotFound)
		}
		return nil
	})
	return data, err
}

func (p *simProcess) List(ctx context.Context, prefix, after string, limit int) (keys []string, more bool, err error) {
	err = p.call(ctx, "list", prefix+" after "+after, func() error {
		old := time.Duration(0)
		if !p.calm && p.sim.plan.staleness > 0 {
			old = p.chance.derive("stale "+prefix+after, int(time.Now().UnixNano())).between(0, p.sim.plan.staleness)
		}
		keys, more = p.sim.store.list(prefix, after, limit, old)
		return nil
	})
	return keys, more, err
}
