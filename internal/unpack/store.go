package unpack

import (
	"context"
	"errors"
	"io"
	"time"
)

// Errors of a Store, to be told apart with errors.Is.
var (
	// ErrAbsent: no object has the key.
	ErrAbsent = errors.New("no such object")
	// ErrChanged: the object is there, with another ETag than the one asked for.
	ErrChanged = errors.New("object changed")
	// ErrExists: an object has the key already.
	ErrExists = errors.New("object already exists")
	// ErrNoUpload: the multipart upload was completed or aborted, or never begun.
	ErrNoUpload = errors.New("no such multipart upload")
)

// An Object is what the store says about a stored object.
type Object struct {
	Key  string
	Size int64
	// ETag identifies the content: opaque, without quotes, compared byte by byte.
	ETag string
	// CRC64 is the ECMA CRC-64 of the whole content (x-oss-hash-crc64ecma) if HasCRC64.
	CRC64    uint64
	HasCRC64 bool
	Modified time.Time
}

// An Upload is a multipart upload that was begun and neither completed nor aborted.
type Upload struct {
	Key, ID string
	Begun   time.Time
}

// A Part is one part of a multipart upload.
type Part struct {
	// Number counts from 1 to MaxParts.
	Number int
	Size   int64
	// ETag is the MD5 of the part in hexadecimal, without quotes, in either case, as OSS gives it for sent and for copied
	// parts.
	ETag string
}

// A Range is a part of one version of a stored object, in bytes.
type Range struct {
	Key, ETag      string
	Offset, Length int64
}

// A Reader reads the objects of one bucket. Implementations MUST be safe for concurrent use and MUST honour ctx. They retry a
// request that failed on the way or was throttled, a bounded number of times and within ctx; an error is what remains then.
type Reader interface {
	// Head describes the object as it is now; nothing there is ErrAbsent.
	Head(ctx context.Context, key string) (Object, error)
	// Read opens a range for reading: r.Length bytes from r.Offset, both within the object. With r.ETag the object MUST still
	// have it, else ErrChanged; nothing there is ErrAbsent. Only opening is retried inside: a body that breaks off is the
	// caller's to continue, and MUST then end with an error, not with io.EOF. ctx covers the body too. The caller closes it.
	Read(ctx context.Context, r Range) (io.ReadCloser, error)
}

// Objects keeps whole objects in one bucket. The rules of Reader hold for all of it. A write that returned nil is durable, and
// seen by every later Head and Read of its key; after an error it may or may not have happened.
type Objects interface {
	Reader
	// Put stores the size bytes of body under the key, over whatever is there, and answers with at least its ETag. Each try reads body from its beginning
	// (io.NewSectionReader); body is never read after Put has returned.
	Put(ctx context.Context, key string, body io.ReaderAt, size int64) (Object, error)
	// Delete removes the object; nothing there is no error.
	Delete(ctx context.Context, key string) error
	// List returns all objects whose keys begin with prefix, in byte order of the keys. ETag and CRC64 may be missing, and a
	// listing may be stale.
	List(ctx context.Context, prefix string) ([]Object, error)
}

// Uploads builds objects out of parts in one bucket. The rules of Objects hold here, too. Everything that names an upload
// answers ErrNoUpload when it is completed or aborted.
type Uploads interface {
	// Begin starts a multipart upload. One whose answer was lost stays until somebody aborts it: callers list and abort.
	Begin(ctx context.Context, key string) (Upload, error)
	// Uploads returns all unfinished uploads whose keys begin with prefix. An upload that was begun by a finished Begin MUST
	// be among them.
	Uploads(ctx context.Context, prefix string) ([]Upload, error)
	// Abort ends the upload and removes its parts; one that is gone is no error.
	Abort(ctx context.Context, u Upload) error
	// PutPart stores p.Size bytes of body as part p.Number, over an earlier one of that number. p.ETag is their MD5, which the
	// store MUST check (Content-MD5). Each try reads body from its beginning. It is safe to go on using the memory behind body
	// once PutPart has returned: reading it fails from then on. The answer carries the ETag that the store gave.
	PutPart(ctx context.Context, u Upload, p Part, body io.ReaderAt) (Part, error)
	// CopyPart makes part number out of a range of an object in the same bucket, on the server. The object MUST have the ETag,
	// else ErrChanged; nothing there is ErrAbsent.
	CopyPart(ctx context.Context, u Upload, number int, from Range) (Part, error)
	// Parts returns all parts of the upload, by number.
	Parts(ctx context.Context, u Upload) ([]Part, error)
	// Complete makes the object out of exactly these parts, in ascending order of their numbers; a part that is not there with
	// that ETag is an error. It never replaces an object: one that is there is ErrExists (x-oss-forbid-overwrite), even if a
	// try of this call whose answer was lost has made it. After any error the caller looks with Head. The answer has the
	// object's CRC64 if the store knows it.
	Complete(ctx context.Context, u Upload, parts []Part) (Object, error)
}

// A Store is a bucket that a target is written to.
type Store interface {
	Objects
	Uploads
}
