package ossd

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"

	"imageferry/internal/localcloud/trace"
)

// An answer is a whole response, kept back until faults have had their say.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func newAnswer(status int) answer { return answer{status: status, header: http.Header{}} }

// withXML sets the body to the XML document of v.
func (a answer) withXML(v any) answer {
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	if err := xml.NewEncoder(&buf).Encode(v); err != nil {
		panic(err) // every document of this package is a struct of strings and numbers
	}
	a.header.Set("Content-Type", "application/xml")
	a.body = buf.Bytes()
	return a
}

// writeTo sends the answer, or as much of it as a cut in its body leaves. A client that no longer listens is not an error
// of the call.
func (a answer) writeTo(w http.ResponseWriter, r *request, cut trace.Cut) {
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	header.Set("Server", "AliyunOSS")
	header.Set("x-oss-request-id", r.id)
	header.Set("x-oss-server-time", "1")
	bodyless := a.status == http.StatusNoContent || a.status == http.StatusNotModified
	if !bodyless && (r.method != http.MethodHead || header.Get("Content-Length") == "") {
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if !bodyless && r.method != http.MethodHead {
		if cut == trace.CutBody {
			trace.Break(w, a.body)
		}
		_, _ = w.Write(a.body)
	}
}
