package ossd

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// minPart is the least size of every part but the last one, in bytes.
const minPart = 100 << 10

// completeMultipartUpload makes an object of the parts that the request lists, or of all of them, in one atomic step. The
// upload and the parts that were not listed are gone afterwards; a refused upload stays as it was.
func (s *Server) completeMultipartUpload(r *request) (answer, *Error) {
	create, err := forbidsOverwrite(r)
	if err != nil {
		return answer{}, err
	}
	encode, err := encoding(r.query)
	if err != nil {
		return answer{}, err
	}
	b := r.target
	b.mu.Lock()
	defer b.mu.Unlock()
	m, err := b.upload(r)
	if err != nil {
		return answer{}, err
	}
	parts, err := m.chosen(r)
	if err != nil {
		return answer{}, err
	}
	if err := b.takes(r.key, create); err != nil {
		return answer{}, err
	}
	o := m.finished(parts)
	b.store(o, r, "ObjectCreated:CompleteMultipartUpload")
	delete(b.uploads, m.id)
	a := newAnswer(http.StatusOK).withXML(struct {
		XMLName      xml.Name `xml:"CompleteMultipartUploadResult"`
		EncodingType string   `xml:"EncodingType,omitempty"`
		Location     string   `xml:"Location"`
		Bucket       string   `xml:"Bucket"`
		Key          string   `xml:"Key"`
		ETag         string   `xml:"ETag"`
	}{
		EncodingType: r.query.Get("encoding-type"), Bucket: r.bucket, Key: encode(r.key), ETag: o.quotedETag(),
		Location: "http://" + r.bucket + "." + endpointOf(b.spec.Region) + "/" + encode(r.key),
	})
	a.describeWrite(o)
	return a, nil
}

// chosen are the parts of which the object is to be made, in order.
func (m *multipart) chosen(r *request) ([]*part, *Error) {
	var parts []*part
	var err *Error
	switch r.header.Get("x-oss-complete-all") {
	case "":
		parts, err = m.listed(r.body.Bytes())
	case "yes":
		parts, err = m.all(r)
	default:
		err = invalidArgument("The value of x-oss-complete-all is invalid.") // Guess: message
	}
	if err != nil {
		return nil, err
	}
	for _, p := range parts[:len(parts)-1] {
		if p.content.Size() < minPart {
			return nil, &Error{Status: http.StatusBadRequest, Code: "EntityTooSmall",
				Message: "Your proposed upload smaller than the minimum allowed size."}
		}
	}
	return parts, nil
}

// all are all parts that were uploaded. The request must not list any.
func (m *multipart) all(r *request) ([]*part, *Error) {
	if r.body.Size() > 0 {
		return nil, invalidArgument("The request body must be empty with x-oss-complete-all.") // Guess: code and message
	}
	if len(m.parts) == 0 {
		return nil, invalidPart() // Guess: the code
	}
	var parts []*part
	for _, n := range slices.Sorted(maps.Keys(m.parts)) {
		parts = append(parts, m.parts[n])
	}
	return parts, nil
}

// listed are the parts that the document lists, which has to name each with the ETag that it was answered with.
func (m *multipart) listed(document []byte) ([]*part, *Error) {
	var list struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []struct {
			PartNumber int    `xml:"PartNumber"`
			ETag       string `xml:"ETag"`
		} `xml:"Part"`
	}
	if err := xml.Unmarshal(document, &list); err != nil || len(list.Part) == 0 {
		return nil, malformedXML()
	}
	parts := make([]*part, 0, len(list.Part))
	for n, want := range list.Part {
		if n > 0 && want.PartNumber <= list.Part[n-1].PartNumber {
			return nil, &Error{Status: http.StatusBadRequest, Code: "InvalidPartOrder",
				Message: "The list of parts was not in ascending order. Parts list must specified in order by part number."}
		}
		p, ok := m.parts[want.PartNumber]
		if !ok || !strings.EqualFold(strings.Trim(strings.TrimSpace(want.ETag), `"`), p.etag) {
			return nil, invalidPart()
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func invalidPart() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "InvalidPart",
		Message: "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag."}
}
