package openapi

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"imageferry/internal/localcloud/account"
)

const acs3Algorithm = "ACS3-HMAC-SHA256"

// VerifyACS3 authenticates a request that is signed with ACS3-HMAC-SHA256 in its Authorization header. The date has to
// be within 15 minutes of now, x-acs-content-sha256 has to be the hash of body, and host and every x-acs-* header have
// to be signed. It does not remember nonces.
func VerifyACS3(r *http.Request, body []byte, dir *account.Directory) (account.Identity, *Error) {
	auth, err := parseACS3(r.Header.Get("Authorization"))
	if err != nil {
		return account.Identity{}, err
	}
	if err := checkACS3Headers(r.Header, auth.signedHeaders); err != nil {
		return account.Identity{}, err
	}
	if err := checkTime(r.Header.Get("X-Acs-Date")); err != nil {
		return account.Identity{}, err
	}
	identity, err := identify(dir, auth.accessKeyID, r.Header.Get("X-Acs-Security-Token"))
	if err != nil {
		return account.Identity{}, err
	}
	sum := sha256.Sum256(body)
	canonical := canonicalRequest(r, auth.signedHeaders, hex.EncodeToString(sum[:]))
	want := acs3Signature(identity.Secret, canonical)
	if r.Header.Get("X-Acs-Content-Sha256") != hex.EncodeToString(sum[:]) || !hmac.Equal([]byte(want), []byte(auth.signature)) {
		return account.Identity{}, Errorf(http.StatusBadRequest, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server CanonicalRequest is [%s]", canonical)
	}
	return identity, nil
}

// SignACS3 signs r, whose body is body, with the keys of id as of now.
func SignACS3(r *http.Request, body []byte, id account.Identity, now time.Time) {
	sum := sha256.Sum256(body)
	r.Header.Set("X-Acs-Date", now.UTC().Format("2006-01-02T15:04:05Z"))
	r.Header.Set("X-Acs-Content-Sha256", hex.EncodeToString(sum[:]))
	r.Header.Set("X-Acs-Signature-Nonce", rand.Text())
	if id.Token != "" {
		r.Header.Set("X-Acs-Security-Token", id.Token)
	}
	signed := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-acs-") {
			signed = append(signed, name)
		}
	}
	slices.Sort(signed)
	signature := acs3Signature(id.Secret, canonicalRequest(r, signed, hex.EncodeToString(sum[:])))
	r.Header.Set("Authorization", acs3Algorithm+" Credential="+id.AccessKeyID+
		",SignedHeaders="+strings.Join(signed, ";")+",Signature="+signature)
}

type acs3Authorization struct {
	accessKeyID   string
	signedHeaders []string
	signature     string
}

func parseACS3(header string) (acs3Authorization, *Error) {
	var auth acs3Authorization
	algorithm, rest, _ := strings.Cut(header, " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			auth.accessKeyID = value
		case "SignedHeaders":
			auth.signedHeaders = strings.Split(value, ";")
		case "Signature":
			auth.signature = value
		}
	}
	if algorithm != acs3Algorithm || auth.accessKeyID == "" || auth.signedHeaders == nil || auth.signature == "" {
		return acs3Authorization{}, Errorf(http.StatusBadRequest, "IncompleteSignature",
			"The request signature does not conform to Aliyun standards.")
	}
	return auth, nil
}

// checkACS3Headers refuses a request without the headers that the algorithm needs, or that leaves one unsigned.
func checkACS3Headers(h http.Header, signed []string) *Error {
	for _, name := range []string{"X-Acs-Date", "X-Acs-Content-Sha256", "X-Acs-Signature-Nonce"} {
		if h.Get(name) == "" {
			return mandatory(strings.ReplaceAll(strings.TrimPrefix(name, "X-Acs-"), "-", ""))
		}
	}
	complete := slices.Contains(signed, "host") && slices.IsSorted(signed)
	for name := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-acs-") {
			complete = complete && slices.Contains(signed, name)
		}
	}
	if !complete {
		return Errorf(http.StatusBadRequest, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	return nil
}

func canonicalRequest(r *http.Request, signed []string, hash string) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range signed {
		b.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hash)
	return b.String()
}

func headerValue(r *http.Request, name string) string {
	if name != "host" {
		return strings.TrimSpace(strings.Join(r.Header.Values(name), ","))
	}
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host // a client's request that does not override the host
}

func acs3Signature(secret, canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(acs3Algorithm + "\n" + hex.EncodeToString(sum[:])))
	return hex.EncodeToString(mac.Sum(nil))
}
