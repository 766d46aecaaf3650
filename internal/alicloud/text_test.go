package alicloud

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	token := testCredentials.SecurityToken
	for text, want := range map[string]string{
		"plain text":                               "plain text",
		"a\nb\t c\x00":                             "a b c",
		"Post https://h/?Signature=abc: refused":   "Post [url] refused",
		"AccessKeyId=LTAI123&Action=X":             "AccessKeyId=***&Action=X",
		"Signature%3Dab%252Bc%26Timestamp%3D1":     "Signature%3D***%26Timestamp%3D1",
		"x-oss-security-token: abc def":            "x-oss-security-token: *** def",
		"SecurityToken%253Dabc%2526b":              "SecurityToken%253D***%2526b",
		"key " + testCredentials.AccessKeyID + ".": "key ***.",
		"t " + token:                               "t ***",
		strings.Repeat("é", 400):                   strings.Repeat("é", maxMessage/2) + "…",
	} {
		if got := redact(text, testCredentials); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzFault(f *testing.F) {
	f.Add(400, `{"Code":400,"Message":"AccessKeyId=x"}`, "")
	f.Add(502, `<html>`, "")
	f.Add(404, ``, base64.StdEncoding.EncodeToString([]byte(`<Error><Code>NoSuchKey</Code></Error>`)))
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		x := &exchange{used: true, sent: true, status: status, header: http.Header{"X-Oss-Err": {header}}, body: []byte(body)}
		e := faultOf("Op", x, errors.New(body), testCredentials)
		assertCleanFuzz(t, e.Error())
		if e.Code != "" && (len(e.Code) > maxToken || !tokenPattern().MatchString(e.Code)) {
			t.Errorf("code %q", e.Code)
		}
	})
}

func assertCleanFuzz(t *testing.T, shown string) {
	t.Helper()
	if strings.Contains(shown, testCredentials.AccessKeySecret) || strings.ContainsAny(shown, "\n\r\x00") {
		t.Errorf("shows %q", shown)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(fullImage))
	f.Add([]byte(`{"TaskSet":{"Task":{"TaskId":1}},"Images":[{}]}`))
	f.Add([]byte(`<ExportImageResponse><TaskId>t</TaskId></ExportImageResponse>`))
	f.Fuzz(func(_ *testing.T, body []byte) {
		var images imagesAnswer
		if images.decode(body) == nil {
			for _, image := range images.Images {
				(&ECS{}).image(image, images.RegionID)
			}
		}
		var tasks tasksAnswer
		_ = decodeJSON(body, &tasks)
		var detail detailAnswer
		_ = decodeJSON(body, &detail)
		var accepted exportAnswer
		_ = accepted.decode(body)
	})
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 22, 3, 4, 0, 0, time.UTC)
	for _, value := range []text{
		"2026-11-22T03:04:00Z", "2026-11-22T03:04Z", "2026-11-22T03:04:00.000Z", "2026-11-22T11:04:00+08:00",
		"2026-11-22T11:04+08:00", "2026-11-22T11:04:00+0800", "2026-11-22T11:04+0800", "2026-11-22T03:04:00",
		"2026-11-22 03:04:00", " 2026-11-22T03:04Z ",
	} {
		if got := parseTime(value); !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q: got %v", value, got)
		}
	}
	for _, value := range []text{"", "yesterday", "2026-13-01T00:00Z"} {
		if got := parseTime(value); !got.IsZero() {
			t.Errorf("%q: got %v", value, got)
		}
	}
}
