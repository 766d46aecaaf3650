package alicloud

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// maxMessage bounds what an error repeats of a service's text, in bytes.
const maxMessage = 500

var (
	urlPattern = lazily(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+`)
	// Values as in a query, a header or an escaped string to sign, which services repeat in their messages.
	secretPattern = lazily(`(?i)((?:oss)?accesskey(?:id|secret)|(?:x-oss-)?security-?token|(?:x-oss-)?signature|(?:x-oss-)?credential|external-?id|authorization)` +
		`(%(?:25)*3D|=|:\s*)(.*?)(%(?:25)*26|[&\s"'<>,]|$)`)
	tokenPattern = lazily(`^[A-Za-z0-9._-]+$`)
)

// maxToken is the longest error code or request id that is shown, in bytes.
const maxToken = 128

// lazily compiles an expression when it is first needed: most are needed only once something goes wrong, and each would cost
// the function's start.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// redact makes text fit to be shown: on one line, short, without the credentials, without URLs and without the values
// of parameters that are secret.
func redact(text string, c Credentials) string {
	for _, secret := range []string{c.SecurityToken, c.AccessKeySecret, c.AccessKeyID} {
		if secret == "" {
			continue
		}
		once := url.QueryEscape(secret)
		for _, form := range []string{url.QueryEscape(once), once, secret} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	text = urlPattern().ReplaceAllString(text, "[url]")
	text = secretPattern().ReplaceAllString(text, "$1$2***$4")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

// token is text when it looks like an error code or a request id, and nothing otherwise: such fields are shown as they
// are.
func token(text string, c Credentials) string {
	text = strings.TrimSpace(text)
	if len(text) > maxToken || !tokenPattern().MatchString(text) || redact(text, c) != text {
		return ""
	}
	return text
}
