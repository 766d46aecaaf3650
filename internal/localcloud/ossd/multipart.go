package ossd

import (
	"crypto/md5" // #nosec G501 -- OSS's ETags are MD5; they are checksums
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/localcloud/content"
)

const maxPartNumber = 10_000

// A multipart is an upload in progress. The lock of its bucket guards it.
type multipart struct {
	id        string
	initiated time.Time
	object    *object       // what it will be, without content
	parts     map[int]*part // by number
}

// A part is one uploaded part. It is never changed: the same number again puts another one in its place.
type part struct {
	number   int
	content  content.Content
	etag     string // without quotes
	crc      uint64
	modified time.Time
}

func (p *part) quotedETag() string { return `"` + p.etag + `"` }

// upload finds the upload that the request names. The caller holds the lock.
func (b *bucket) upload(r *request) (*multipart, *Error) {
	m, ok := b.uploads[r.query.Get("uploadId")]
	if !ok || m.object.key != r.key {
		return nil, &Error{Status: http.StatusNotFound, Code: "NoSuchUpload",
			Message: "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."}
	}
	return m, nil
}

// initiateMultipartUpload begins an upload, which nobody but its id and ListMultipartUploads knows of.
func (s *Server) initiateMultipartUpload(r *request) (answer, *Error) {
	create, err := forbidsOverwrite(r)
	if err != nil {
		return answer{}, err
	}
	encode, err := encoding(r.query)
	if err != nil {
		return answer{}, err
	}
	o, err := describeObject(r, kindMultipart)
	if err != nil {
		return answer{}, err
	}
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.takes(r.key, create); err != nil {
		return answer{}, err
	}
	m := &multipart{id: newUploadID(), initiated: o.modified, object: o, parts: map[int]*part{}}
	b.uploads[m.id] = m
	return newAnswer(http.StatusOK).withXML(struct {
		XMLName      xml.Name `xml:"InitiateMultipartUploadResult"`
		EncodingType string   `xml:"EncodingType,omitempty"`
		Bucket       string   `xml:"Bucket"`
		Key          string   `xml:"Key"`
		UploadID     string   `xml:"UploadId"`
	}{EncodingType: r.query.Get("encoding-type"), Bucket: r.bucket, Key: encode(r.key), UploadID: m.id}), nil
}

// newUploadID returns 32 upper-case hexadecimal digits, as OSS's upload ids look.
func newUploadID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

func partNumber(r *request) (int, *Error) {
	n, err := strconv.Atoi(r.query.Get("partNumber"))
	if err != nil || n < 1 || n > maxPartNumber {
		// Guess: message; the code is documented.
		return 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive.")
	}
	return n, nil
}

// uploadPart stores one part, in place of any other with its number.
func (s *Server) uploadPart(r *request) (answer, *Error) {
	if err := checkDigest(r); err != nil {
		return answer{}, err
	}
	p, err := storePart(r, r.body, newETag(r.digest))
	if err != nil {
		return answer{}, err
	}
	a := newAnswer(http.StatusOK)
	a.header.Set("ETag", p.quotedETag())
	a.header.Set("x-oss-hash-crc64ecma", strconv.FormatUint(p.crc, 10))
	a.header.Set("Content-MD5", base64.StdEncoding.EncodeToString(r.digest[:]))
	return a, nil
}

// uploadPartCopy stores a part of an object of the same region as one part, which shares its bytes.
func (s *Server) uploadPartCopy(r *request) (answer, *Error) {
	c := sourcePart(r)
	if c.Size() > maxPut {
		return answer{}, entityTooLarge() // Guess: the code
	}
	p, err := storePart(r, c, newETag(s.digests.of(c)))
	if err != nil {
		return answer{}, err
	}
	a := newAnswer(http.StatusOK).withXML(copyXML{XMLName: xml.Name{Local: "CopyPartResult"},
		LastModified: p.modified.Format(listTime), ETag: p.quotedETag()})
	a.header.Set("ETag", p.quotedETag()) // from which some clients take it
	return a, nil
}

func storePart(r *request, c content.Content, etag string) (*part, *Error) {
	n, err := partNumber(r)
	if err != nil {
		return nil, err
	}
	p := &part{number: n, content: c, etag: etag, crc: c.CRC64(), modified: now()}
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.upload(r)
	if err != nil {
		return nil, err
	}
	m.parts[n] = p
	return p, nil
}

// abortMultipartUpload ends an upload and drops its parts.
func (s *Server) abortMultipartUpload(r *request) (answer, *Error) {
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.upload(r)
	if err != nil {
		return answer{}, err
	}
	delete(b.uploads, m.id)
	return newAnswer(http.StatusNoContent), nil
}

// finished is the object that the parts make together. Guess: its ETag is a digest of theirs with their number behind it;
// the documentation only says that it is not the MD5 of the content.
func (m *multipart) finished(parts []*part) *object {
	o := *m.object
	hash := md5.New() // #nosec G401 -- a checksum
	contents := make([]content.Content, 0, len(parts))
	for _, p := range parts {
		contents = append(contents, p.content)
		_, _ = hash.Write([]byte(p.etag))
	}
	o.content, o.modified = content.Join(contents...), now()
	o.crc = o.content.CRC64()
	o.etag = newETag([md5.Size]byte(hash.Sum(nil))) + "-" + strconv.Itoa(len(parts))
	return &o
}
