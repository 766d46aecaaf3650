package ossd

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ host, path, bucket, key, code string }{
		{"127.0.0.1:8080", "/", "", "", ""},
		{"127.0.0.1:8080", "/images", "images", "", ""},
		{"127.0.0.1", "/images/", "images", "", ""},
		{"127.0.0.1", "/images/a/b//c", "images", "a/b//c", ""},
		{"[::1]:8080", "/images/a", "images", "a", ""},
		{"LocalHost:8080", "/images/a", "images", "a", ""},
		{"images.localhost:8080", "/a/b", "images", "a/b", ""},
		{"images.oss-cn-hangzhou.aliyuncs.com", "/", "images", "", ""},
		{"images.oss-cn-hangzhou-internal.aliyuncs.com", "/a", "images", "a", ""},
		{"oss-images.oss-cn-hangzhou.aliyuncs.com", "/a", "oss-images", "a", ""},
		{"oss-cn-hangzhou.aliyuncs.com", "/", "", "", ""},
		{"oss-cn-hangzhou.aliyuncs.com", "/images/a", "images", "a", "SecondLevelDomainForbidden"},
		{"images.127.0.0.1", "/a", "a", "", "SecondLevelDomainForbidden"},
		{"oss", "/images/a", "images", "a", "SecondLevelDomainForbidden"},
		{"", "/images/a", "images", "a", "SecondLevelDomainForbidden"},
		{"127.0.0.1", "//a", "", "a", "InvalidBucketName"},
		{"127.0.0.1", "/Images/a", "Images", "a", "InvalidBucketName"},
		{"127.0.0.1", "/im/a", "im", "a", "InvalidBucketName"},
		{"127.0.0.1", "/-images/a", "-images", "a", "InvalidBucketName"},
		{"127.0.0.1", `/images/\a`, "images", `\a`, "InvalidObjectName"},
		{"127.0.0.1", "*", "", "", "InvalidArgument"},
		{"127.0.0.1", "", "", "", "InvalidArgument"},
	} {
		var r request
		code := ""
		if err := r.address(tc.host, tc.path); err != nil {
			code = err.Code
		}
		if code != tc.code || r.bucket != tc.bucket || r.key != tc.key {
			t.Errorf("address(%q, %q) = %q, %q, %q; want %q, %q, %q", tc.host, tc.path, r.bucket, r.key, code, tc.bucket, tc.key, tc.code)
		}
	}
}

func TestEndpointRegion(t *testing.T) {
	t.Parallel()
	s := &Server{region: "cn-hangzhou"}
	for host, want := range map[string]string{
		"oss-cn-beijing.aliyuncs.com":                 "cn-beijing",
		"images.oss-cn-beijing.aliyuncs.com:8080":     "cn-beijing",
		"Images.OSS-cn-beijing-internal.aliyuncs.com": "cn-beijing",
		"oss-images.oss-ap-southeast-1.aliyuncs.com":  "ap-southeast-1",
		"images.oss-accelerate.aliyuncs.com":          "cn-hangzhou",
		"images.oss-accelerate-overseas.aliyuncs.com": "cn-hangzhou",
		"images.example.com":                          "cn-hangzhou",
		"oss-cn-beijing.aliyuncs.com.example.com":     "cn-hangzhou",
		"127.0.0.1:8080":                              "cn-hangzhou",
		"[::1]:8080":                                  "cn-hangzhou",
		"localhost":                                   "cn-hangzhou",
		"":                                            "cn-hangzhou",
	} {
		if got := s.endpointRegion(host); got != want {
			t.Errorf("endpointRegion(%q) = %q, want %q", host, got, want)
		}
	}
}

// The signature in OSS's documentation of version 1, with its published sample keys.
func TestDocumentedSignatureV1(t *testing.T) {
	t.Parallel()
	const date = "Thu, 17 Nov 2005 18:49:58 GMT"
	r := &request{method: http.MethodPut, bucket: "oss-example", key: "nelson", header: http.Header{
		"Content-Md5":       {"ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM="},
		"Content-Type":      {"text/html"},
		"Date":              {date},
		"X-Oss-Meta-Author": {"foo@bar.com"},
		"X-Oss-Magic":       {"abracadabra"},
	}}
	const secret = "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"
	if !verifierV1(r, date, "26NBxoKdsyly4EDv6inkoDft/yA=")(secret) {
		t.Errorf("the documented signature is refused; string to sign: %q", stringToSignV1(r, date))
	}
}

// Whoever signs x-oss-date signs it in place of Date.
func TestDateOfVersion1(t *testing.T) {
	t.Parallel()
	r := &request{method: http.MethodGet, header: http.Header{
		"Date": {"Mon, 01 Jan 2001 00:00:00 GMT"}, "X-Oss-Date": {"Tue, 02 Jan 2001 00:00:00 GMT"},
	}}
	sig, err := headerV1(r, "OSS id:signature")
	if err != nil || sig.signedAt.Day() != 2 {
		t.Errorf("signed at %v, %v", sig.signedAt, err)
	}
}

func TestLimitsOfTheBody(t *testing.T) {
	t.Parallel()
	s := New("cn-hangzhou", account.New("1234567890123456"), trace.NewTap(0), nil)
	if err := s.CreateBucket(BucketSpec{Name: "images", ACL: "public-read-write"}); err != nil {
		t.Fatal(err)
	}
	s.maxBody = 100
	send := func(method, target, body, length string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
		r.Header.Set("Content-Length", length)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	big := strings.Repeat("x", s.maxBody)
	for name, tc := range map[string]struct {
		answer *httptest.ResponseRecorder
		status int
		code   string
	}{
		"largest":         {send("PUT", "/images/a", big, "1"), 200, ""},
		"too large":       {send("PUT", "/images/a", big+"x", "1"), 400, "<Code>EntityTooLarge</Code>"},
		"no length":       {send("PUT", "/images/a", "x", ""), 411, "<Code>MissingContentLength</Code>"},
		"append":          {send("POST", "/images/b?append&position=0", big, "1"), 200, ""},
		"append too much": {send("POST", "/images/b?append&position=100", "x", "1"), 400, "<Code>EntityTooLarge</Code>"},
		"append nowhere":  {send("POST", "/images/b?append", "x", "1"), 400, "<Code>InvalidArgument</Code>"},
		"odd query":       {send("GET", "/images/a?%zz", "", ""), 400, "<Code>InvalidArgument</Code>"},
		"odd method":      {send("BREW", "/images/a", "", ""), 405, "<Code>MethodNotAllowed</Code>"},
		"no feature":      {send("PUT", "/images/a?acl", "", "0"), 501, "<Code>NotImplemented</Code>"},
	} {
		if tc.answer.Code != tc.status || !strings.Contains(tc.answer.Body.String(), tc.code) {
			t.Errorf("%s is answered %d %.300s", name, tc.answer.Code, tc.answer.Body)
		}
	}
}
