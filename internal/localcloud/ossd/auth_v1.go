package ossd

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- signatures of version 1 are HMAC-SHA1
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subresources are the query parameters that are part of what version 1 signs.
var subresources = func() map[string]bool {
	names := strings.Fields(`acl uploads location cors logging website referer lifecycle delete append tagging objectMeta
		uploadId partNumber security-token position img style styleName replication replicationProgress
		replicationLocation cname bucketInfo comp qos live status vod startTime endTime symlink x-oss-process
		response-content-type x-oss-traffic-limit response-content-language response-expires response-cache-control
		response-content-disposition response-content-encoding udf udfName udfImage udfId udfImageDesc udfApplication
		udfApplicationLog restore callback callback-var qosInfo policy stat encryption versions versioning versionId
		requestPayment x-oss-request-payer sequential inventory inventoryId continuation-token asyncFetch worm wormId
		wormExtend withHashContext x-oss-enable-md5 x-oss-enable-sha1 x-oss-enable-sha256 x-oss-hash-ctx x-oss-md5-ctx
		transferAcceleration regionList cloudboxes x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id
		x-oss-ac-forward-allow metaQuery resourceGroup rtc x-oss-async-process responseHeader`)
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}()

func isSubresource(name string) bool { return subresources[name] }

// headerV1 reads "OSS <access key id>:<signature>". OSS has refused version 1 to new accounts since 2025-03 and to new
// buckets since 2025-09; the embedded cloud's are taken to be older.
func headerV1(r *request, authorization string) (signature, *Error) {
	id, given, ok := strings.Cut(strings.TrimPrefix(authorization, "OSS "), ":")
	if !ok || id == "" || given == "" {
		return signature{}, invalidArgument("Authorization header is invalid.")
	}
	date := r.header.Get("x-oss-date")
	if date == "" {
		date = r.header.Get("Date")
	}
	signedAt, err := http.ParseTime(date)
	if err != nil {
		return signature{}, invalidDate()
	}
	return signature{
		accessKeyID: id,
		token:       r.header.Get("x-oss-security-token"),
		signedAt:    signedAt,
		verify:      verifierV1(r, date, given),
	}, nil
}

// urlV1 reads OSSAccessKeyId, Expires and Signature from the query.
func urlV1(r *request) (signature, *Error) {
	expires, err := strconv.ParseInt(r.query.Get("Expires"), 10, 64)
	if err != nil {
		return signature{}, invalidDate()
	}
	return signature{
		accessKeyID: r.query.Get("OSSAccessKeyId"),
		token:       r.query.Get("security-token"),
		notAfter:    time.Unix(expires, 0),
		verify:      verifierV1(r, r.query.Get("Expires"), r.query.Get("Signature")),
	}, nil
}

func verifierV1(r *request, date, given string) func(secret string) bool {
	text := stringToSignV1(r, date)
	return func(secret string) bool {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(text))
		want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		return hmac.Equal([]byte(want), []byte(given))
	}
}

func stringToSignV1(r *request, date string) string {
	var b strings.Builder
	for _, line := range []string{r.method, r.header.Get("Content-MD5"), r.header.Get("Content-Type"), date} {
		b.WriteString(line + "\n")
	}
	for _, h := range signedHeaders(r, func(name string) bool { return strings.HasPrefix(name, "x-oss-") }) {
		b.WriteString(h.name + ":" + h.value + "\n")
	}
	b.WriteString("/")
	if r.bucket != "" {
		b.WriteString(r.bucket + "/" + r.key)
	}
	separator := "?"
	for _, name := range sortedNames(r.query) {
		if !isSubresource(name) {
			continue
		}
		b.WriteString(separator + name)
		if value := r.query.Get(name); value != "" {
			b.WriteString("=" + value)
		}
		separator = "&"
	}
	return b.String()
}

type header struct{ name, value string }

// signedHeaders returns the headers whose lower-case names are wanted, sorted by name.
func signedHeaders(r *request, wanted func(name string) bool) []header {
	var list []header
	for name, values := range r.header {
		if lower := strings.ToLower(name); wanted(lower) {
			list = append(list, header{lower, strings.TrimSpace(strings.Join(values, ","))})
		}
	}
	slices.SortFunc(list, func(a, b header) int { return strings.Compare(a.name, b.name) })
	return list
}

func sortedNames(query map[string][]string) []string {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func invalidDate() *Error {
	return accessDenied("OSS authentication requires a valid Date.", "")
}
