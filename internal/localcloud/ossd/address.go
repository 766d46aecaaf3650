package ossd

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	endpointName = regexp.MustCompile(`^oss-[a-z0-9-]+\.aliyuncs\.com$`)
	regionName   = regexp.MustCompile(`^(?:.+\.)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$`)
)

// address finds the bucket and key that a request names. OSS accepts virtual-hosted addresses only; the path style is
// taken on an IP address and on localhost, where SDKs have no other choice, and refused on every other host.
func (r *request) address(host, path string) *Error {
	path, rooted := strings.CutPrefix(path, "/")
	if !rooted {
		return invalidArgument("The request URI is not a path.") // Guess: code and message
	}
	style, bucket := hostStyle(host)
	switch style {
	case pathStyle:
		r.bucket, r.key, _ = strings.Cut(path, "/")
	case virtualHost:
		r.bucket, r.key = bucket, path
	case serviceHost:
		// A client that uses the path style signs the bucket of the path.
		if r.bucket, r.key, _ = strings.Cut(path, "/"); path != "" {
			return &Error{Status: http.StatusForbidden, Code: "SecondLevelDomainForbidden",
				Message: "The bucket you are attempting to access must be addressed using OSS third level domain."}
		}
	}
	if r.bucket == "" {
		if r.key != "" {
			return invalidBucketName("")
		}
		return nil
	}
	if !bucketName.MatchString(r.bucket) {
		return invalidBucketName(r.bucket)
	}
	return checkKey(r.key)
}

type addressing int

const (
	serviceHost addressing = iota // names no bucket
	virtualHost
	pathStyle
)

// hostStyle tells how a Host header addresses buckets, and which bucket it names.
func hostStyle(host string) (addressing, string) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || net.ParseIP(host) != nil {
		return pathStyle, ""
	}
	bucket, rest, ok := strings.Cut(host, ".")
	if !ok || bucket == "" || net.ParseIP(rest) != nil || endpointName.MatchString(host) {
		return serviceHost, ""
	}
	return virtualHost, bucket
}

// endpointRegion is the region whose endpoint a Host header names. Names of no region, such as those of other domains and
// "oss-accelerate", and addresses stand for the server's own.
func (s *Server) endpointRegion(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	name := regionName.FindStringSubmatch(strings.ToLower(host))
	if name == nil || strings.HasPrefix(name[1], "accelerate") {
		return s.region
	}
	return name[1]
}

// checkKey applies OSS's naming rules for objects: 1 to 1,023 bytes of UTF-8 that start with neither slash nor backslash.
// The empty key, which addresses the bucket, passes.
func checkKey(key string) *Error {
	if len(key) > 1023 || !utf8.ValidString(key) || strings.HasPrefix(key, "/") || strings.HasPrefix(key, `\`) {
		return &Error{Status: http.StatusBadRequest, Code: "InvalidObjectName",
			Message: "The specified object is not valid.", Key: strings.ToValidUTF8(key, "\uFFFD")}
	}
	return nil
}
