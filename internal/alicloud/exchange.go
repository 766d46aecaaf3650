package alicloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// maxAnswer is far above what any call here answers with, in bytes.
const maxAnswer = 8 << 20

// An exchange is the one HTTP round trip of one try, and its record. It goes into an SDK's client as transport.
type exchange struct {
	ctx   context.Context
	http  http.RoundTripper
	limit int64 // of the body, in bytes

	used   bool        // the SDK came as far as sending
	sent   bool        // the service may have seen the request
	status int         // 0: no answer
	header http.Header // of the answer
	body   []byte      // of the answer, at most limit bytes
	cut    bool        // the body was longer
	err    error       // why there is no answer, or no whole one; may show addresses, no URLs
}

var errTwice = errors.New("the request would be sent twice")

// RoundTrip sends the request under the exchange's context and reads the whole answer. A redirection is an answer like
// any other: following one would hand the signature to another host.
func (x *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	if x.used {
		return nil, errTwice
	}
	x.used = true
	if x.err = x.ctx.Err(); x.err != nil {
		closeBody(request)
		return nil, x.err
	}
	var wanted, got atomic.Bool
	ctx := httptrace.WithClientTrace(x.ctx, &httptrace.ClientTrace{
		GetConn: func(string) { wanted.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	response, err := x.http.RoundTrip(request.WithContext(ctx))
	// Without a connection nothing was sent. A transport that does not report its connections gets no such benefit.
	x.sent = got.Load() || !wanted.Load()
	if err != nil {
		x.err = err
		return nil, err
	}
	defer response.Body.Close()
	x.sent, x.status, x.header = true, response.StatusCode, response.Header.Clone()
	x.body, x.err = io.ReadAll(io.LimitReader(response.Body, x.limit+1))
	if int64(len(x.body)) > x.limit {
		x.body, x.cut = x.body[:x.limit], true
	}
	if x.err != nil {
		return nil, x.err
	}
	response.Header.Del("Location")
	response.Body = io.NopCloser(bytes.NewReader(x.body))
	return response, nil
}

// succeeded tells whether the service has answered, wholly, that it did what was asked.
func (x *exchange) succeeded() bool { return x.err == nil && x.status/100 == 2 }

// closeBody does what every RoundTripper owes the request, also when it does not send it.
func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
