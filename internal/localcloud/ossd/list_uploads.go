package ossd

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxListed is the largest page of parts or uploads, and the default one.
const maxListed = 1000

type partXML struct {
	PartNumber   int    `xml:"PartNumber"`
	LastModified string `xml:"LastModified"`
	ETag         string `xml:"ETag"`
	CRC64        string `xml:"HashCrc64ecma"`
	Size         int64  `xml:"Size"`
}

type partsXML struct {
	XMLName              xml.Name  `xml:"ListPartsResult"`
	EncodingType         string    `xml:"EncodingType,omitempty"`
	Bucket               string    `xml:"Bucket"`
	Key                  string    `xml:"Key"`
	UploadID             string    `xml:"UploadId"`
	StorageClass         string    `xml:"StorageClass"`
	PartNumberMarker     int       `xml:"PartNumberMarker"`
	NextPartNumberMarker int       `xml:"NextPartNumberMarker,omitempty"`
	MaxParts             int       `xml:"MaxParts"`
	IsTruncated          bool      `xml:"IsTruncated"`
	Parts                []partXML `xml:"Part"`
}

// listParts lists the parts of an upload by number.
func (s *Server) listParts(r *request) (answer, *Error) {
	encode, err := encoding(r.query)
	if err != nil {
		return answer{}, err
	}
	limit, err := queryNumber(r.query, "max-parts", maxListed, 1, maxListed)
	if err != nil {
		return answer{}, err
	}
	marker, err := queryNumber(r.query, "part-number-marker", 0, 0, maxPartNumber)
	if err != nil {
		return answer{}, err
	}
	b := r.target
	b.mu.RLock()
	defer b.mu.RUnlock()
	m, err := b.upload(r)
	if err != nil {
		return answer{}, err
	}
	result := partsXML{EncodingType: r.query.Get("encoding-type"), Bucket: r.bucket, Key: encode(r.key), UploadID: m.id,
		StorageClass: cmp.Or(m.object.storageClass, b.spec.StorageClass), PartNumberMarker: marker, MaxParts: limit}
	for _, n := range slices.Sorted(maps.Keys(m.parts)) {
		if n <= marker {
			continue
		}
		if len(result.Parts) == limit {
			result.IsTruncated = true
			break
		}
		p := m.parts[n]
		result.Parts = append(result.Parts, partXML{PartNumber: n, LastModified: p.modified.Format(listTime), ETag: p.quotedETag(),
			CRC64: strconv.FormatUint(p.crc, 10), Size: p.content.Size()})
		result.NextPartNumberMarker = n
	}
	return newAnswer(http.StatusOK).withXML(result), nil
}

// queryNumber reads a parameter between two bounds; an absent one is the preset. Guess: the text of the refusal.
func queryNumber(query url.Values, name string, preset, low, high int) (int, *Error) {
	text := query.Get(name)
	if text == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, invalidArgument("Argument " + name + " must be an integer between " + strconv.Itoa(low) + " and " + strconv.Itoa(high) + ".")
	}
	return n, nil
}

type uploadXML struct {
	Key          string `xml:"Key"`
	UploadID     string `xml:"UploadId"`
	StorageClass string `xml:"StorageClass"`
	Initiated    string `xml:"Initiated"`
}

type uploadsXML struct {
	XMLName            xml.Name    `xml:"ListMultipartUploadsResult"`
	Bucket             string      `xml:"Bucket"`
	EncodingType       string      `xml:"EncodingType,omitempty"`
	KeyMarker          string      `xml:"KeyMarker"`
	UploadIDMarker     string      `xml:"UploadIdMarker"`
	NextKeyMarker      string      `xml:"NextKeyMarker"`
	NextUploadIDMarker string      `xml:"NextUploadIdMarker"`
	Delimiter          string      `xml:"Delimiter"`
	Prefix             string      `xml:"Prefix"`
	MaxUploads         int         `xml:"MaxUploads"`
	IsTruncated        bool        `xml:"IsTruncated"`
	Uploads            []uploadXML `xml:"Upload"`
	CommonPrefixes     []prefixXML `xml:"CommonPrefixes"`
}

// listMultipartUploads lists the uploads in progress by key and then by upload id. An upload-id-marker counts only
// together with a key-marker.
func (s *Server) listMultipartUploads(r *request) (answer, *Error) {
	encode, err := encoding(r.query)
	if err != nil {
		return answer{}, err
	}
	limit, err := queryNumber(r.query, "max-uploads", maxListed, 1, maxListed)
	if err != nil {
		return answer{}, err
	}
	q := r.query
	result := uploadsXML{Bucket: r.bucket, EncodingType: q.Get("encoding-type"), KeyMarker: encode(q.Get("key-marker")),
		UploadIDMarker: q.Get("upload-id-marker"), Delimiter: encode(q.Get("delimiter")), Prefix: encode(q.Get("prefix")), MaxUploads: limit}
	r.target.mu.RLock()
	defer r.target.mu.RUnlock()
	group := ""
	if marker := q.Get("key-marker"); q.Get("delimiter") != "" && strings.HasSuffix(marker, q.Get("delimiter")) {
		group = marker // the last page ended with this group
	}
	for _, m := range r.target.orderedUploads() {
		if !behind(m, q.Get("key-marker"), q.Get("upload-id-marker")) || group != "" && strings.HasPrefix(m.object.key, group) {
			continue
		}
		rest, ok := strings.CutPrefix(m.object.key, q.Get("prefix"))
		if !ok {
			continue
		}
		if len(result.Uploads)+len(result.CommonPrefixes) == limit {
			result.IsTruncated = true
			break
		}
		if head, _, grouped := strings.Cut(rest, q.Get("delimiter")); grouped && q.Get("delimiter") != "" {
			group = q.Get("prefix") + head + q.Get("delimiter")
			result.CommonPrefixes = append(result.CommonPrefixes, prefixXML{encode(group)})
			result.NextKeyMarker, result.NextUploadIDMarker = encode(group), ""
			continue
		}
		result.Uploads = append(result.Uploads, uploadXML{Key: encode(m.object.key), UploadID: m.id,
			StorageClass: cmp.Or(m.object.storageClass, r.target.spec.StorageClass), Initiated: m.initiated.Format(listTime)})
		result.NextKeyMarker, result.NextUploadIDMarker = encode(m.object.key), m.id
	}
	if !result.IsTruncated {
		result.NextKeyMarker, result.NextUploadIDMarker = "", ""
	}
	return newAnswer(http.StatusOK).withXML(result), nil
}

// behind tells whether an upload comes after the markers.
func behind(m *multipart, key, id string) bool {
	return m.object.key > key || m.object.key == key && id != "" && m.id > id
}

// orderedUploads are the uploads by key and id. The caller holds the lock.
func (b *bucket) orderedUploads() []*multipart {
	return slices.SortedFunc(maps.Values(b.uploads), func(x, y *multipart) int {
		return cmp.Or(strings.Compare(x.object.key, y.object.key), strings.Compare(x.id, y.id))
	})
}
