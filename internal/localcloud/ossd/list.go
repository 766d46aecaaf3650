package ossd

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	defaultMaxKeys = 100
	limitMaxKeys   = 1000
)

type listXML struct {
	XMLName               xml.Name      `xml:"ListBucketResult"`
	Name                  string        `xml:"Name"`
	Prefix                string        `xml:"Prefix"`
	StartAfter            string        `xml:"StartAfter,omitempty"`
	ContinuationToken     string        `xml:"ContinuationToken,omitempty"`
	MaxKeys               int           `xml:"MaxKeys"`
	Delimiter             string        `xml:"Delimiter"`
	EncodingType          string        `xml:"EncodingType,omitempty"`
	IsTruncated           bool          `xml:"IsTruncated"`
	NextContinuationToken string        `xml:"NextContinuationToken,omitempty"`
	KeyCount              int           `xml:"KeyCount"`
	Contents              []contentsXML `xml:"Contents"`
	CommonPrefixes        []prefixXML   `xml:"CommonPrefixes"`
}

type contentsXML struct {
	Key          string    `xml:"Key"`
	LastModified string    `xml:"LastModified"`
	ETag         string    `xml:"ETag"`
	Type         string    `xml:"Type"`
	Size         int64     `xml:"Size"`
	StorageClass string    `xml:"StorageClass"`
	Owner        *ownerXML `xml:"Owner,omitempty"`
}

type prefixXML struct {
	Prefix string `xml:"Prefix"`
}

// listObjects answers ListObjectsV2 (list-type=2). The older version is not part of this service.
func (s *Server) listObjects(r *request) (answer, *Error) {
	if r.query.Get("list-type") != "2" {
		return answer{}, notImplemented()
	}
	q := listQuery{prefix: r.query.Get("prefix"), delimiter: r.query.Get("delimiter")}
	var err *Error
	if q.limit, err = maxKeys(r.query); err != nil {
		return answer{}, err
	}
	token := r.query.Get("continuation-token")
	startAfter := r.query.Get("start-after")
	if token != "" {
		if q.from, err = parseToken(token); err != nil {
			return answer{}, err
		}
	} else if startAfter != "" {
		q.from = after(startAfter)
	}
	encode, encodingErr := encoding(r.query)
	if encodingErr != nil {
		return answer{}, encodingErr
	}

	r.target.mu.RLock()
	defer r.target.mu.RUnlock()
	page := q.run(&r.target.objects)
	result := listXML{
		Name: r.bucket, Prefix: encode(q.prefix), StartAfter: encode(startAfter), ContinuationToken: token,
		MaxKeys: q.limit, Delimiter: encode(q.delimiter), EncodingType: r.query.Get("encoding-type"),
		IsTruncated: page.truncated, KeyCount: len(page.objects) + len(page.prefixes),
	}
	if page.truncated {
		result.NextContinuationToken = newToken(page.next)
	}
	var owner *ownerXML
	if r.query.Get("fetch-owner") == "true" {
		owner = &ownerXML{r.target.spec.OwnerID, r.target.spec.OwnerID}
	}
	for _, o := range page.objects {
		result.Contents = append(result.Contents, contentsXML{
			Key: encode(o.key), LastModified: o.modified.Format(listTime), ETag: o.quotedETag(), Type: o.kind,
			Size: o.content.Size(), StorageClass: o.storageClass, Owner: owner,
		})
	}
	for _, p := range page.prefixes {
		result.CommonPrefixes = append(result.CommonPrefixes, prefixXML{encode(p)})
	}
	return newAnswer(http.StatusOK).withXML(result), nil
}

// A listQuery selects one page of a listing.
type listQuery struct {
	prefix    string
	delimiter string // empty: no grouping
	from      string // the least key that may be listed
	limit     int    // of objects and common prefixes together
}

type listPage struct {
	objects   []*object
	prefixes  []string
	truncated bool
	next      string // the from of the next page
}

// run collects the page. Its cost is a search for its start, a search for each common prefix, and its length.
func (q listQuery) run(objects *index) listPage {
	var page listPage
	from := max(q.from, q.prefix)
	for again := true; again; {
		again = false
		for o := range objects.from(from) {
			rest, ok := strings.CutPrefix(o.key, q.prefix)
			if !ok {
				return page
			}
			if len(page.objects)+len(page.prefixes) == q.limit {
				page.truncated, page.next = true, from
				return page
			}
			if head, _, grouped := strings.Cut(rest, q.delimiter); grouped && q.delimiter != "" {
				group := q.prefix + head + q.delimiter
				page.prefixes = append(page.prefixes, group)
				from, again = prefixEnd(group)
				break // on to the first key behind the group
			}
			page.objects = append(page.objects, o)
			from = after(o.key)
		}
	}
	return page
}

// after is the least string greater than s.
func after(s string) string { return s + "\x00" }

// prefixEnd is the least string greater than every string with the prefix, and whether there is one.
func prefixEnd(prefix string) (string, bool) {
	last := len(prefix) - 1
	for last >= 0 && prefix[last] == 0xff {
		last--
	}
	if last < 0 {
		return "", false
	}
	return prefix[:last] + string([]byte{prefix[last] + 1}), true
}

// newToken makes a continuation token. Tokens are opaque to clients, as OSS's are.
func newToken(from string) string { return base64.RawURLEncoding.EncodeToString([]byte(from)) }

func parseToken(token string) (string, *Error) {
	from, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return "", invalidArgument("The continuation token is invalid.") // Guess: code and message
	}
	return string(from), nil
}

func maxKeys(query url.Values) (int, *Error) {
	text := query.Get("max-keys")
	if text == "" {
		return defaultMaxKeys, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limitMaxKeys {
		return 0, invalidArgument("Argument max-keys must be an integer between 1 and 1000.") // Guess: message
	}
	return n, nil
}

// encoding is how names are written into the answer.
func encoding(query url.Values) (func(string) string, *Error) {
	switch query.Get("encoding-type") {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return escape, nil
	}
	return nil, invalidArgument("Invalid Encoding Method specified in Request.") // Guess: message
}
