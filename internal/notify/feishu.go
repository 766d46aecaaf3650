package notify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// feishu is a custom bot: open.feishu.cn/document/ukTMukTMukTM/ucTM5YjL3ETO24yNxkjN. It takes 100 messages a minute, 5 a
// second, and 20 KB a message.
type feishu struct {
	address *url.URL
	secret  string
}

// A feishuBody is a message of the type post, whose parts are text or links by their tags. In one of the type text,
// <at user_id="all"> would be a mention. Guess: nothing in a part's text is.
type feishuBody struct {
	Timestamp string `json:"timestamp,omitempty"` // seconds
	Sign      string `json:"sign,omitempty"`
	Type      string `json:"msg_type"`
	Content   struct {
		Post struct {
			// Any language will do: people see the one that is there.
			Chinese feishuPost `json:"zh_cn"`
		} `json:"post"`
	} `json:"content"`
}

type feishuPost struct {
	Title   string         `json:"title"`
	Content [][]feishuPart `json:"content"`
}

type feishuPart struct {
	Tag  string `json:"tag"` // text or a
	Text string `json:"text"`
	Link string `json:"href,omitempty"`
}

func (f feishu) encode(m message, at time.Time) (request, error) {
	body := feishuBody{Type: "post"}
	post := feishuPost{Title: m.title()}
	for _, l := range m.lines() {
		parts := []feishuPart{{Tag: "text", Text: l.label + ": " + l.value}}
		if l.link {
			parts = []feishuPart{{Tag: "text", Text: l.label + ": "}, {Tag: "a", Text: l.value, Link: l.value}}
		}
		post.Content = append(post.Content, parts)
	}
	body.Content.Post.Chinese = post
	if f.secret != "" {
		body.Timestamp = strconv.FormatInt(at.Unix(), 10)
		// The text to sign is the key, and nothing is signed with it: that is how Feishu documents it.
		body.Sign = mac(fmt.Appendf(nil, "%s\n%s", body.Timestamp, f.secret), nil)
	}
	encoded, err := encodeJSON(body)
	return request{url: f.address.String(), body: encoded}, err
}

// feishuCodes are those of its documents, and some that were seen.
var feishuCodes = map[int]time.Duration{
	11232:    soon,     // too many messages
	230020:   soon,     // too many messages of the group
	99991400: soon,     // too many calls
	19001:    repaired, // "incoming webhook access token invalid"
	19021:    repaired, // the signature, or its time
	19022:    repaired, // "Ip Not Allowed"
	19024:    repaired, // "Key Words Not Found"
	19002:    never,    // Guess: a wrong parameter
	9499:     never,    // "Bad Request": not in the form that it wants, or too long
}

func (f feishu) judge(a answer) *fate {
	var r struct {
		Code    *int   `json:"code"`
		Text    string `json:"msg"`
		OldCode *int   `json:"StatusCode"`
		OldText string `json:"StatusMessage"`
	}
	if json.Unmarshal(a.body, &r) != nil || r.Code == nil && r.OldCode == nil {
		return strange(a)
	}
	if r.Code == nil {
		r.Code, r.Text = r.OldCode, r.OldText
	}
	// Guess: 9499 is also said to who is too fast.
	if *r.Code == 9499 && strings.Contains(strings.ToLower(r.Text), "too many") {
		return later(soon, fmt.Sprintf("code %d: %s", *r.Code, r.Text))
	}
	return byCode(a, *r.Code, r.Text, feishuCodes)
}
