package notify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
)

func dialectOf(f Format, address *url.URL, secret string) (dialect, error) {
	switch f {
	case JSON:
		return newWebhook(address, secret)
	case DingTalk:
		return dingTalk{address: address, secret: secret}, nil
	case Feishu:
		return feishu{address: address, secret: secret}, nil
	case WeCom:
		return weCom{address: address}, nil
	case Slack:
		return slack{address: address}, nil
	}
	return nil, fmt.Errorf("%.20q is not a format", string(f))
}

// encodeJSON leaves <, > and & as they are: WeCom refuses characters that are written as \u003c.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// mac is the HMAC-SHA256 of data, in Base64.
func mac(key, data []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// A textBody is what the robots of DingTalk and WeCom take as plain text.
type textBody struct {
	Type string `json:"msgtype"`
	Text struct {
		Content string `json:"content"`
	} `json:"text"`
}

func newTextBody(text string) textBody {
	b := textBody{Type: "text"}
	b.Text.Content = text
	return b
}

// A robotAnswer is what DingTalk and WeCom answer.
type robotAnswer struct {
	Code *int   `json:"errcode"`
	Text string `json:"errmsg"`
}
