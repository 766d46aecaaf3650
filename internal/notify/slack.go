package notify

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// slack is an incoming webhook: docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. It takes one message a
// second. The address is the secret.
type slack struct{ address *url.URL }

// A slackBody is plain text: with mrkdwn off only &, < and > have a meaning.
type slackBody struct {
	Text        string `json:"text"`
	Markdown    bool   `json:"mrkdwn"`
	UnfurlLinks bool   `json:"unfurl_links"`
	UnfurlMedia bool   `json:"unfurl_media"`
}

// escapeSlack is all the escaping that Slack documents.
var escapeSlack = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (s slack) encode(m message, _ time.Time) (request, error) {
	var b strings.Builder
	b.WriteString(escapeSlack.Replace(m.title()))
	for _, l := range m.lines() {
		value := escapeSlack.Replace(l.value)
		if l.link {
			value = "<" + value + ">"
		}
		b.WriteString("\n" + l.label + ": " + value)
	}
	body, err := encodeJSON(slackBody{Text: b.String()})
	return request{url: s.address.String(), body: body}, err
}

// slackRefusals are the answers to a message that will not be taken, whatever becomes of the channel.
var slackRefusals = []string{
	"invalid_payload", "no_text", "missing_text_or_fallback_or_attachments", "too_many_attachments", "invalid_blocks",
	"msg_too_long", "user_not_found",
}

// judge reads the one word that Slack answers. Apart from the refusals above it is the channel, the token or the workspace
// that somebody has to repair: channel_not_found, channel_is_archived, action_prohibited, invalid_token, no_service, no_team.
func (s slack) judge(a answer) *fate {
	word := strings.TrimSpace(string(a.body))
	if a.status == http.StatusOK {
		if word == "ok" {
			return nil
		}
		return strange(a)
	}
	what := fmt.Sprintf("HTTP status %d: %s", a.status, word)
	for _, refusal := range slackRefusals {
		if a.status/100 == 4 && strings.HasPrefix(word, refusal) {
			return &fate{final: true, what: what}
		}
	}
	f := byStatus(a)
	if f == nil {
		return strange(a)
	}
	if a.status == http.StatusBadRequest {
		f = later(repaired, what)
	}
	f.what = what
	return f
}
