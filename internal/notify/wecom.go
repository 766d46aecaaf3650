package notify

import (
	"encoding/json"
	"net/url"
	"time"
)

// weCom is a robot of a group: developer.work.weixin.qq.com/document/path/91770. It takes 20 messages a minute. The address
// holds its key.
type weCom struct{ address *url.URL }

// maxWeCom is what its text may have, in bytes.
const maxWeCom = 2048

func (w weCom) encode(m message, _ time.Time) (request, error) {
	body, err := encodeJSON(newTextBody(cut(m.text(), maxWeCom)))
	return request{url: w.address.String(), body: body}, err
}

// weComCodes are from developer.work.weixin.qq.com/document/path/90455.
var weComCodes = map[int]time.Duration{
	-1:    soon,     // busy
	6000:  soon,     // a conflict
	45009: soon,     // "api freq out of limit"
	45033: soon,     // too many at once
	93000: repaired, // "invalid webhook url", or the robot was removed
	93004: repaired, // the robot is disabled
	93008: repaired, // not in the group
	40008: never,    // no such type of message
	40033: never,    // characters that are not allowed
	40058: never,    // a wrong parameter
	44004: never,    // no text
	45002: never,    // Guess: too long
}

func (w weCom) judge(a answer) *fate {
	var r robotAnswer
	if json.Unmarshal(a.body, &r) != nil || r.Code == nil {
		return strange(a)
	}
	return byCode(a, *r.Code, r.Text, weComCodes)
}
