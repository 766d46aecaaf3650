package ossd

import (
	"crypto/md5" // #nosec G501 -- OSS's ETags and Content-MD5 are MD5; they are checksums
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/localcloud/content"
)

// Object types, as OSS names them.
const (
	kindNormal     = "Normal"
	kindAppendable = "Appendable"
	kindMultipart  = "Multipart"
)

// An object is one stored object. It is never changed: a write puts another one in its place.
type object struct {
	key          string
	content      content.Content
	etag         string // without quotes
	crc          uint64
	modified     time.Time
	kind         string
	storageClass string
	versionID    string      // empty in a bucket that was never versioned
	encryption   string      // the server-side encryption that the bucket applied, empty for none
	header       http.Header // what the writer had stored with it: content headers and user metadata
}

func (o *object) quotedETag() string { return `"` + o.etag + `"` }

// storedHeaders are kept with an object and answered with it, like every x-oss-meta-*.
var storedHeaders = []string{
	"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires",
}

const (
	metaPrefix = "X-Oss-Meta-"
	maxMeta    = 8 << 10
)

// newObject makes the object that a PutObject or a first AppendObject stores, without adding it to the bucket.
func newObject(r *request, kind string) (*object, *Error) {
	if err := checkDigest(r); err != nil {
		return nil, err
	}
	o, err := describeObject(r, kind)
	if err != nil {
		return nil, err
	}
	o.content, o.crc, o.etag = r.body, r.body.CRC64(), newETag(r.digest)
	return o, nil
}

func newETag(sum [md5.Size]byte) string { return strings.ToUpper(hex.EncodeToString(sum[:])) }

// describeObject makes the object that a request's headers describe, without content.
func describeObject(r *request, kind string) (*object, *Error) {
	o := &object{key: r.key, kind: kind, modified: now(), storageClass: r.header.Get("x-oss-storage-class"), header: http.Header{}}
	if o.storageClass != "" && !slices.Contains(storageClasses, o.storageClass) {
		return nil, invalidArgument("The specified storage class is invalid.") // Guess: message
	}
	for _, name := range storedHeaders {
		if value := r.header.Get(name); value != "" {
			o.header.Set(name, value)
		}
	}
	size := 0
	for name, values := range r.header {
		if strings.HasPrefix(name, metaPrefix) {
			o.header[name] = values
			size += len(name) - len(metaPrefix) + len(strings.Join(values, ""))
		}
	}
	if size > maxMeta {
		return nil, invalidArgument("The metadata of the object is too large.") // Guess: code and message
	}
	return o, nil
}

// checkDigest compares the body with its Content-MD5, if there is one.
func checkDigest(r *request) *Error {
	want := r.header.Get("Content-MD5")
	if want == "" {
		return nil
	}
	if want != base64.StdEncoding.EncodeToString(r.digest[:]) {
		return &Error{Status: http.StatusBadRequest, Code: "InvalidDigest", Message: "The Content-MD5 you specified was invalid."}
	}
	return nil
}

// putObject stores an object, in place of any other under its key. With x-oss-forbid-overwrite it creates or refuses in
// one atomic step, except that OSS ignores the header on a bucket whose versioning is Enabled or Suspended.
//
// On such a bucket every object gets a version id. The embedded OSS keeps only the newest version.
func (s *Server) putObject(r *request) (answer, *Error) {
	if r.header.Get("If-None-Match") != "" || r.header.Get("If-Match") != "" {
		return answer{}, notImplemented() // Guess: OSS documents no conditional PutObject; its S3 dialect answers so
	}
	create, err := forbidsOverwrite(r)
	if err != nil {
		return answer{}, err
	}
	o, err := newObject(r, kindNormal)
	if err != nil {
		return answer{}, err
	}
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.takes(r.key, create); err != nil {
		return answer{}, err
	}
	b.store(o, r, "ObjectCreated:PutObject")
	a := newAnswer(http.StatusOK)
	a.header.Set("Content-MD5", base64.StdEncoding.EncodeToString(r.digest[:]))
	a.describeWrite(o)
	return a, nil
}

// takes tells why the bucket takes no object under the key, if so; create forbids to overwrite one. The caller holds the
// lock.
func (b *bucket) takes(key string, create bool) *Error {
	if create && b.spec.Versioning == "" && b.objects.get(key) != nil {
		return fileAlreadyExists()
	}
	return b.retained(key)
}

