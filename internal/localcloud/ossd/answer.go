package ossd

import (
	"encoding/xml"
	"net/http"
	"strconv"

	"imageferry/internal/localcloud/content"
	"imageferry/internal/localcloud/trace"
)

// An answer is a whole response, kept back until faults have had their say.
type answer struct {
	status int
	header http.Header
	body   content.Content
}

func newAnswer(status int) answer { return answer{status: status, header: http.Header{}} }

// withXML sets the body to the XML document of v.
func (a answer) withXML(v any) answer {
	document, err := xml.Marshal(v)
	if err != nil {
		panic(err) // every document of this package is a struct of strings and numbers
	}
	a.header.Set("Content-Type", "application/xml")
	a.body = content.Of(append([]byte(xml.Header), document...))
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
		header.Set("Content-Length", strconv.FormatInt(a.body.Size(), 10))
	}
	w.WriteHeader(a.status)
	if !bodyless && r.method != http.MethodHead {
		if cut == trace.CutBody {
			breakOff(w, a.body)
		}
		_, _ = a.body.WriteTo(w)
	}
}

// breakOff sends the first half of a body and ends the handler and its connection. It does nothing to an empty body.
func breakOff(w http.ResponseWriter, body content.Content) {
	if body.Size() == 0 {
		return
	}
	_, _ = body.Slice(0, body.Size()/2).WriteTo(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
