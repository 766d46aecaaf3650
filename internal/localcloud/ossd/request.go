package ossd

import (
	"crypto/md5" // #nosec G501 -- OSS's ETags and Content-MD5 are MD5; they are checksums
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/content"
)

// MaxBody is how many bytes of one request are kept, runs of zeros not counted. It is a limit of the embedded cloud, which
// keeps objects in memory.
const MaxBody = 128 << 20

// maxPut is the largest body that OSS takes, zeros and all: 5 GB in one PutObject, AppendObject or part.
const maxPut = 5 << 30

// A request is one call, taken off the wire or made in process.
type request struct {
	id       string
	method   string
	host     string // as addressed, echoed as HostId
	bucket   string
	key      string
	query    url.Values
	header   http.Header
	body     content.Content
	digest   [md5.Size]byte // of the body
	secure   bool
	identity account.Identity // zero for an anonymous caller
	op       operation
	// problem is the first thing found wrong before the call reached the seam; it is answered after it.
	problem *Error
	// target is the addressed bucket, set by authorise when the operation needs it to exist.
	target *bucket
	// source is what a copy reads, set before the operation is applied.
	source *object
	// created is what the call created, to be announced once it is recorded.
	created *ObjectCreated
}

// newRequestID returns 24 upper-case hexadecimal digits, as OSS's request ids look.
func newRequestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

// receive reads, addresses, authenticates and routes a request. It never fails: what is wrong becomes the problem.
func (s *Server) receive(hr *http.Request) *request {
	r := &request{
		id:     newRequestID(),
		method: hr.Method,
		host:   hr.Host,
		header: hr.Header,
		secure: hr.TLS != nil,
		op:     unrouted,
	}
	r.query, r.problem = parseQuery(hr.URL.RawQuery)
	r.fail(r.address(hr.Host, hr.URL.Path))
	r.fail(r.read(hr, s.maxBody))
	if r.problem == nil {
		r.op, r.problem = route(r)
	}
	identity, err := s.authenticate(r, time.Now())
	if err != nil {
		r.problem = err // who cannot be identified learns nothing else about the request
	}
	r.identity = identity
	return r
}

func (r *request) fail(err *Error) {
	if r.problem == nil {
		r.problem = err
	}
}

func parseQuery(raw string) (url.Values, *Error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return query, invalidArgument("The query string is malformed.") // Guess: code and message
	}
	return query, nil
}

// read takes in the body, of which the limit's number of bytes may be kept.
func (r *request) read(hr *http.Request, limit int) *Error {
	uploads := hr.Method == http.MethodPut || hr.Method == http.MethodPost
	if uploads && hr.Header.Get("Content-Length") == "" && len(hr.TransferEncoding) == 0 {
		return &Error{Status: http.StatusLengthRequired, Code: "MissingContentLength",
			Message: "You must provide the Content-Length HTTP header."}
	}
	kept, sum := &content.Writer{Limit: int64(limit)}, md5.New() // #nosec G401 -- a checksum
	read, err := io.Copy(io.MultiWriter(kept, sum), io.LimitReader(hr.Body, maxPut+1))
	switch {
	case errors.Is(err, content.ErrLimit), read > maxPut:
		return entityTooLarge()
	case err != nil:
		return &Error{Status: http.StatusBadRequest, Code: "IncompleteBody",
			Message: "The request body terminated unexpectedly."} // Guess: message
	}
	r.body = kept.Content()
	sum.Sum(r.digest[:0])
	return nil
}