func forbidsOverwrite(r *request) (bool, *Error) {
	switch r.header.Get("x-oss-forbid-overwrite") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	err := invalidArgument("The value of x-oss-forbid-overwrite is invalid.") // Guess: code and message; the EC is documented
	err.EC = "0017-00000279"
	return false, err
}

// store puts the object into the bucket, whose lock the caller holds, and notes what is to be announced.
func (b *bucket) store(o *object, r *request, event string) {
	if o.storageClass == "" {
		o.storageClass = b.spec.StorageClass
	}
	o.versionID, o.encryption = b.newVersionID(), b.spec.SSEAlgorithm
	b.objects.put(o)
	r.created = &ObjectCreated{Bucket: b.spec.Name, Key: o.key, ETag: o.etag, Size: o.content.Size(), EventName: event,
		Region: b.spec.Region, RequestID: r.id, Time: o.modified}
}

// newVersionID returns the id of a new version: opaque when versioning is Enabled, "null" when it is Suspended.
func (b *bucket) newVersionID() string {
	switch b.spec.Versioning {
	case "Enabled":
		return "CAEQ" + rand.Text()
	case "Suspended":
		return "null"
	}
	return ""
}

func (a answer) describeWrite(o *object) {
	a.header.Set("ETag", o.quotedETag())
	a.header.Set("x-oss-hash-crc64ecma", strconv.FormatUint(o.crc, 10))
	if o.versionID != "" {
		a.header.Set("x-oss-version-id", o.versionID)
	}
	if o.encryption != "" {
		a.header.Set("x-oss-server-side-encryption", o.encryption)
	}
}

// appendObject adds to an appendable object, or creates it, if the position is its length: a compare-and-swap on the
// length. The answer to a wrong position says the right one.
func (s *Server) appendObject(r *request) (answer, *Error) {
	position, parseErr := strconv.ParseInt(r.query.Get("position"), 10, 64)
	if parseErr != nil || position < 0 {
		return answer{}, invalidArgument("The position is not a valid integer.") // Guess: message
	}
	part, err := newObject(r, kindAppendable)
	if err != nil {
		return answer{}, err
	}
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.objects.get(r.key)
	if old != nil && old.kind != kindAppendable {
		return answer{}, &Error{Status: http.StatusConflict, Code: "ObjectNotAppendable", Message: "The object is not appendable."}
	}
	var length int64
	if old != nil {
		length = old.content.Size()
	}
	if position != length {
		return answer{}, &Error{Status: http.StatusConflict, Code: "PositionNotEqualToLength", EC: "0026-00000016",
			Message: "Position is not equal to file length",
			header:  http.Header{"X-Oss-Next-Append-Position": {strconv.FormatInt(length, 10)}}}
	}
	o := part
	if old != nil {
		o = old.extended(part)
	}
	if o.content.Stored() > int64(s.maxBody) || o.content.Size() > maxPut {
		return answer{}, entityTooLarge()
	}
	b.store(o, r, "ObjectCreated:AppendObject")
	a := newAnswer(http.StatusOK)
	a.header.Set("x-oss-next-append-position", strconv.FormatInt(o.content.Size(), 10))
	a.describeWrite(o)
	return a, nil
}

// extended is the appendable object with the part at its end; headers stay those of the first part. The ETag, as with OSS,
// is not the MD5 of the content.
func (o *object) extended(part *object) *object {
	longer := *o
	longer.content = content.Join(o.content, part.content)
	longer.crc = longer.content.CRC64()
	longer.modified = part.modified
	longer.etag = newETag(md5.Sum([]byte(o.etag + part.etag))) // #nosec G401 -- a checksum
	return &longer
}

// deleteObject removes an object; removing what does not exist succeeds. On a versioned bucket the answer tells of a
// delete marker, as OSS's does, though the embedded OSS keeps no older version behind it.
func (s *Server) deleteObject(r *request) (answer, *Error) {
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.retained(r.key); err != nil {
		return answer{}, err
	}
	b.objects.remove(r.key)
	a := newAnswer(http.StatusNoContent)
	if id := b.newVersionID(); id != "" {
		a.header.Set("x-oss-version-id", id)
		a.header.Set("x-oss-delete-marker", "true")
	}
	return a, nil
}
