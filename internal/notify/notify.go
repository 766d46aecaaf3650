// Package notify tells people that an export has ended: it posts a small JSON document to an address of theirs, or a message
// to a group of DingTalk, Feishu, WeCom or Slack.
package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"imageferry/internal/export"
	"imageferry/internal/manifest"
	"imageferry/internal/version"
)

const (
	// timeout bounds one message. The services answer within a second; other notices and exports wait meanwhile.
	timeout = 10 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 16 << 10
)

// A Notifier sends notices. It is safe for concurrent use and keeps nothing: whoever calls it remembers what is still to be
// sent, calls again after a failure, and gives up some day. So a message may arrive twice; its id is the same then.
type Notifier struct {
	settings Settings
	target   string // scheme and host of the address, all that may be shown of it
	dialect  dialect
	http     http.RoundTripper
	now      func() time.Time
	redact   func(string) string
}

var _ export.Notifier = (*Notifier)(nil)

// A dialect is how one service is spoken to.
type dialect interface {
	// encode makes the request that brings a message at a time.
	encode(m message, at time.Time) (request, error)
	// judge tells what an answer means; nil: the message was taken. Its text may quote the answer.
	judge(a answer) *fate
}

// A request is what is posted: JSON.
type request struct {
	url    string
	header map[string]string
	body   []byte
}

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	at     time.Time
}

// New makes a notifier that sends over the transport given. An error is a mistake in the settings, and shows no secret.
func New(s Settings, transport http.RoundTripper, now func() time.Time) (*Notifier, error) {
	address, err := parseAddress(s.URL)
	if err == nil {
		err = CheckSecret(s.Format, s.Secret)
	}
	if err == nil {
		err = CheckPage(s.PageURL)
	}
	if err != nil {
		return nil, fmt.Errorf("set up notifications: %w", err)
	}
	d, err := dialectOf(s.Format, address, s.Secret)
	if err != nil {
		return nil, fmt.Errorf("set up notifications: %w", err)
	}
	return &Notifier{
		settings: s,
		target:   address.Scheme + "://" + address.Host,
		dialect:  d,
		http:     transport,
		now:      now,
		redact:   redactor(address, s.Secret),
	}, nil
}

// Wants tells whether somebody is to be told of this revision.
func (n *Notifier) Wants(m *manifest.Manifest) bool {
	return m.State.Terminal() && slices.Contains(n.settings.On, m.State)
}

// Send sends the notice of one revision, once. An error is an *export.NoticeError: with Final, the receiver will never take
// this message; otherwise it may be taken after After, and others will hardly fare better before that. Whether the message
// arrived is unknown when there was no answer. No error shows more of the address than its scheme and host.
func (n *Notifier) Send(ctx context.Context, m *manifest.Manifest) error {
	r, err := n.dialect.encode(messageOf(m, n.settings), n.now())
	if err != nil {
		return n.failed(&fate{final: true, what: err.Error()})
	}
	a, err := n.post(ctx, r)
	if err != nil {
		return n.unanswered(ctx, err)
	}
	if f := n.dialect.judge(a); f != nil {
		return n.failed(f)
	}
	return nil
}

// post makes one round trip. A redirection is an answer like any other: following it would hand the message, and perhaps
// the token, to another host.
func (n *Notifier) post(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return answer{}, errors.New("the address cannot be used")
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "imageferry/"+version.Current)
	for name, value := range r.header {
		request.Header.Set(name, value)
	}
	response, err := n.http.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	return answer{status: response.StatusCode, header: response.Header, body: body, at: n.now()}, nil
}

func (n *Notifier) unanswered(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return &export.NoticeError{Cause: fmt.Errorf("send notice to %s: %w", n.target, ctx.Err())}
	case errors.Is(err, context.DeadlineExceeded):
		return n.failed(later(soon, fmt.Sprintf("no answer within %v", timeout)))
	}
	return n.failed(later(soon, err.Error()))
}

func (n *Notifier) failed(f *fate) error {
	return &export.NoticeError{
		Final: f.final,
		After: f.after,
		Cause: fmt.Errorf("send notice to %s: %s", n.target, n.redact(f.what)),
	}
}

// LogValue shows where notices go, without the secrets.
func (n *Notifier) LogValue() slog.Value { return n.settings.LogValue() }
