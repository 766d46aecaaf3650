package unpacktest

import (
	"context"
	"errors"
	"io"
	"sync"

	"imageferry/internal/unpack"
)

// ErrInjected is what a Failing store answers with.
var ErrInjected = errors.New("injected failure")

// A Moment says what becomes of the call that fails.
type Moment int

// The moments.
const (
	// Before: the call is refused and changes nothing.
	Before Moment = iota
	// After: the call is applied, and its answer is lost.
	After
)

// Failing numbers the calls to a store, from 0, and fails from one of them on, as a process does that is killed there: every
// later call is refused.
type Failing struct {
	// At is the first call that fails; a negative one lets all through.
	At     int
	Moment Moment
	// Once lets the calls after the first failure through again.
	Once bool
	// Killed, if set, is called once at the first failure.
	Killed func()

	Store unpack.Store

	lock  sync.Mutex
	calls []string
}

var _ unpack.Store = (*Failing)(nil)

// Calls returns the names of the calls so far.
func (f *Failing) Calls() []string {
	f.lock.Lock()
	defer f.lock.Unlock()
	return append([]string(nil), f.calls...)
}

// call does one call, or fails it.
func call[T any](f *Failing, name string, do func() (T, error)) (T, error) {
	f.lock.Lock()
	n := len(f.calls)
	f.calls = append(f.calls, name)
	f.lock.Unlock()
	var none T
	switch {
	case f.At < 0 || n < f.At || f.Once && n > f.At:
		return do()
	case n > f.At:
		return none, ErrInjected
	}
	if f.Moment == After {
		_, _ = do() // its answer is what is lost
	}
	if f.Killed != nil {
		f.Killed()
	}
	return none, ErrInjected
}

// Head implements unpack.Store.
func (f *Failing) Head(ctx context.Context, key string) (unpack.Object, error) {
	return call(f, "Head", func() (unpack.Object, error) { return f.Store.Head(ctx, key) })
}

// Read implements unpack.Store.
func (f *Failing) Read(ctx context.Context, r unpack.Range) (io.ReadCloser, error) {
	return call(f, "Read", func() (io.ReadCloser, error) { return f.Store.Read(ctx, r) })
}

// Put implements unpack.Store.
func (f *Failing) Put(ctx context.Context, key string, body io.ReaderAt, size int64) (unpack.Object, error) {
	return call(f, "Put", func() (unpack.Object, error) { return f.Store.Put(ctx, key, body, size) })
}

// Delete implements unpack.Store.
func (f *Failing) Delete(ctx context.Context, key string) error {
	_, err := call(f, "Delete", func() (struct{}, error) { return struct{}{}, f.Store.Delete(ctx, key) })
	return err
}

// List implements unpack.Store.
func (f *Failing) List(ctx context.Context, prefix string) ([]unpack.Object, error) {
	return call(f, "List", func() ([]unpack.Object, error) { return f.Store.List(ctx, prefix) })
}

// Begin implements unpack.Store.
func (f *Failing) Begin(ctx context.Context, key string) (unpack.Upload, error) {
	return call(f, "Begin", func() (unpack.Upload, error) { return f.Store.Begin(ctx, key) })
}

// Uploads implements unpack.Store.
func (f *Failing) Uploads(ctx context.Context, prefix string) ([]unpack.Upload, error) {
	return call(f, "Uploads", func() ([]unpack.Upload, error) { return f.Store.Uploads(ctx, prefix) })
}

// Abort implements unpack.Store.
func (f *Failing) Abort(ctx context.Context, u unpack.Upload) error {
	_, err := call(f, "Abort", func() (struct{}, error) { return struct{}{}, f.Store.Abort(ctx, u) })
	return err
}

// PutPart implements unpack.Store.
func (f *Failing) PutPart(ctx context.Context, u unpack.Upload, p unpack.Part, body io.ReaderAt) (unpack.Part, error) {
	return call(f, "PutPart", func() (unpack.Part, error) { return f.Store.PutPart(ctx, u, p, body) })
}

// CopyPart implements unpack.Store.
func (f *Failing) CopyPart(ctx context.Context, u unpack.Upload, number int, from unpack.Range) (unpack.Part, error) {
	return call(f, "CopyPart", func() (unpack.Part, error) { return f.Store.CopyPart(ctx, u, number, from) })
}

// Parts implements unpack.Store.
func (f *Failing) Parts(ctx context.Context, u unpack.Upload) ([]unpack.Part, error) {
	return call(f, "Parts", func() ([]unpack.Part, error) { return f.Store.Parts(ctx, u) })
}

// Complete implements unpack.Store.
func (f *Failing) Complete(ctx context.Context, u unpack.Upload, parts []unpack.Part) (unpack.Object, error) {
	return call(f, "Complete", func() (unpack.Object, error) { return f.Store.Complete(ctx, u, parts) })
}
