package notify

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"imageferry/internal/manifest"
)

// A webhook takes our own document, as Standard Webhooks 1.0.0 has it (github.com/standard-webhooks/standard-webhooks): type,
// timestamp and data in the body, id, time and signature in headers.
type webhook struct {
	address *url.URL
	key     []byte // nil: nothing is signed
}

func newWebhook(address *url.URL, secret string) (webhook, error) {
	w := webhook{address: address}
	if secret == "" {
		return w, nil
	}
	key, err := webhookKey(secret)
	if err != nil {
		return w, fmt.Errorf("secret %w", err)
	}
	w.key = key
	return w, nil
}

// A document is the body.
type document struct {
	// Type is imageferry.export. and the state.
	Type string `json:"type"`
	// Timestamp is when the export ended; the header's is when the message was sent.
	Timestamp time.Time    `json:"timestamp"`
	ID        string       `json:"id"`
	Data      documentData `json:"data"`
}

type documentData struct {
	ImageID     string               `json:"imageId"`
	Name        string               `json:"name,omitempty"`
	State       manifest.State       `json:"state"`
	Reason      string               `json:"reason,omitempty"`
	Detail      string               `json:"detail,omitempty"`
	Remedy      string               `json:"remedy,omitempty"`
	Destination manifest.Destination `json:"destination"`
	Revision    int                  `json:"revision"`
	Objects     int                  `json:"objects,omitempty"`
	Bytes       int64                `json:"bytes,omitempty"`
	// Seconds are those from the last submission to the end.
	Seconds  int64  `json:"seconds,omitempty"`
	Page     string `json:"page,omitempty"`
	Manifest string `json:"manifest"`
}

// maxField keeps a document small, in bytes: Standard Webhooks advises to stay below 20 KB.
const maxField = 2000

func (w webhook) encode(m message, at time.Time) (request, error) {
	body, err := encodeJSON(document{
		Type:      "imageferry.export." + string(m.State),
		Timestamp: m.At,
		ID:        m.ID,
		Data: documentData{
			ImageID:     m.ImageID,
			Name:        cut(m.Name, maxField),
			State:       m.State,
			Reason:      m.Reason,
			Detail:      cut(m.Detail, maxField),
			Remedy:      cut(m.Remedy, maxField),
			Destination: m.Destination,
			Revision:    m.Revision,
			Objects:     m.Objects,
			Bytes:       m.Bytes,
			Seconds:     int64(m.Took / time.Second),
			Page:        m.Page,
			Manifest:    "oss://" + m.Bucket + "/" + m.Key,
		},
	})
	if err != nil {
		return request{}, err
	}
	r := request{url: w.address.String(), body: body, header: map[string]string{
		"webhook-id":        m.ID,
		"webhook-timestamp": strconv.FormatInt(at.Unix(), 10),
	}}
	if w.key != nil {
		r.header["webhook-signature"] = w.sign(m.ID, at, body)
	}
	return r, nil
}

func (w webhook) sign(id string, at time.Time, body []byte) string {
	return "v1," + mac(w.key, fmt.Appendf(nil, "%s.%d.%s", id, at.Unix(), body))
}

// judge takes any 2xx. Gone says that no messages are wanted.
func (w webhook) judge(a answer) *fate {
	if a.status == http.StatusGone {
		return &fate{final: true, what: "HTTP status 410 Gone"}
	}
	return byStatus(a)
}
