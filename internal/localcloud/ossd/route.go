package ossd

import (
	"net/http"
	"slices"
	"strings"
)

// An operation is one call of OSS's API.
type operation struct {
	// action is the operation in RAM's notation.
	action string
	// access is what a bucket's ACL has to grant for the operation to be open to anyone.
	access access
	// anyEndpoint operations are answered by the endpoint of any region.
	anyEndpoint bool
	// bucketless operations need no existing bucket.
	bucketless bool
	apply      func(*Server, *request) (answer, *Error)
}

// access is a right that an ACL can grant to everyone.
type access int

const (
	ownerOnly access = iota
	readObject
	writeObject
)

// unrouted stands for a request that names no operation of this service.
var unrouted = operation{action: "oss:Unsupported"}

type endpoint struct {
	level    string // "service", "bucket" or "object"
	method   string
	selector string
}

// operations are what this service implements, by level, method and sub-resource.
var operations = map[endpoint]operation{
	{"service", http.MethodGet, ""}:          {action: "oss:ListBuckets", bucketless: true, apply: (*Server).listBuckets},
	{"bucket", http.MethodPut, ""}:           {action: "oss:PutBucket", bucketless: true, apply: (*Server).putBucket},
	{"bucket", http.MethodGet, ""}:           {action: "oss:ListObjects", apply: (*Server).listObjects},
	{"bucket", http.MethodGet, "worm"}:       {action: "oss:GetBucketWorm", apply: (*Server).getBucketWorm},
	{"bucket", http.MethodGet, "bucketInfo"}: {action: "oss:GetBucketInfo", anyEndpoint: true, apply: (*Server).getBucketInfo},
	// Guess: OSS documents GetBucketInfo to be answered by any endpoint; its sibling is taken to be alike.
	{"bucket", http.MethodGet, "location"}: {
		action: "oss:GetBucketLocation", anyEndpoint: true, apply: (*Server).getBucketLocation,
	},
	{"object", http.MethodPut, ""}:            {action: "oss:PutObject", access: writeObject, apply: (*Server).putObject},
	{"object", http.MethodPost, "append"}:     {action: "oss:PutObject", access: writeObject, apply: (*Server).appendObject},
	{"object", http.MethodGet, ""}:            {action: "oss:GetObject", access: readObject, apply: reading(getObject)},
	{"object", http.MethodHead, ""}:           {action: "oss:GetObject", access: readObject, apply: reading(headObject)},
	{"object", http.MethodHead, "objectMeta"}: {action: "oss:GetObject", access: readObject, apply: reading(headObjectMeta)},
	{"object", http.MethodDelete, ""}:         {action: "oss:DeleteObject", access: writeObject, apply: (*Server).deleteObject},
}

// modifiers are sub-resources that qualify an operation without selecting another one.
var modifiers = []string{
	"security-token", "continuation-token", "position", "x-oss-traffic-limit",
	"response-content-type", "response-content-language", "response-expires", "response-cache-control",
	"response-content-disposition", "response-content-encoding",
}

// missingHeaders ask for features that this service lacks and that change what a write means.
var missingHeaders = []string{
	"X-Oss-Copy-Source", "X-Oss-Symlink-Target", "X-Oss-Object-Acl", "X-Oss-Tagging", "X-Oss-Callback",
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
