package ossd

import (
	"bufio"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
)

// FuzzServe sends whatever parses as an HTTP request. Nothing may panic, every call is recorded once, and every refusal
// is a well-formed error document.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"PUT /images/a%2Fb HTTP/1.1\r\nHost: localhost:80\r\nContent-Length: 1\r\n\r\nx",
		"GET /?list-type=2&prefix=a&delimiter=%2f&max-keys=1&continuation-token=YQ HTTP/1.1\r\nHost: images.oss-cn-hangzhou.aliyuncs.com\r\n\r\n",
		"POST /images/log?append&position=0 HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"GET /images/a HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=-9\r\nx-oss-range-behavior: standard\r\n\r\n",
		"HEAD /images/a?objectMeta HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: *\r\nAuthorization: OSS a:b\r\nDate: x\r\n\r\n",
		"GET /images/?bucketInfo HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: OSS4-HMAC-SHA256 Credential=a/b/c/oss/aliyun_v4_request,Signature=d\r\n\r\n",
		"GET /images/a?x-oss-signature=0&x-oss-credential=a/b/cn-hangzhou/oss/aliyun_v4_request HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"GET /images/a?Signature=0&Expires=9999999999&OSSAccessKeyId=a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"POST /images/a?uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
		"POST /images/a?uploadId=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 26\r\n\r\n<CompleteMultipartUpload/>",
		"PUT /images/a?partNumber=1&uploadId=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nx-oss-copy-source: /images/b\r\n\r\n",
		"GET /images/?uploads&delimiter=/&key-marker=a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: a.b\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, wire string) {
		hr, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			t.Skip()
		}
		tap := trace.NewTap(0)
		s := New("cn-hangzhou", account.New("1234567890123456"), tap, nil)
		if err := s.CreateBucket(BucketSpec{Name: "images", ACL: "public-read-write"}); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, hr)
		calls := tap.Calls()
		if len(calls) == 2 && calls[0].Action == "oss:GetObject" && calls[0].RequestID == calls[1].RequestID {
			calls = calls[1:] // the source of a copy has an entry of its own
		}
		if len(calls) != 1 || calls[0].Status != w.Code {
			t.Errorf("recorded %+v for an answer of %d", calls, w.Code)
		}
		if w.Code >= 400 && hr.Method != http.MethodHead {
			if err := xml.Unmarshal(w.Body.Bytes(), new(Error)); err != nil {
				t.Errorf("answer %q: %v", w.Body, err)
			}
		}
	})
}

// FuzzRange: a range that is honoured lies within the object.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=3-", "bytes=9-1", "bytes=0-9223372036854775807", "bytes=,"} {
		f.Add(seed, int64(4), true)
	}
	f.Fuzz(func(t *testing.T, header string, size int64, standard bool) {
		if size < 0 {
			t.Skip()
		}
		r := &request{header: http.Header{"Range": {header}}}
		if standard {
			r.header.Set("x-oss-range-behavior", "standard")
		}
		part, partial, err := rangeOf(r, size)
		if partial && (err != nil || part.first < 0 || part.last >= size || part.first > part.last) {
			t.Errorf("%q of %d bytes is %+v, %v", header, size, part, err)
		}
	})
}

// FuzzCanonicalQuery: the signed form of a query decodes to the query, except for the signature itself.
func FuzzCanonicalQuery(f *testing.F) {
	f.Add("bucketInfo")
	f.Add("prefix=a%20b&list-type=2&x=&x=1")
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			t.Skip()
		}
		query.Del("x-oss-signature")
		back, err := url.ParseQuery(canonicalQuery(query))
		if err != nil {
			t.Fatalf("canonical query %q: %v", canonicalQuery(query), err)
		}
		for name, values := range query {
			if name != "" && len(back[name]) != len(values) {
				t.Errorf("%q: %q came back as %q", name, values, back[name])
			}
		}
	})
}
