package handler

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// A Response is what FC's HTTP trigger makes its answer of.
type Response struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	Body            string            `json:"body"`
}

// A recorder is the http.ResponseWriter that keeps the answer until it is whole.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *recorder) response(method string) Response {
	r := Response{StatusCode: w.status, Headers: map[string]string{}}
	if r.StatusCode == 0 {
		r.StatusCode = http.StatusOK
	}
	for name, values := range w.header {
		r.Headers[name] = strings.Join(values, ", ")
	}
	switch body := w.body.Bytes(); {
	case method == http.MethodHead:
	case utf8.Valid(body):
		r.Body = string(body)
	default:
		r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return r
}

// writeJSON answers with a document. Nothing here is for a cache, or for a browser to guess the type of.
func writeJSON(w http.ResponseWriter, status int, contentType string, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		// Every document is a struct of this program without channels or functions; a time out of range remains.
		status, contentType = http.StatusInternalServerError, problemType
		body = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500,"reason":"` + reasonInternal + `"}`)
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a recorder's Write does not fail
}

// limited reads the whole body, unless it is too large.
func limited(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, newProblem(http.StatusBadRequest, reasonMalformed, "the body cannot be read")
	}
	if len(raw) > maxBody {
		return nil, newProblem(http.StatusRequestEntityTooLarge, reasonTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
	}
	return raw, nil
}
