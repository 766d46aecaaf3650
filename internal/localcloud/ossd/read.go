package ossd

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// reading makes an operation of the answer that describes one object: it finds the object and judges the request's
// conditions first.
func reading(describe func(r *request, o *object) (answer, *Error)) func(*Server, *request) (answer, *Error) {
	return func(_ *Server, r *request) (answer, *Error) {
		r.target.mu.RLock()
		o := r.target.objects.get(r.key)
		r.target.mu.RUnlock()
		switch {
		case o == nil:
			return answer{}, noSuchKey(r.key)
		case preconditionFails(r.header, o):
			return answer{}, preconditionFailed()
		case isUnmodified(r.header, o):
			return notModified(o), nil
		}
		return describe(r, o)
	}
}

func notModified(o *object) answer {
	a := newAnswer(http.StatusNotModified)
	a.header.Set("ETag", o.quotedETag())
	a.header.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	return a
}

// preconditionFails judges If-Match and, without it, If-Unmodified-Since.
// Guess: OSS documents the conditional headers, not their precedence, which is HTTP's here.
func preconditionFails(h http.Header, o *object) bool {
	if want := h.Get("If-Match"); want != "" {
		return !matches(want, o)
	}
	t, err := http.ParseTime(h.Get("If-Unmodified-Since"))
	return err == nil && o.modified.After(t)
}

// isUnmodified judges If-None-Match and, without it, If-Modified-Since.
func isUnmodified(h http.Header, o *object) bool {
	if unwanted := h.Get("If-None-Match"); unwanted != "" {
		return matches(unwanted, o)
	}
	t, err := http.ParseTime(h.Get("If-Modified-Since"))
	return err == nil && !o.modified.After(t)
}

func matches(tags string, o *object) bool {
	for tag := range strings.SplitSeq(tags, ",") {
		tag = strings.Trim(strings.TrimSpace(tag), `"`)
		if tag == "*" || strings.EqualFold(tag, o.etag) {
			return true
		}
	}
	return false
}

// getObject answers the object or one range of it. Objects of the archive classes would have to be restored first, which
// is not part of this service.
func getObject(r *request, o *object) (answer, *Error) {
	if err := o.readable(); err != nil {
		return answer{}, err
	}
	size := o.content.Size()
	part, partial, err := rangeOf(r, size)
	if err != nil {
		return answer{}, err
	}
	a := newAnswer(http.StatusOK)
	a.describe(o)
	for _, name := range modifiers {
		if header, ok := strings.CutPrefix(name, "response-"); ok && r.query.Has(name) {
			a.header.Set(header, r.query.Get(name))
		}
	}
	if partial {
		a.status = http.StatusPartialContent
		a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", part.first, part.last, size))
		a.body = o.content.Slice(part.first, part.last+1)
		return a, nil
	}
	a.body = o.content
	return a, nil
}

// readable refuses objects of the archive classes, which would have to be restored first.
func (o *object) readable() *Error {
	if !strings.HasSuffix(o.storageClass, "Archive") {
		return nil
	}
	return &Error{Status: http.StatusForbidden, Code: "InvalidObjectState",
		Message: "The operation is not valid for the object's state."}
}

func headObject(_ *request, o *object) (answer, *Error) {
	a := newAnswer(http.StatusOK)
	a.describe(o)
	a.header.Set("Content-Length", strconv.FormatInt(o.content.Size(), 10))
	return a, nil
}

// headObjectMeta answers the little that GetObjectMeta (HEAD ?objectMeta) tells.
func headObjectMeta(_ *request, o *object) (answer, *Error) {
	a := newAnswer(http.StatusOK)
	a.describeWrite(o)
	a.header.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	a.header.Set("Content-Length", strconv.FormatInt(o.content.Size(), 10))
	return a, nil
}

// describe sets the headers that come with an object's content.
func (a answer) describe(o *object) {
	a.header.Set("Content-Type", "application/octet-stream")
	for name, values := range o.header {
		a.header[name] = values
	}
	a.describeWrite(o)
	a.header.Set("Accept-Ranges", "bytes")
	a.header.Set("Last-Modified", o.modified.Format(http.TimeFormat))
	a.header.Set("x-oss-object-type", o.kind)
	a.header.Set("x-oss-storage-class", o.storageClass)
	if o.kind == kindAppendable {
		a.header.Set("x-oss-next-append-position", strconv.FormatInt(o.content.Size(), 10))
	}
}

// span is a range of bytes, both ends included.
type span struct{ first, last int64 }

// rangeOf decides what part of an object of the size is asked for. As OSS documents it, a range that is malformed or
// exceeds the object at either end is ignored; with "x-oss-range-behavior: standard" one that exceeds the end is cut
// short, and one that begins behind the end is refused. Of several ranges only the first counts.
func rangeOf(r *request, size int64) (part span, partial bool, err *Error) {
	part, ok := parseRange(r.header.Get("Range"), size)
	if !ok {
		return span{}, false, nil
	}
	inside := part.first >= 0 && part.first < size && part.last < size
	if inside {
		return part, true, nil
	}
	if r.header.Get("x-oss-range-behavior") != "standard" {
		return span{}, false, nil
	}
	if size == 0 || part.first >= size {
		return span{}, false, &Error{Status: http.StatusRequestedRangeNotSatisfiable, Code: "InvalidRange",
			Message: "The requested range cannot be satisfied"}
	}
	return span{max(part.first, 0), min(part.last, size-1)}, true, nil
}

// parseRange reads the first range of a header.
func parseRange(header string, size int64) (span, bool) {
	text, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return span{}, false
	}
	text, _, _ = strings.Cut(text, ",")
	return parseSpan(strings.TrimSpace(text), size)
}

// parseSpan reads "first-last", "first-" and "-count". A count beyond the size gives a negative first.
func parseSpan(text string, size int64) (span, bool) {
	from, to, ok := strings.Cut(text, "-")
	if !ok {
		return span{}, false
	}
	if from == "" {
		count, err := strconv.ParseUint(to, 10, 62)
		return span{size - int64(count), size - 1}, err == nil && count > 0
	}
	first, err := strconv.ParseUint(from, 10, 62)
	if err != nil {
		return span{}, false
	}
	if to == "" {
		return span{int64(first), max(size-1, int64(first))}, true
	}
	last, err := strconv.ParseUint(to, 10, 62)
	return span{int64(first), int64(last)}, err == nil && first <= last
}
