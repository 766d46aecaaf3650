// Package manifesttest helps to test what rests on a manifest.Store: a store in memory, one around it that watches over
// the journal's rules, and the tests that every implementation has to pass.
package manifesttest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"imageferry/internal/manifest"
)

// Memory is a manifest.Store in memory: never stale, and without failures of its own. The zero value is empty and ready.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

var _ manifest.Store = (*Memory)(nil)

// Create stores data under a free key.
func (m *Memory) Create(ctx context.Context, key string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.objects[key]; taken {
		return fmt.Errorf("create %s: %w", key, manifest.ErrExists)
	}
	m.set(key, data)
	return nil
}

// Put stores data over whatever is there.
func (m *Memory) Put(ctx context.Context, key string, data []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(key, data)
	return nil
}

func (m *Memory) set(key string, data []byte) {
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[key] = bytes.Clone(data)
}

// Get returns a copy of what is stored.
func (m *Memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[key]
	if !ok {
		return nil, fmt.Errorf("get %s: %w", key, manifest.ErrNotFound)
	}
	return bytes.Clone(data), nil
}

// Delete removes a key, if it is there.
func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// List lists keys in byte order.
func (m *Memory) List(ctx context.Context, prefix, after string, limit int) ([]string, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("list %s: %w", prefix, err)
	}
	if limit < 1 || limit > 1000 {
		return nil, false, fmt.Errorf("list %s: limit is %d", prefix, limit)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys[:min(limit, len(keys))], len(keys) > limit, nil
}
