package notify

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	const taken = 0 // beside never and the times
	address, err := parseAddress("https://receiver.example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format     Format
		status     int
		retryAfter string
		body       string
		want       time.Duration
	}{
		{JSON, 200, "", "", taken},
		{JSON, 204, "", "", taken},
		{JSON, 301, "", "", repaired},
		{JSON, 400, "", "", never},
		{JSON, 401, "", "", repaired},
		{JSON, 403, "", "", repaired},
		{JSON, 404, "", "", repaired},
		{JSON, 408, "", "", soon},
		{JSON, 410, "", "", never},
		{JSON, 413, "", "", never},
		{JSON, 422, "", "", never},
		{JSON, 429, "", "", soon},
		{JSON, 429, "7", "", 7 * time.Second},
		{JSON, 429, "0", "", time.Second},
		{JSON, 429, "-5", "", time.Second},
		{JSON, 429, "99999999", "", longest},
		{JSON, 429, "99999999999999999999", "", soon},
		{JSON, 429, "soon", "", soon},
		{JSON, 503, "Mon, 23 Nov 2026 11:02:00 GMT", "", 2 * time.Minute},
		{JSON, 503, "Mon, 23 Nov 2020 11:02:00 GMT", "", time.Second},
		{JSON, 500, "", "", soon},
		{JSON, 502, "", "", soon},

		{DingTalk, 200, "", `{"errcode":0,"errmsg":"ok"}`, taken},
		{DingTalk, 200, "", `{"errcode":-1,"errmsg":"系统繁忙"}`, soon},
		{DingTalk, 200, "", `{"status":1111,"punish":"deny","wait":5,"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`, punished},
		{DingTalk, 200, "", `{"errcode":410100,"errmsg":"发送速度太快而限流"}`, punished},
		{DingTalk, 200, "", `{"errcode":310000,"errmsg":"keywords not in content"}`, repaired},
		{DingTalk, 200, "", `{"errcode":310000,"errmsg":"sign not match"}`, repaired},
		{DingTalk, 200, "", `{"errcode":400101,"errmsg":"access_token不存在"}`, repaired},
		{DingTalk, 200, "", `{"errcode":400105,"errmsg":"不支持的消息类型"}`, never},
		{DingTalk, 200, "", `{"errcode":430102,"errmsg":"含有不合适的文本"}`, never},
		{DingTalk, 200, "", `{"errcode":12345,"errmsg":"news"}`, repaired},
		{DingTalk, 200, "", `<html>a proxy</html>`, repaired},
		{DingTalk, 200, "", `{}`, repaired},
		{DingTalk, 502, "", `<html>a proxy</html>`, soon},
		{DingTalk, 500, "", `{"errcode":12345}`, soon},
		{DingTalk, 400, "", `{"errcode":310000}`, repaired},

		{Feishu, 200, "", `{"code":0,"msg":"success","data":{}}`, taken},
		{Feishu, 200, "", `{"StatusCode":0,"StatusMessage":"success"}`, taken},
		{Feishu, 200, "", `{"code":9499,"msg":"Bad Request","data":{}}`, never},
		{Feishu, 400, "", `{"code":9499,"msg":"Bad Request","data":{}}`, never},
		{Feishu, 200, "", `{"code":9499,"msg":"too many request","data":{}}`, soon},
		{Feishu, 200, "", `{"code":11232,"msg":"frequency limited psm"}`, soon},
		{Feishu, 200, "", `{"code":19001,"data":{},"msg":"param invalid: incoming webhook access token invalid"}`, repaired},
		{Feishu, 200, "", `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, repaired},
		{Feishu, 200, "", `{"code":19022,"msg":"Ip Not Allowed"}`, repaired},
		{Feishu, 200, "", `{"code":19024,"msg":"Key Words Not Found"}`, repaired},
		{Feishu, 429, "9", `{"code":12345,"msg":"news"}`, 9 * time.Second},
		{Feishu, 200, "", `{"StatusCode":9499,"StatusMessage":"fail to parse content"}`, never},
		{Feishu, 200, "", `"ok"`, repaired},

		{WeCom, 200, "", `{"errcode":0,"errmsg":"ok"}`, taken},
		{WeCom, 200, "", `{"errcode":45009,"errmsg":"api freq out of limit"}`, soon},
		{WeCom, 200, "", `{"errcode":93000,"errmsg":"invalid webhook url"}`, repaired},
		{WeCom, 200, "", `{"errcode":40008,"errmsg":"invalid message type"}`, never},
		{WeCom, 200, "", `{"errcode":44004,"errmsg":"empty content"}`, never},
		{WeCom, 200, "", `nothing`, repaired},

		{Slack, 200, "", "ok", taken},
		{Slack, 200, "", "ok\n", taken},
		{Slack, 200, "", "<html>", repaired},
		{Slack, 400, "", "invalid_payload", never},
		{Slack, 400, "", "no_text", never},
		{Slack, 400, "", "invalid_blocks_format", never},
		{Slack, 400, "", "posting_to_general_channel_denied", repaired},
		{Slack, 403, "", "action_prohibited", repaired},
		{Slack, 403, "", "invalid_token", repaired},
		{Slack, 404, "", "channel_not_found", repaired},
		{Slack, 404, "", "no_service", repaired},
		{Slack, 410, "", "channel_is_archived", repaired},
		{Slack, 429, "30", "rate_limited", 30 * time.Second},
		{Slack, 500, "", "rollup_error", soon},
	} {
		d, err := dialectOf(c.format, address, "")
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		if c.retryAfter != "" {
			header.Set("Retry-After", c.retryAfter)
		}
		var got time.Duration
		f := d.judge(answer{status: c.status, header: header, body: []byte(c.body), at: now})
		switch {
		case f == nil:
			got = taken
		case f.final:
			got = never
		default:
			got = f.after
		}
		if got != c.want {
			t.Errorf("%s %d %q %s: %v, want %v", c.format, c.status, c.retryAfter, c.body, got, c.want)
		}
		if f != nil && strings.TrimSpace(f.what) == "" {
			t.Errorf("%s %d %s: no words", c.format, c.status, c.body)
		}
	}
}

// What a service says is quoted without what it repeats of the secrets, on one line, and not at length.
func TestRedact(t *testing.T) {
	t.Parallel()
	address, err := parseAddress("https://oapi.dingtalk.com" + robotPath)
	if err != nil {
		t.Fatal(err)
	}
	redact := redactor(address, "s-cret+/=")
	for text, want := range map[string]string{
		"sign not match, more: [https://ding-doc.dingtalk.com/doc]": "sign not match, more: [[url]",
		"token " + token + " is not exist":                          "token *** is not exist",
		"secret s-cret%2B%2F%3D or s-cret+/=":                       "secret *** or ***",
		"two\nlines\x1b[31m":                                        "two lines[31m",
		strings.Repeat("x", 300):                                    strings.Repeat("x", 197) + "…",
	} {
		if got := redact(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
