package handler

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A Request is a request as FC's HTTP trigger hands it over (event version v1).
type Request struct {
	Method string
	// RawPath is still URL-encoded.
	RawPath string
	// Query and Headers have one value a name: FC joins several with commas. Guess: Query is decoded already; the documented
	// sample does not tell. Headers are the client's, credentials included: they are never logged.
	Query     map[string]string
	Headers   map[string]string
	Body      []byte
	Host      string
	SourceIP  string
	RequestID string
}

// isHTTP follows the documented shape: GET requests may lack a body, so that does not tell.
func isHTTP(o object) bool {
	if o.at("version").optional() != "v1" {
		return false
	}
	rc, err := o.at("requestContext").object()
	return err == nil && rc.at("http").kind() == "an object"
}

// decodeHTTP decodes an event for which isHTTP holds. The platform has made it, so that a malformed one is an error of the
// event, not the client's.
func decodeHTTP(o object) (Command, error) {
	rc, err := o.at("requestContext").object()
	if err != nil {
		return nil, err
	}
	h, err := rc.at("http").object()
	if err != nil {
		return nil, err
	}
	r := Request{
		Host:      rc.at("domainName").optional(),
		RequestID: rc.at("requestId").optional(),
		SourceIP:  h.at("sourceIp").optional(),
	}
	if r.Method, err = h.at("method").required(); err != nil {
		return nil, err
	}
	if r.RawPath, err = httpPath(o, h); err != nil {
		return nil, err
	}
	if r.Query, err = o.at("queryParameters").texts(); err != nil {
		return nil, err
	}
	if r.Headers, err = o.at("headers").texts(); err != nil {
		return nil, err
	}
	if r.Body, err = httpBody(o); err != nil {
		return nil, err
	}
	return HTTP{r}, nil
}

// httpPath is rawPath, or else the decoded path, encoded again.
func httpPath(o, h object) (string, error) {
	raw, err := o.at("rawPath").text()
	if err != nil || raw != "" {
		return raw, err
	}
	path, err := h.at("path").text()
	return (&url.URL{Path: path}).EscapedPath(), err
}

func httpBody(o object) ([]byte, error) {
	body, err := o.at("body").text()
	if err != nil {
		return nil, err
	}
	encoded, err := o.at("isBase64Encoded").truth()
	if err != nil {
		return nil, err
	}
	if !encoded {
		return []byte(body), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, o.at("body").fail("is not base64", "isBase64Encoded is true")
	}
	return decoded, nil
}

// texts is an object of strings; empty when there is none. The error does not quote the values: they may be secrets.
func (v value) texts() (map[string]string, error) {
	m := map[string]string{}
	if !v.present() {
		return m, nil
	}
	if err := json.Unmarshal(v.raw, &m); err != nil {
		return nil, v.fail("is not an object of strings", "")
	}
	return m, nil
}

// httpRequest makes of r what net/http serves. Only what the client chose can fail: the method and the path.
func (r Request) httpRequest(ctx context.Context) (*http.Request, error) {
	path, err := url.PathUnescape(r.RawPath)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("the path is not a URL path")
	}
	query := url.Values{}
	for name, v := range r.Query {
		query.Set(name, v)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, "/", bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("the method is not an HTTP method")
	}
	request.URL = &url.URL{Path: path, RawPath: r.RawPath, RawQuery: query.Encode()}
	request.RequestURI = request.URL.RequestURI()
	request.Host = r.Host
	request.RemoteAddr = r.SourceIP
	for name, v := range r.Headers {
		request.Header.Set(name, v)
	}
	return request, nil
}
