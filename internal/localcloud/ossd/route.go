package ossd

import (
	"net/http"
	"slices"
	"strings"
)

// An operation is one call of OSS's API.
type operation struct {
	// name is the operation's in OSS's API.
	name string
	// action is the permission that it needs, in RAM's notation.
	action string
	// access is what a bucket's ACL has to grant for the operation to be open to anyone.
	access access
	// anyEndpoint operations are answered by the endpoint of any region.
	anyEndpoint bool
	// bucketless operations need no existing bucket.
	bucketless bool
	// copies operations read another object, which needs oss:GetObject on it in addition.
	copies bool
	apply  func(*Server, *request) (answer, *Error)
}

// access is a right that an ACL can grant to everyone.
type access int

const (
	ownerOnly access = iota
	readObject
	writeObject
)

// unrouted stands for a request that names no operation of this service.
var unrouted = operation{name: "Unsupported", action: "oss:Unsupported"}

type endpoint struct {
	level    string // "service", "bucket" or "object"
	method   string
	selector string
}

// operations are what this service implements, by level, method and sub-resource. An operation that a header turns into a
// copy has the sub-resource "copy" in addition.
var operations = map[endpoint]operation{
	{"service", http.MethodGet, ""}: {name: "ListBuckets", action: "oss:ListBuckets", bucketless: true, apply: (*Server).listBuckets},
	{"bucket", http.MethodPut, ""}:  {name: "PutBucket", action: "oss:PutBucket", bucketless: true, apply: (*Server).putBucket},
	{"bucket", http.MethodGet, ""}:  {name: "ListObjectsV2", action: "oss:ListObjects", apply: (*Server).listObjects},
	{"bucket", http.MethodGet, "uploads"}: {
		name: "ListMultipartUploads", action: "oss:ListMultipartUploads", apply: (*Server).listMultipartUploads,
	},
	{"bucket", http.MethodGet, "worm"}: {name: "GetBucketWorm", action: "oss:GetBucketWorm", apply: (*Server).getBucketWorm},
	{"bucket", http.MethodGet, "bucketInfo"}: {
		name: "GetBucketInfo", action: "oss:GetBucketInfo", anyEndpoint: true, apply: (*Server).getBucketInfo,
	},
	// Guess: OSS documents GetBucketInfo to be answered by any endpoint; its sibling is taken to be alike.
	{"bucket", http.MethodGet, "location"}: {
		name: "GetBucketLocation", action: "oss:GetBucketLocation", anyEndpoint: true, apply: (*Server).getBucketLocation,
	},
	{"object", http.MethodPut, ""}: {name: "PutObject", action: "oss:PutObject", access: writeObject, apply: (*Server).putObject},
	{"object", http.MethodPut, "copy"}: {
		name: "CopyObject", action: "oss:PutObject", access: writeObject, copies: true, apply: (*Server).copyObject,
	},
	{"object", http.MethodPost, "append"}: {
		name: "AppendObject", action: "oss:PutObject", access: writeObject, apply: (*Server).appendObject,
	},
	{"object", http.MethodPost, "uploads"}: {
		name: "InitiateMultipartUpload", action: "oss:PutObject", access: writeObject, apply: (*Server).initiateMultipartUpload,
	},
	{"object", http.MethodPut, "partNumber&uploadId"}: {
		name: "UploadPart", action: "oss:PutObject", access: writeObject, apply: (*Server).uploadPart,
	},
	{"object", http.MethodPut, "copy&partNumber&uploadId"}: {
		name: "UploadPartCopy", action: "oss:PutObject", access: writeObject, copies: true, apply: (*Server).uploadPartCopy,
	},
	{"object", http.MethodPost, "uploadId"}: {
		name: "CompleteMultipartUpload", action: "oss:PutObject", access: writeObject, apply: (*Server).completeMultipartUpload,
	},
	{"object", http.MethodDelete, "uploadId"}: {
		name: "AbortMultipartUpload", action: "oss:AbortMultipartUpload", access: writeObject, apply: (*Server).abortMultipartUpload,
	},
	{"object", http.MethodGet, "uploadId"}: {name: "ListParts", action: "oss:ListParts", apply: (*Server).listParts},
	{"object", http.MethodGet, ""}: {
		name: "GetObject", action: "oss:GetObject", access: readObject, apply: reading(getObject),
	},
	{"object", http.MethodHead, ""}: {
		name: "HeadObject", action: "oss:GetObject", access: readObject, apply: reading(headObject),
	},
	{"object", http.MethodHead, "objectMeta"}: {
		name: "GetObjectMeta", action: "oss:GetObject", access: readObject, apply: reading(headObjectMeta),
	},
	{"object", http.MethodDelete, ""}: {
		name: "DeleteObject", action: "oss:DeleteObject", access: writeObject, apply: (*Server).deleteObject,
	},
}

// modifiers are sub-resources that qualify an operation without selecting another one.
var modifiers = []string{
	"security-token", "continuation-token", "position", "x-oss-traffic-limit",
	"response-content-type", "response-content-language", "response-expires", "response-cache-control",
	"response-content-disposition", "response-content-encoding",
}

// missingHeaders ask for features that this service lacks and that change what a write means.
var missingHeaders = []string{
	"X-Oss-Symlink-Target", "X-Oss-Object-Acl", "X-Oss-Tagging", "X-Oss-Callback",
	"X-Oss-Server-Side-Encryption",
}

// route finds the operation that a request asks for.
func route(r *request) (operation, *Error) {
	at := endpoint{level: "service", method: r.method}
	switch {
	case r.key != "":
		at.level = "object"
	case r.bucket != "":
		at.level = "bucket"
	}
	var selectors []string
	for name := range r.query {
		if isSubresource(name) && !slices.Contains(modifiers, name) {
			selectors = append(selectors, name)
		}
	}
	if r.header.Get(copySourceHeader) != "" {
		selectors = append(selectors, "copy")
	}
	slices.Sort(selectors)
	at.selector = strings.Join(selectors, "&")
	if op, ok := operations[at]; ok {
		for _, name := range missingHeaders {
			if r.header.Get(name) != "" {
				return op, notImplemented()
			}
		}
		return op, nil
	}
	switch r.method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions:
		return unrouted, notImplemented()
	}
	return unrouted, &Error{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed",
		Message: "The specified method is not allowed against this resource."}
}
