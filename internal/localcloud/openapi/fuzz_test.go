package openapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/trace"
)

// FuzzRequest asserts that no request without keys is let in or breaks the server, whatever it looks like.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "Action=Echo&Version=1&Format=JSON", "Word=a", "application/x-www-form-urlencoded", "")
	f.Add("GET", "Action=Echo&Tag.1.Key=a&Tag.1.Value=b&ResourceIds.1=x&%zz", "", "", "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;x-acs-date,Signature=b")
	f.Add("GET", "AccessKeyId=a&Signature=b&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n&Timestamp=2026-11-23T00:00:00Z&Action=Echo&Version=1", "", "text/plain", "")
	f.Fuzz(func(t *testing.T, method, query, body, contentType, authorization string) {
		service := &Service{Name: "svc", Version: "1", Directory: account.New("1234567890123456"), Tap: trace.NewTap(0),
			Log: slog.New(slog.DiscardHandler), Operations: map[string]Operation{"Echo": {}}}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || !strings.Contains(w.Body.String(), "Code") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if m, err := parse(r); err == nil {
			p := Params(m.params)
			p.List("ResourceIds")
			p.Structs("Tag", "Key", "Value")
			if n, err := p.Int("PageSize", 10, 1, 100); err == nil && (n < 1 || n > 100) {
				t.Errorf("PageSize is %d", n)
			}
		}
	})
}
