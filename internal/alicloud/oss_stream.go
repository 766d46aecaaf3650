package alicloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// A stream is the transport of a call whose good answer is too long to be kept: it hands the body to the caller, and lets the
// exchange see an answer without one. The body lives as long as the caller's context, the wait for it as long as the try.
type stream struct {
	http http.RoundTripper
	ctx  context.Context
	idle time.Duration // the longest wait for the next bytes
	body io.ReadCloser // of the last good answer
}

func (s *stream) RoundTrip(request *http.Request) (*http.Response, error) {
	s.close()
	try := request.Context()
	ctx, cancel := context.WithCancel(context.WithoutCancel(try))
	inTime := context.AfterFunc(try, cancel)
	response, err := s.http.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		response.Body = &flow{body: response.Body, end: cancel}
		return response, nil
	}
	if !inTime() {
		cancel()
		_ = response.Body.Close()
		return nil, context.Cause(try)
	}
	ended := context.AfterFunc(s.ctx, cancel)
	s.body = &flow{body: response.Body, idle: s.idle, stop: cancel, end: func() { ended(); cancel() }}
	response.Body = http.NoBody
	return response, nil
}

// close gives up a body that nobody is going to read.
func (s *stream) close() {
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

// A flow is a body that ends with an error when nothing comes for too long.
type flow struct {
	body io.ReadCloser
	idle time.Duration // 0: no limit
	stop func()
	end  func()
}

// errIdle: the service has stopped sending.
var errIdle = errors.New("nothing came for too long")

func (f *flow) Read(p []byte) (int, error) {
	if f.idle == 0 {
		return f.body.Read(p)
	}
	timer := time.AfterFunc(f.idle, f.stop)
	n, err := f.body.Read(p)
	if !timer.Stop() && err != nil && !errors.Is(err, io.EOF) {
		err = errIdle
	}
	return n, err
}

func (f *flow) Close() error {
	defer f.end()
	return f.body.Close()
}

// A gate lets a body be read until it is shut: a transport may go on reading after it has answered.
type gate struct {
	mu   sync.RWMutex
	body io.ReaderAt
}

var errShut = errors.New("the request is over")

func (g *gate) ReadAt(p []byte, at int64) (int, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.body == nil {
		return 0, errShut
	}
	return g.body.ReadAt(p, at)
}

// shut waits for the reads that are under way.
func (g *gate) shut() {
	g.mu.Lock()
	g.body = nil
	g.mu.Unlock()
}
