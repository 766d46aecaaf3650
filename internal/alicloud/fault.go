package alicloud

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"syscall"

	"imageferry/internal/export"
)

// A fault is a try that did not succeed.
type fault struct {
	*export.CallError
	refusal refusal
	// again: the same try may go well a moment later, as far as transport and the service's health are concerned.
	again bool
	// unsent: it did not come as far as sending.
	unsent bool
}

// A refusal is the error document of either service.
type refusal struct {
	XMLName   xml.Name `json:"-"`
	Code      text     `json:"Code" xml:"Code"`
	Message   text     `json:"Message" xml:"Message"`
	RequestID text     `json:"RequestId" xml:"RequestId"`
	// Endpoint is OSS's hint where the bucket is.
	Endpoint text `json:"-" xml:"Endpoint"`
}

// faultOf describes the failed try that x has recorded. local is what the SDK, or the reading of a good answer, had
// reported; it is shown only where no answer tells more.
func faultOf(op string, x *exchange, local error, c Credentials) *fault {
	f := &fault{CallError: &export.CallError{Op: op, Status: x.status, RequestID: token(requestID(x.header), c)}}
	switch {
	case !x.used:
		f.Message, f.Cause, f.unsent = "not sent: "+reason(local, c), cause(local), true
	case x.err != nil:
		f.Message, f.Cause = reason(x.err, c), cause(x.err)
		f.Ambiguous, f.again = x.sent, true
		if !x.sent {
			f.Message = "not sent: " + f.Message
		}
	case x.status/100 == 2:
		f.Message, f.Cause = "unreadable answer: "+reason(local, c), cause(local)
		f.Ambiguous, f.again = true, true
	default:
		f.again = x.status >= http.StatusInternalServerError
		f.refuse(x, c)
	}
	return f
}

// refuse fills in what the error document tells; without one it stays open who has answered.
func (f *fault) refuse(x *exchange, c Credentials) {
	r, ok := parseRefusal(x)
	f.refusal = r
	f.Code = token(string(r.Code), c)
	if !ok || f.Code == "" {
		f.Code = ""
		f.Message = fmt.Sprintf("%s, without an error code (%s, %d bytes)", http.StatusText(x.status), contentType(x.header), len(x.body))
		f.Ambiguous = true
		return
	}
	f.Message = redact(string(r.Message), c)
	if id := token(string(r.RequestID), c); id != "" {
		f.RequestID = id
	}
	f.Ambiguous = x.status >= http.StatusInternalServerError && !ossBusy(f.Code)
}

// throttled tells whether the service has turned the call away because there were too many. The status tells nothing:
// ECS documents none for it.
func throttled(code string) bool { return strings.Contains(strings.ToLower(code), "throttl") }

// parseRefusal reads the error document in JSON or XML, wherever it is: answers to HEAD have no body, and OSS puts it
// into a header.
func parseRefusal(x *exchange) (refusal, bool) {
	body := bytes.TrimSpace(x.body)
	if len(body) == 0 {
		body, _ = base64.StdEncoding.DecodeString(x.header.Get("X-Oss-Err"))
		body = bytes.TrimSpace(body)
	}
	var r refusal
	switch {
	case bytes.HasPrefix(body, []byte("{")):
		return r, json.Unmarshal(body, &r) == nil
	case bytes.HasPrefix(body, []byte("<")):
		return r, xml.Unmarshal(body, &r) == nil && r.XMLName.Local == "Error"
	}
	return r, false
}

// reason is err in words that can be shown.
func reason(err error, c Credentials) string {
	switch {
	case err == nil:
		return "unknown"
	case errors.Is(err, context.Canceled):
		return "the call was given up"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return redact(err.Error(), c)
}

// cause is the part of err that is useful to errors.Is and has no text of its own to leak.
func cause(err error) error {
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded, io.ErrUnexpectedEOF, io.EOF,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return nil
}

func requestID(header http.Header) string {
	if id := header.Get("X-Oss-Request-Id"); id != "" {
		return id
	}
	return header.Get("X-Acs-Request-Id")
}

func contentType(header http.Header) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return "no content type"
	}
	return kind
}
