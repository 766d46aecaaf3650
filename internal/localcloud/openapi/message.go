package openapi

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// maxBody bounds what is read of a request's body, in bytes.
const maxBody = 1 << 20

// A message is a request before it is authenticated.
type message struct {
	params  url.Values
	body    []byte
	acs3    bool // signed in the Authorization header, with the action in headers
	action  string
	version string
	format  string // "JSON" or "XML"
}

// parse reads a request of either protocol: the older one, in which everything is a parameter, and ACS3, which names the
// action in headers. The message tells the format of the answer even when there is an error.
func parse(r *http.Request) (message, *Error) {
	m := message{acs3: strings.HasPrefix(r.Header.Get("Authorization"), "ACS3-"), format: "XML"}
	if m.acs3 {
		m.format = "JSON"
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return m, Errorf(http.StatusMethodNotAllowed, "UnsupportedHTTPMethod", "This http method is not supported.")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return m, Errorf(http.StatusRequestEntityTooLarge, "RequestTooLarge", "The request is too large.") // Guess: code and status.
	}
	m.body = body
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return m, Invalid("query")
	}
	m.params = params
	if err := m.addForm(r.Header.Get("Content-Type")); err != nil {
		return m, err
	}
	m.action, m.version = m.params.Get("Action"), m.params.Get("Version")
	if m.acs3 {
		m.action, m.version = r.Header.Get("X-Acs-Action"), r.Header.Get("X-Acs-Version")
	}
	switch format := strings.ToUpper(m.params.Get("Format")); format {
	case "JSON", "XML":
		m.format = format
	case "":
	default:
		return m, Invalid("Format")
	}
	if r.URL.Path != "/" && r.URL.Path != "" {
		return m, noSuchAction()
	}
	return m, nil
}

// addForm adds the parameters of the body, if it is a form.
func (m *message) addForm(contentType string) *Error {
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil
	}
	form, err := url.ParseQuery(string(m.body))
	if err != nil {
		return Invalid("body")
	}
	for name, values := range form {
		m.params[name] = append(m.params[name], values...)
	}
	return nil
}

func noSuchAction() *Error {
	return Errorf(http.StatusNotFound, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
}
