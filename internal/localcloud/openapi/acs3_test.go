package openapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
)

func TestACS3(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir.PutRole("worker", trust(), account.Administrator())
	role, err := w.dir.AssumeByService("svc.aliyuncs.com", "worker", "s", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	wrong := w.admin
	wrong.Secret = "other"
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		as     account.Identity
		skew   time.Duration
		body   string // sent instead of what was signed
		change func(*http.Request)
		status int
		code   string
	}{
		{name: "user", as: w.admin, status: 200},
		{name: "role", as: role, status: 200},
		{name: "wrong secret", as: wrong, status: 400, code: "SignatureDoesNotMatch"},
		{name: "other body", as: w.admin, body: "Word=b", status: 400, code: "SignatureDoesNotMatch"},
		{name: "other query", as: w.admin, change: func(r *http.Request) { r.URL.RawQuery = "Word=b" }, status: 400, code: "SignatureDoesNotMatch"},
		{name: "other action", as: w.admin, change: header("X-Acs-Version", "2013-01-01"), status: 400, code: "InvalidVersion"},
		{name: "unsigned header", as: w.admin, change: header("X-Acs-Extra", "1"), status: 400, code: "IncompleteSignature"},
		{name: "other token", as: role, change: header("X-Acs-Security-Token", "x"), status: 400, code: "InvalidSecurityToken.Malformed"},
		{name: "no date", as: w.admin, change: func(r *http.Request) { r.Header.Del("X-Acs-Date") }, status: 400, code: "MissingDate"},
		{name: "too old", as: w.admin, skew: -16 * time.Minute, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "garbage", as: w.admin, change: header("Authorization", "ACS3-HMAC-SHA256 what"), status: 400, code: "IncompleteSignature"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const body = "Word=a"
			r, err := http.NewRequest(http.MethodPost, w.server.URL+"/?B=2&A=%7E%2B+1", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Acs-Action", "Echo")
			r.Header.Set("X-Acs-Version", "2014-05-26")
			openapi.SignACS3(r, []byte(body), test.as, time.Now().Add(test.skew))
			sent := body
			if test.body != "" {
				sent = test.body
			}
			r.ContentLength = int64(len(sent))
			r.Body = io.NopCloser(strings.NewReader(sent))
			if test.change != nil {
				test.change(r)
			}
			status, answer, err := do(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := code(t, answer); status != test.status || got != test.code {
				t.Errorf("%d %s, want %d %s", status, answer, test.status, test.code)
			}
			if strings.Contains(answer, test.as.Secret) {
				t.Errorf("the answer holds the secret: %s", answer)
			}
		})
	}
}
