package notify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// dingTalk is a custom robot: open.dingtalk.com/document/robots/custom-robot-access. It takes 20 messages a minute, and
// none for ten minutes from who sends more.
type dingTalk struct {
	address *url.URL
	secret  string
}

func (d dingTalk) encode(m message, at time.Time) (request, error) {
	body := struct {
		textBody
		At struct {
			All bool `json:"isAtAll"`
		} `json:"at"`
	}{textBody: newTextBody(m.text())}
	encoded, err := encodeJSON(body)
	return request{url: d.signed(at), body: encoded}, err
}

// signed is the address with the time, in milliseconds, and the signature in its query.
func (d dingTalk) signed(at time.Time) string {
	if d.secret == "" {
		return d.address.String()
	}
	u := *d.address
	query := u.Query()
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	query.Set("timestamp", stamp)
	query.Set("sign", mac([]byte(d.secret), fmt.Appendf(nil, "%s\n%s", stamp, d.secret)))
	u.RawQuery = query.Encode()
	return u.String()
}

// dingTalkCodes are the codes of its documents, and those that were seen.
var dingTalkCodes = map[int]time.Duration{
	-1:     soon,     // busy
	130101: punished, // "send too fast, exceed 20 times per minute"
	410100: punished, // too fast
	90030:  punished, // "webhook over limit"
	310000: repaired, // the robot's security settings: keyword, signature, timestamp or address; the text tells which
	300001: repaired, // a robot that is no custom one
	400013: repaired, // the group was dissolved
	400101: repaired, // no such token
	400102: repaired, // the robot is disabled
	400106: repaired, // no such robot
	40035:  never,    // no JSON
	43004:  never,    // no JSON by its header
	400105: never,    // no such type of message
	430101: never,    // an unsafe link
	430102: never,    // improper text
	430103: never,    // an improper picture
	430104: never,    // improper content
	460101: never,    // Guess: too long
}

func (d dingTalk) judge(a answer) *fate {
	var r robotAnswer
	if json.Unmarshal(a.body, &r) != nil || r.Code == nil {
		return strange(a)
	}
	return byCode(a, *r.Code, r.Text, dingTalkCodes)
}
