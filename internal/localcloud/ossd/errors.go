package ossd

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"time"

	"imageferry/internal/localcloud/content"
)

// An Error is an answer of OSS that refuses a call, as its documented XML body carries it.
type Error struct {
	XMLName xml.Name `xml:"Error"`
	// Status is the HTTP status.
	Status int `xml:"-"`
	// Code is the documented error code, such as "NoSuchKey".
	Code string `xml:"Code"`
	// Message is OSS's own text.
	Message   string `xml:"Message"`
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
	// BucketName and Key name what was not found or not valid.
	BucketName string `xml:"BucketName,omitempty"`
	Key        string `xml:"Key,omitempty"`
	// Bucket and Endpoint say where a bucket of another region is to be addressed.
	Bucket   string `xml:"Bucket,omitempty"`
	Endpoint string `xml:"Endpoint,omitempty"`
	// MaxAllowedSkewMilliseconds, RequestTime and ServerTime let a client set its clock right.
	MaxAllowedSkewMilliseconds int64  `xml:"MaxAllowedSkewMilliseconds,omitempty"`
	RequestTime                string `xml:"RequestTime,omitempty"`
	ServerTime                 string `xml:"ServerTime,omitempty"`
	// EC is the fine-grained code of OSS's troubleshooting pages, empty where none is known. Nothing may depend on it.
	EC           string `xml:"EC,omitempty"`
	RecommendDoc string `xml:"RecommendDoc,omitempty"`

	header http.Header // sent in addition
}

// Error names the code, the status, the message and the request id, none of which is secret.
func (e *Error) Error() string {
	text := fmt.Sprintf("oss: %s (%d): %s", e.Code, e.Status, e.Message)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// answer is the error in OSS's wire format: XML, repeated in a header for HEAD, whose answers have no body.
func (e *Error) answer(r *request) answer {
	wire := *e
	wire.RequestID, wire.HostID = r.id, r.host
	if wire.EC != "" {
		wire.RecommendDoc = "https://api.aliyun.com/troubleshoot?q=" + wire.EC
	}
	a := newAnswer(e.Status).withXML(wire)
	for name, values := range e.header {
		a.header[name] = values
	}
	if wire.EC != "" {
		a.header.Set("x-oss-ec", wire.EC)
	}
	if r.method == http.MethodHead {
		a.header.Set("x-oss-err", base64.StdEncoding.EncodeToString(a.body.Bytes()))
		a.body = content.Content{}
	}
	return a
}

func noSuchBucket(name string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist.",
		BucketName: name, EC: "0015-00000101"}
}

func noSuchKey(key string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist.",
		Key: key, EC: "0026-00000001"}
}

func bucketAlreadyExists(name string) *Error {
	return &Error{Status: http.StatusConflict, Code: "BucketAlreadyExists", BucketName: name,
		Message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system. " +
			"Please select a different name and try again."}
}

func invalidBucketName(name string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "InvalidBucketName", Message: "The specified bucket is not valid.",
		BucketName: name}
}

func invalidArgument(message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "InvalidArgument", Message: message}
}

func notImplemented() *Error {
	return &Error{Status: http.StatusNotImplemented, Code: "NotImplemented",
		Message: "A header you provided implies functionality that is not implemented."}
}

func requestTimeTooSkewed(signedAt, now time.Time) *Error {
	return &Error{Status: http.StatusForbidden, Code: "RequestTimeTooSkewed", EC: "0002-00000504",
		Message:                    "The difference between the request time and the current time is too large.",
		MaxAllowedSkewMilliseconds: maxSkew.Milliseconds(), RequestTime: signedAt.UTC().Format(listTime), ServerTime: now.UTC().Format(listTime)}
}

func accessDenied(message, ec string) *Error {
	return &Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: message, EC: ec}
}

func fileAlreadyExists() *Error {
	return &Error{Status: http.StatusConflict, Code: "FileAlreadyExists",
		Message: "The object you specified already exists and can not be overwritten.", EC: "0026-00000002"}
}

func preconditionFailed() *Error {
	return &Error{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
		Message: "At least one of the pre-conditions you specified did not hold."}
}

func malformedXML() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "MalformedXML",
		Message: "The XML you provided was not well-formed or did not validate against our published schema."}
}

func entityTooLarge() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "EntityTooLarge",
		Message: "Your proposed upload exceeds the maximum allowed size."}
}
