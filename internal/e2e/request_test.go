package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"imageferry/internal/localcloud/openapi"
)

// A reply is the answer to an HTTP request.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// decode reads the body as JSON.
func (r reply) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(r.body, into); err != nil {
		t.Fatalf("answer %d %q: %v", r.status, r.body, err)
	}
}

// call sends a request to the function's HTTP trigger, signed by the administrator; a body is JSON.
func (d *deployment) call(t *testing.T, method, path, body string, change ...func(*http.Request)) reply {
	t.Helper()
	return d.send(t, d.Endpoints.HTTP+path, method, []byte(body), true, change...)
}

// send sends a request; change is made before it is signed.
func (d *deployment) send(t *testing.T, address, method string, body []byte, sign bool, change ...func(*http.Request)) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, f := range change {
		f(r)
	}
	if sign {
		openapi.SignACS3(r, body, d.Administrator, time.Now())
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, text}
}
