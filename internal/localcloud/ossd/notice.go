package ossd

import (
	"sync"
	"time"
)

// ObjectCreated announces that an object was written, as OSS tells the triggers of Function Compute.
type ObjectCreated struct {
	Bucket, Key string
	// ETag is the object's entity tag without quotes; Size is the whole object's in bytes.
	ETag string
	Size int64
	// EventName is "ObjectCreated:" and the operation: PutObject, AppendObject, CopyObject or CompleteMultipartUpload.
	EventName string
	// Region is the bucket's, such as "cn-hangzhou".
	Region    string
	RequestID string
	Time      time.Time
}

type notices struct {
	mu          sync.RWMutex
	subscribers []func(ObjectCreated)
}

// Subscribe has f called, outside any lock, for every object written from now on. The call that wrote it is answered
// after f returns, so f hands long work to somebody else. A write whose answer is lost is announced like any other.
func (s *Server) Subscribe(f func(ObjectCreated)) {
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	s.notices.subscribers = append(s.notices.subscribers, f)
}

func (n *notices) send(e ObjectCreated) {
	n.mu.RLock()
	subscribers := n.subscribers
	n.mu.RUnlock()
	for _, f := range subscribers {
		f(e)
	}
}
