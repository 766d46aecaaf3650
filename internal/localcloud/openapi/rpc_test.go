package openapi_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/openapi"
)

func TestAnswerFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		status, body := w.send(t, method, w.signed(method, params("Word", "a b*~+/", "Format", "JSON")))
		if status != http.StatusOK || code(t, body) != "" || !strings.HasSuffix(body, `"Words":{"Word":["a b*~+/"]}}`) {
			t.Errorf("%s JSON: %d %s", method, status, body)
		}
		status, body = w.send(t, method, w.signed(method, params("Word", "a")))
		if status != http.StatusOK || !strings.Contains(body, "<EchoResponse><RequestId>") ||
			!strings.Contains(body, "<Words><Word>a</Word></Words></EchoResponse>") {
			t.Errorf("%s XML: %d %s", method, status, body)
		}
		status, body = w.send(t, method, w.signed(method, params("Word", "<bad>")))
		var e struct {
			XMLName                                     xml.Name `xml:"Error"`
			RequestId, HostId, Code, Message, Recommend string
		}
		if err := xml.Unmarshal([]byte(body), &e); err != nil || status != http.StatusConflict || e.Code != "BadWord" ||
			e.Message != `The word "<bad>" & others.` || e.HostId == "" || e.RequestId == "" ||
			e.Recommend != "https://api.aliyun.com/troubleshoot?q=BadWord&product=Svc&requestId="+e.RequestId {
			t.Errorf("%s XML error: %d %s (%v)", method, status, body, err)
		}
	}
}

func TestAnswerHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, query := range []string{w.signed(http.MethodGet, params("Word", "a", "Format", "JSON")).Encode(), "Action=Echo&Format=JSON"} {
		resp, err := http.Get(w.server.URL + "/?" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if id := resp.Header.Get("X-Acs-Request-Id"); err != nil || id == "" || !strings.Contains(string(body), id) {
			t.Errorf("%s: request id %q, body %s (%v)", resp.Status, id, body, err)
		}
		if id := resp.Header.Get("X-Acs-Trace-Id"); len(id) != 32 {
			t.Errorf("%s: trace id %q", resp.Status, id)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir.PutRole("worker", trust(), account.Administrator())
	role := func() account.Identity {
		identity, err := w.dir.AssumeByService("svc.aliyuncs.com", "worker", "s", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return identity
	}
	expired, tokenless, foreign, forged := role(), role(), role(), role()
	w.dir.Expire(expired.AccessKeyID)
	tokenless.Token = ""
	foreign.Token = role().Token
	forged.Token = "nonsense"
	wrong := w.admin
	wrong.Secret = "other"
	unknown := w.admin
	unknown.AccessKeyID = "LTAI-NOBODY"
	nobody := w.dir.PutUser("nobody")

	tests := []struct {
		name   string
		as     account.Identity
		skew   time.Duration
		params url.Values
		change func(url.Values) // after signing
		status int
		code   string
	}{
		{name: "wrong secret", as: wrong, status: 400, code: "SignatureDoesNotMatch"},
		{name: "changed after signing", as: w.admin, change: set("Word", "b"), status: 400, code: "SignatureDoesNotMatch"},
		{name: "unknown key", as: unknown, status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "temporary key without token", as: tokenless, status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "expired token", as: expired, status: 400, code: "InvalidSecurityToken.Expired"},
		{name: "token of another key", as: foreign, status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		{name: "token of nobody", as: forged, status: 400, code: "InvalidSecurityToken.Malformed"},
		{name: "too old", as: w.admin, skew: -16 * time.Minute, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "from the future", as: w.admin, skew: 16 * time.Minute, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "malformed time", as: w.admin, change: set("Timestamp", "yesterday"), status: 400, code: "InvalidTimeStamp.Format"},
		{name: "no key", as: w.admin, change: set("AccessKeyId", ""), status: 400, code: "MissingAccessKeyId"},
		{name: "no signature", as: w.admin, change: set("Signature", ""), status: 400, code: "MissingSignature"},
		{name: "no nonce", as: w.admin, change: set("SignatureNonce", ""), status: 400, code: "MissingSignatureNonce"},
		{name: "other algorithm", as: w.admin, change: set("SignatureMethod", "MD5"), status: 400, code: "InvalidParameter"},
		{name: "unknown action", as: w.admin, params: params("Action", "Nothing"), status: 404, code: "InvalidAction.NotFound"},
		{name: "wrong version", as: w.admin, params: params("Version", "2013-01-01"), status: 400, code: "InvalidVersion"},
		{name: "unknown format", as: w.admin, params: params("Format", "YAML"), status: 400, code: "InvalidParameter"},
		{name: "missing parameter", as: w.admin, params: params(), status: 400, code: "MissingParameter"},
		{name: "no permission", as: nobody, status: 403, code: "Forbidden.RAM"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := test.params
			if v == nil {
				v = params("Word", "a")
			}
			if !v.Has("Format") {
				v.Set("Format", "JSON")
			}
			openapi.SignRPC(http.MethodPost, v, test.as, time.Now().Add(test.skew))
			if test.change != nil {
				test.change(v)
			}
			status, body := w.send(t, http.MethodPost, v)
			if v.Get("Format") != "JSON" {
				if status != test.status || !strings.Contains(body, "<Code>"+test.code+"</Code>") {
					t.Errorf("%d %s, want %d %s", status, body, test.status, test.code)
				}
				return
			}
			if got := code(t, body); status != test.status || got != test.code {
				t.Errorf("%d %s, want %d %s", status, body, test.status, test.code)
			}
			if strings.Contains(body, test.as.Secret) {
				t.Errorf("the answer holds the secret: %s", body)
			}
		})
	}
}

func set(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }

func trust() account.Policy {
	return account.Policy{Version: "1", Statement: []account.Statement{{Effect: "Allow", Action: account.Strings{"sts:AssumeRole"},
		Principal: &account.Principal{Service: account.Strings{"svc.aliyuncs.com"}}}}}
}

func TestReplayedNonceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.signed(http.MethodGet, params("Word", "a", "Format", "JSON"))
	if status, body := w.send(t, http.MethodGet, v); status != http.StatusOK {
		t.Fatalf("first: %d %s", status, body)
	}
	if status, body := w.send(t, http.MethodGet, v); status != http.StatusBadRequest || code(t, body) != "SignatureNonceUsed" {
		t.Errorf("second: %d %s", status, body)
	}
}

func TestMethodAndPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req, _ := http.NewRequest(http.MethodPut, w.server.URL, nil)
	if status, body, err := do(req); err != nil || status != http.StatusMethodNotAllowed || !strings.Contains(body, "<Error>") {
		t.Errorf("PUT: %d %s (%v)", status, body, err)
	}
	v := w.signed(http.MethodGet, params("Word", "a"))
	req, _ = http.NewRequest(http.MethodGet, w.server.URL+"/deeper?"+v.Encode(), nil)
	if status, body, err := do(req); err != nil || status != http.StatusNotFound {
		t.Errorf("deeper: %d %s (%v)", status, body, err)
	}
}
