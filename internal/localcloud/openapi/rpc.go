package openapi

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- signatures of RPC requests are HMAC-SHA1
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"time"

	"imageferry/internal/localcloud/account"
)

// verifyRPC authenticates a request whose parameters carry a signature of version 1.0, made with HMAC-SHA1.
func verifyRPC(method string, params url.Values, dir *account.Directory) (account.Identity, *Error) {
	for _, name := range []string{"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"} {
		if params.Get(name) == "" {
			return account.Identity{}, mandatory(name)
		}
	}
	for name, want := range map[string]string{"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureType": ""} {
		if params.Get(name) != want {
			return account.Identity{}, Invalid(name)
		}
	}
	if err := checkTime(params.Get("Timestamp")); err != nil {
		return account.Identity{}, err
	}
	identity, err := identify(dir, params.Get("AccessKeyId"), params.Get("SecurityToken"))
	if err != nil {
		return account.Identity{}, err
	}
	text := rpcStringToSign(method, params)
	if !hmac.Equal([]byte(rpcSignature(identity.Secret, text)), []byte(params.Get("Signature"))) {
		// The platform sends the text back, so that clients can tell a wrong secret from a wrong encoding.
		return account.Identity{}, Errorf(http.StatusBadRequest, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server string to sign is:%s", text)
	}
	return identity, nil
}

// SignRPC adds the common parameters and the signature of id, as of now, to the parameters of a request. Version and
// Action have to be among them.
func SignRPC(method string, params url.Values, id account.Identity, now time.Time) {
	params.Set("AccessKeyId", id.AccessKeyID)
	params.Set("SignatureMethod", "HMAC-SHA1")
	params.Set("SignatureVersion", "1.0")
	params.Set("SignatureNonce", rand.Text())
	params.Set("Timestamp", now.UTC().Format("2006-01-02T15:04:05Z"))
	if id.Token != "" {
		params.Set("SecurityToken", id.Token)
	}
	params.Del("Signature")
	params.Set("Signature", rpcSignature(id.Secret, rpcStringToSign(method, params)))
}

func rpcStringToSign(method string, params url.Values) string {
	signed := maps.Clone(params)
	delete(signed, "Signature")
	return method + "&%2F&" + percentEncode(canonicalQuery(signed))
}

func rpcSignature(secret, text string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
