package ossd

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/trace"
)

const (
	copySourceHeader = "X-Oss-Copy-Source"
	// maxCopy is the largest object that CopyObject copies; longer ones are copied in parts. Guess: the exact number of bytes
	// and the code, EntityTooLarge.
	maxCopy = 1 << 30
)

// readSource finds what a copy reads and judges the copy's conditions. The record gets the permission that reading needs
// as an entry of its own. A source that the conditions call unmodified is the whole answer.
func (s *Server) readSource(call trace.Call, r *request) (unmodified *answer, err *Error) {
	bucket, key, err := parseSource(r.header.Get(copySourceHeader))
	if err != nil {
		return nil, err
	}
	read := &request{method: http.MethodGet, host: r.host, bucket: bucket, key: key, query: url.Values{}, header: r.header, secure: r.secure,
		identity: r.identity, op: operations[endpoint{"object", http.MethodGet, ""}]}
	note := trace.Call{Service: call.Service, Action: read.op.action, Operation: call.Operation, Resource: s.resource(read),
		Principal: call.Principal, RequestID: call.RequestID, Status: http.StatusOK, Applied: true}
	err = s.authorise(read)
	if err == nil {
		err = findSource(read)
	}
	if err != nil {
		note.Status, note.Code, note.Applied = err.Status, err.Code, false
	}
	s.tap.Note(note)
	if err != nil {
		return nil, err
	}
	r.source = read.source
	conditions := copyConditions(r.header)
	switch {
	case preconditionFails(conditions, r.source):
		return nil, preconditionFailed()
	case isUnmodified(conditions, r.source):
		a := notModified(r.source)
		return &a, nil
	}
	return nil, nil
}

func answerOr(a *answer) answer {
	if a == nil {
		return answer{}
	}
	return *a
}

// parseSource reads /<bucket>/<key>, the key percent-encoded. Versions are not part of this service.
func parseSource(header string) (bucket, key string, err *Error) {
	rest, rooted := strings.CutPrefix(header, "/")
	bucket, encoded, named := strings.Cut(rest, "/")
	if strings.Contains(encoded, "?versionId=") {
		return "", "", notImplemented()
	}
	key, decodeErr := url.QueryUnescape(encoded) // the SDKs write a blank as +
	if !rooted || !named || decodeErr != nil || key == "" {
		// Guess: the code; the text is that of the dialect that OSS resembles.
		return "", "", invalidArgument("Copy Source must mention the source bucket and key: /sourcebucket/sourcekey.")
	}
	if !bucketName.MatchString(bucket) {
		return "", "", invalidBucketName(bucket)
	}
	return bucket, key, checkKey(key)
}

func findSource(r *request) *Error {
	r.target.mu.RLock()
	r.source = r.target.objects.get(r.key)
	r.target.mu.RUnlock()
	switch {
	case r.source == nil:
		return noSuchKey(r.key)
	case r.source.kind == kindAppendable:
		// That appendable objects cannot be copied is documented. Guess: code and message.
		return &Error{Status: http.StatusBadRequest, Code: "OperationNotSupported", Message: "The operation is not supported for this resource."}
	}
	return r.source.readable()
}

// copyConditions are the conditions on the source of a copy, as those of a read.
func copyConditions(h http.Header) http.Header {
	conditions := http.Header{}
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if value := h.Get(copySourceHeader + "-" + name); value != "" {
			conditions.Set(name, value)
		}
	}
	return conditions
}

// sourcePart is the part of the source that a copy asks for. As OSS documents it, a range that does not conform, or does
// not lie within the source, stands for the whole source.
func sourcePart(r *request) content.Content {
	whole := r.source.content
	part, ok := parseRange(r.header.Get(copySourceHeader+"-Range"), whole.Size())
	if !ok || part.first < 0 || part.last >= whole.Size() || part.first > part.last {
		return whole
	}
	return whole.Slice(part.first, part.last+1)
}

type copyXML struct {
	XMLName      xml.Name `xml:""`
	LastModified string   `xml:"LastModified"`
	ETag         string   `xml:"ETag"`
}

// copyObject stores a copy of an object of the same region, which shares its bytes. The copy is a Normal object.
// Guess: it keeps the source's ETag.
func (s *Server) copyObject(r *request) (answer, *Error) {
	create, err := forbidsOverwrite(r)
	if err != nil {
		return answer{}, err
	}
	if r.source.content.Size() > maxCopy {
		return answer{}, entityTooLarge()
	}
	o, err := describeObject(r, kindNormal)
	if err != nil {
		return answer{}, err
	}
	switch r.header.Get("x-oss-metadata-directive") {
	case "", "COPY":
		o.header = r.source.header
	case "REPLACE":
	default:
		return answer{}, invalidArgument("Unknown metadata directive.") // Guess: message
	}
	o.content, o.crc, o.etag = r.source.content, r.source.crc, r.source.etag
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.takes(r.key, create); err != nil {
		return answer{}, err
	}
	b.store(o, r, "ObjectCreated:CopyObject")
	a := newAnswer(http.StatusOK).withXML(copyXML{XMLName: xml.Name{Local: "CopyObjectResult"},
		LastModified: o.modified.Format(listTime), ETag: o.quotedETag()})
	a.describeWrite(o)
	return a, nil
}
