package notify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// A service stands in for a receiver: it checks what the real one does, in its words, and counts messages by the minute.
type service struct {
	*httptest.Server
	// check answers what the service says to a request.
	check func(r *http.Request, body []byte) (status int, text string)
	limit int // messages a minute; 0: any
	tired func() (status int, text string)

	mutex sync.Mutex
	taken [][]byte
	seen  map[string]int // ids of json
}

const (
	robotPath  = "/robot/send?access_token=" + token
	feishuPath = "/open-apis/bot/v2/hook/" + token
	weComPath  = "/cgi-bin/webhook/send?key=" + token
	slackPath  = "/services/T0000/B0000/" + token
	jsonPath   = "/hooks/" + token
)

func serve(t *testing.T, f Format) (*service, string) {
	t.Helper()
	s := &service{seen: map[string]int{}}
	path := ""
	switch f {
	case JSON:
		path, s.check = jsonPath, s.json
	case DingTalk:
		path, s.check, s.limit = robotPath, s.dingTalk, 20
		s.tired = func() (int, string) {
			return 200, `{"status":1111,"wait":5,"source":"x5","punish":"deny","errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`
		}
	case Feishu:
		path, s.check, s.limit = feishuPath, s.feishu, 100
		s.tired = func() (int, string) { return 200, `{"code":11232,"msg":"frequency limited"}` }
	case WeCom:
		path, s.check, s.limit = weComPath, s.weCom, 20
		s.tired = func() (int, string) { return 200, `{"errcode":45009,"errmsg":"api freq out of limit"}` }
	case Slack:
		path, s.check, s.limit = slackPath, s.slack, 60
		s.tired = func() (int, string) { return 429, "rate_limited" }
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s, s.URL + path
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	status, text := s.check(r, body)
	switch {
	case r.Method != http.MethodPost:
		status, text = 405, ""
	case s.limit > 0 && len(s.taken) == s.limit:
		status, text = s.tired()
		w.Header().Set("Retry-After", "30")
	case status == 200 && s.right(text):
		s.taken = append(s.taken, body)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (s *service) right(text string) bool {
	return text == "ok" || strings.Contains(text, `code":0`)
}

// strict decodes a body that has no other fields.
func strict(body []byte, into any) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func signature(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(data))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func robot(code int, text string) (int, string) {
	return 200, fmt.Sprintf(`{"errcode":%d,"errmsg":%q}`, code, text)
}

func (s *service) dingTalk(r *http.Request, body []byte) (int, string) {
	var m struct {
		Type string `json:"msgtype"`
		Text struct {
			Content string `json:"content"`
		} `json:"text"`
		At struct {
			All     bool     `json:"isAtAll"`
			Mobiles []string `json:"atMobiles"`
			Users   []string `json:"atUserIds"`
		} `json:"at"`
	}
	query := r.URL.Query()
	at, err := strconv.ParseInt(query.Get("timestamp"), 10, 64)
	switch {
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return robot(43004, "无效的HTTP HEADER Content-Type")
	case query.Get("access_token") != token:
		return robot(300001, "token is not exist")
	case err != nil || time.UnixMilli(at).Sub(now).Abs() > time.Hour:
		return robot(310000, "invalid timestamp, more: [https://ding-doc.dingtalk.com]")
	case query.Get("sign") != signature(chatSecret, fmt.Sprintf("%d\n%s", at, chatSecret)):
		return robot(310000, "sign not match, more: [https://ding-doc.dingtalk.com]")
	case strict(body, &m) != nil || m.Type != "text" || m.Text.Content == "":
		return robot(40035, "缺少参数 json")
	case !strings.Contains(m.Text.Content, "imageferry"):
		return robot(310000, "keywords not in content")
	case m.At.All || len(m.At.Mobiles)+len(m.At.Users) > 0:
		return robot(430104, "a mention")
	}
	return robot(0, "ok")
}

func (s *service) feishu(r *http.Request, body []byte) (int, string) {
	refuse := func(code int, text string) (int, string) {
		return 200, fmt.Sprintf(`{"code":%d,"data":{},"msg":%q}`, code, text)
	}
	var m feishuBody
	if r.URL.Path != strings.Split(feishuPath, "?")[0] {
		return refuse(19001, "param invalid: incoming webhook access token invalid")
	}
	if err := strict(body, &m); err != nil || len(body) > 20<<10 || m.Type != "post" || len(m.Content.Post.Chinese.Content) == 0 {
		return refuse(9499, "Bad Request")
	}
	for _, line := range m.Content.Post.Chinese.Content {
		for _, part := range line {
			if part.Tag != "text" && part.Tag != "a" || (part.Tag == "a") != (part.Link != "") || part.Text == "" {
				return refuse(9499, "Bad Request")
			}
		}
	}
	at, err := strconv.ParseInt(m.Timestamp, 10, 64)
	if err != nil || time.Unix(at, 0).Sub(now).Abs() > time.Hour || m.Sign != signature(m.Timestamp+"\n"+chatSecret, "") {
		return refuse(19021, "sign match fail or timestamp is not within one hour from current time")
	}
	return 200, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`
}

func (s *service) weCom(r *http.Request, body []byte) (int, string) {
	var m textBody
	switch {
	case r.URL.Query().Get("key") != token || len(r.URL.Query()) != 1:
		return robot(93000, "invalid webhook url, hint: [1653710655173452988930371], from ip: 192.0.2.1")
	case strict(body, &m) != nil || bytes.Contains(body, []byte(`\u`)):
		return robot(40033, "Warning: wrong json format.")
	case m.Type != "text":
		return robot(40008, "invalid message type")
	case m.Text.Content == "":
		return robot(44004, "empty content")
	case len(m.Text.Content) > 2048:
		return robot(40058, "text.content exceed max length 2048")
	}
	return robot(0, "ok")
}

func (s *service) slack(r *http.Request, body []byte) (int, string) {
	var m slackBody
	switch {
	case r.URL.Path != slackPath:
		return 404, "no_service"
	case strict(body, &m) != nil || m.Markdown:
		return 400, "invalid_payload"
	case m.Text == "":
		return 400, "no_text"
	}
	return 200, "ok"
}

// json is a receiver that verifies as Standard Webhooks tells, and knows what it has seen.
func (s *service) json(r *http.Request, body []byte) (int, string) {
	id, stamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(jsonSecret, "whsec_"))
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Unix(at, 0).Sub(now).Abs() > 5*time.Minute || id == "" || strings.Contains(id, ".") {
		return 400, ""
	}
	if r.Header.Get("webhook-signature") != "v1,"+signature(string(key), id+"."+stamp+"."+string(body)) {
		return 401, ""
	}
	var d document
	if strict(body, &d) != nil || d.ID != id || len(body) > 20<<10 {
		return 422, ""
	}
	s.seen[id]++
	return 200, "ok"
}
