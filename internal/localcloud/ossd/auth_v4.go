package ossd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	schemeV4 = "OSS4-HMAC-SHA256"
	timeV4   = "20060102T150405Z"
	dayV4    = "20060102"
	// unsigned is the only payload hash that version 4 of OSS's signatures takes.
	unsigned = "UNSIGNED-PAYLOAD"
	// maxURLAge is how long a V4 URL may stay valid.
	maxURLAge = 7 * 24 * time.Hour
)

// A scope is the credential of a version 4 signature: <access key id>/<day>/<region>/oss/aliyun_v4_request.
type scope struct{ accessKeyID, day, region string }

// headerV4 reads the Authorization header. The time is x-oss-date in the ISO basic format, or else the Date header, which
// is then signed as it stands.
func (s *Server) headerV4(r *request, authorization string) (signature, *Error) {
	fields := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(authorization, schemeV4+" "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	at, err := s.parseScope(r, fields["Credential"])
	if err != nil {
		return signature{}, err
	}
	if r.header.Get("x-oss-content-sha256") != unsigned {
		// Guess: code and message; the documentation requires the header with this value.
		return signature{}, invalidArgument("x-oss-content-sha256 must be " + unsigned + ".")
	}
	date := r.header.Get("x-oss-date")
	signedAt, parseErr := time.Parse(timeV4, date)
	if date == "" {
		date = r.header.Get("Date")
		signedAt, parseErr = http.ParseTime(date)
	}
	if parseErr != nil || signedAt.UTC().Format(dayV4) != at.day {
		return signature{}, invalidDate()
	}
	return signature{
		accessKeyID: at.accessKeyID,
		token:       r.header.Get("x-oss-security-token"),
		signedAt:    signedAt,
		verify:      verifierV4(r, at, date, fields["AdditionalHeaders"], fields["Signature"]),
	}, nil
}

// urlV4 reads the same from the query of a signed URL.
func (s *Server) urlV4(r *request) (signature, *Error) {
	at, err := s.parseScope(r, r.query.Get("x-oss-credential"))
	if err != nil {
		return signature{}, err
	}
	date := r.query.Get("x-oss-date")
	signedAt, dateErr := time.Parse(timeV4, date)
	seconds, ageErr := strconv.Atoi(r.query.Get("x-oss-expires"))
	age := time.Duration(seconds) * time.Second
	if r.query.Get("x-oss-signature-version") != schemeV4 || dateErr != nil || ageErr != nil || seconds < 1 ||
		seconds > int(maxURLAge/time.Second) || signedAt.Format(dayV4) != at.day {
		// Guess: code and message.
		return signature{}, invalidArgument("The query parameters of the signature are invalid.")
	}
	return signature{
		accessKeyID: at.accessKeyID,
		token:       r.query.Get("x-oss-security-token"),
		signedAt:    signedAt,
		notAfter:    signedAt.Add(age),
		verify:      verifierV4(r, at, date, r.query.Get("x-oss-additional-headers"), r.query.Get("x-oss-signature")),
	}, nil
}

// parseScope reads a credential and checks that it is meant for this service and for the region of the endpoint or of the
// bucket.
func (s *Server) parseScope(r *request, credential string) (scope, *Error) {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[0] == "" || parts[4] != "aliyun_v4_request" {
		return scope{}, invalidArgument("Authorization header is invalid.")
	}
	at := scope{accessKeyID: parts[0], day: parts[1], region: parts[2]}
	if at.region != s.endpointRegion(r.host) && at.region != s.regionOf(r.bucket) {
		err := invalidArgument("Invalid signing region in Authorization header.")
		err.EC = "0002-00000226"
		return scope{}, err
	}
	if parts[3] != "oss" {
		err := invalidArgument("Invalid signing product in Authorization header.")
		err.EC = "0002-00000227"
		return scope{}, err
	}
	return at, nil
}

func verifierV4(r *request, at scope, date, additional, given string) func(secret string) bool {
	hash := sha256.Sum256([]byte(canonicalV4(r, additional)))
	text := schemeV4 + "\n" + date + "\n" + at.day + "/" + at.region + "/oss/aliyun_v4_request\n" + hex.EncodeToString(hash[:])
	return func(secret string) bool {
		key := []byte("aliyun_v4" + secret)
		for _, step := range []string{at.day, at.region, "oss", "aliyun_v4_request", text} {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(step))
			key = mac.Sum(nil)
		}
		return hmac.Equal([]byte(hex.EncodeToString(key)), []byte(given))
	}
}

// canonicalV4 is the canonical request: method, resource, query, headers, names of the additional headers, payload hash.
func canonicalV4(r *request, additional string) string {
	var b strings.Builder
	b.WriteString(r.method + "\n/")
	if r.bucket != "" {
		b.WriteString(r.bucket + "/" + strings.ReplaceAll(escape(r.key), "%2F", "/"))
	}
	b.WriteString("\n" + canonicalQuery(r.query) + "\n")
	names := strings.Split(additional, ";")
	for _, h := range signedHeaders(withHost(r), func(name string) bool {
		return name == "content-type" || name == "content-md5" || strings.HasPrefix(name, "x-oss-") || slices.Contains(names, name)
	}) {
		b.WriteString(h.name + ":" + h.value + "\n")
	}
	b.WriteString("\n" + additional + "\n" + unsigned)
	return b.String()
}

// withHost puts the Host header, which net/http keeps apart, back among the headers.
func withHost(r *request) *request {
	with := *r
	with.header = r.header.Clone()
	with.header.Set("Host", r.host)
	return &with
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		if name == "x-oss-signature" {
			continue
		}
		for _, value := range values {
			pair := escape(name)
			if value != "" {
				pair += "=" + escape(value)
			}
			pairs = append(pairs, pair)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape percent-encodes everything but RFC 3986's unreserved characters.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
