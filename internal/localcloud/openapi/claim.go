package openapi

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// ClaimedKey is the access key that a request says it is signed with, empty when it says none. Nothing is verified. The request
// can be read again afterwards.
func ClaimedKey(r *http.Request) string {
	if header := r.Header.Get("Authorization"); strings.HasPrefix(header, "ACS3-") {
		auth, _ := parseACS3(header)
		return auth.accessKeyID
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody+1)) // what cannot be read will not be readable later, either
	r.Body = io.NopCloser(bytes.NewReader(body))
	m, _ := parse(r)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return m.params.Get("AccessKeyId")
}
