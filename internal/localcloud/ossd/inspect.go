package ossd

import (
	"time"

	"imageferry/internal/localcloud/content"
)

// Content is what is stored under a key, and whether there is such an object: for tests, without a call and without
// permissions.
func (s *Server) Content(bucket, key string) (content.Content, bool) {
	b := s.lookup(bucket)
	if b == nil {
		return content.Content{}, false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	o := b.objects.get(key)
	if o == nil {
		return content.Content{}, false
	}
	return o.content, true
}

// Keys are the keys of a bucket in order, without a call and without permissions; none when there is no such bucket.
func (s *Server) Keys(bucket string) []string {
	b := s.lookup(bucket)
	if b == nil {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var keys []string
	for o := range b.objects.from("") {
		keys = append(keys, o.key)
	}
	return keys
}

// An Upload is a multipart upload that was neither completed nor aborted.
type Upload struct {
	ID, Key   string
	Initiated time.Time
	// Parts is how many parts it has, Size their bytes together.
	Parts int
	Size  int64
}

// Uploads are the multipart uploads in progress of a bucket, by key, without a call and without permissions.
func (s *Server) Uploads(bucket string) []Upload {
	b := s.lookup(bucket)
	if b == nil {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var list []Upload
	for _, m := range b.orderedUploads() {
		u := Upload{ID: m.id, Key: m.object.key, Initiated: m.initiated, Parts: len(m.parts)}
		for _, p := range m.parts {
			u.Size += p.content.Size()
		}
		list = append(list, u)
	}
	return list
}
