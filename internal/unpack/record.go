package unpack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Next to a target lie its record and, while it is being made, the object of zeros.
const (
	recordSuffix = ".unpack/record.json"
	zerosSuffix  = ".unpack/zeros"
)

// A record is what a run leaves for the next one. It is stored before an upload is begun, again with the upload, again with
// the seal before the upload is completed, and deleted last: whatever belongs to a target has a record next to it.
type record struct {
	Version int    `json:"version"`
	Source  origin `json:"source"`
	Plan    string `json:"plan"`
	// Upload is empty while it is being begun.
	Upload string `json:"upload,omitempty"`
	// Seal is there when all parts are stored and all checksums were right.
	Seal *seal `json:"seal,omitempty"`
}

const recordVersion = 1

// An origin identifies the version of the source.
type origin struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	ETag   string `json:"etag"`
	Size   int64  `json:"size"`
}

// A seal is what the target is going to be.
type seal struct {
	Size   int64  `json:"size"`
	CRC64  uint64 `json:"crc64,string"`
	Format Format `json:"format"`
	// Parts is the digest of the parts that make it.
	Parts string `json:"parts"`
}

// fits reports whether the object is the sealed target.
func (s *seal) fits(o Object) bool {
	return s != nil && o.Size == s.Size && o.HasCRC64 && o.CRC64 == s.CRC64
}

// serves reports whether the record is of a source that the manifest describes like this.
func (r *record) serves(src Source) bool {
	return r.Source.Bucket == src.Bucket && r.Source.Key == src.Key &&
		(src.ETag == "" || src.ETag == r.Source.ETag) && (src.Size == 0 || src.Size == r.Source.Size)
}

// plan identifies everything that the parts of a target depend on.
func plan(o origin, l limits) string {
	text := fmt.Sprintf("%d %q %q %q %d %d %d %d %d", recordVersion, o.Bucket, o.Key, o.ETag, o.Size,
		l.chunk, l.part, l.parts, l.maxParts)
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// digest identifies a list of parts.
func digest(parts []Part) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %d %s\n", p.Number, p.Size, strings.ToLower(p.ETag))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// loadRecord returns the record next to the target, or nil. One that cannot be read is as good as an empty one: it fits
// nothing, and what it stood for is removed.
func loadRecord(ctx context.Context, store Reader, key string) (*record, error) {
	object, err := store.Head(ctx, key+recordSuffix)
	if errors.Is(err, ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the record: %w", err)
	}
	const largest = 64 << 10
	data, err := readRange(ctx, store, Range{Key: object.Key, ETag: object.ETag, Length: min(object.Size, largest)})
	if err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.Version != recordVersion {
		return &record{}, nil
	}
	return &r, nil
}

func saveRecord(ctx context.Context, store Objects, key string, r *record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the record: %w", err)
	}
	if _, err := store.Put(ctx, key+recordSuffix, bytes.NewReader(data), int64(len(data))); err != nil {
		return fmt.Errorf("store the record: %w", err)
	}
	return nil
}

// readRange reads a short range. A body that breaks off is opened once more.
func readRange(ctx context.Context, store Reader, r Range) ([]byte, error) {
	if r.Length == 0 {
		return nil, nil
	}
	data := make([]byte, r.Length)
	for again := true; ; again = false {
		body, err := store.Read(ctx, r)
		if err != nil {
			return nil, err
		}
		_, err = io.ReadFull(body, data)
		_ = body.Close() // everything asked for was read, or it is asked for again
		if err == nil {
			return data, nil
		}
		if !again || ctx.Err() != nil {
			return nil, err
		}
	}
}
