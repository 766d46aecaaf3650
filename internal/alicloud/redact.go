package alicloud

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// maxMessage bounds what an error repeats of a service's text, in bytes.
const maxMessage = 500

var (
	urlPattern = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+`)
	// Values as in a query, a header or an escaped string to sign, which services repeat in their messages.
	secretPattern = regexp.MustCompile(`(?i)((?:oss)?accesskey(?:id|secret)|(?:x-oss-)?security-?token|(?:x-oss-)?signature|(?:x-oss-)?credential|external-?id|authorization)` +
		`(%(?:25)*3D|=|:\s*)(.*?)(%(?:25)*26|[&\s"'<>,]|$)`)
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

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
	text = urlPattern.ReplaceAllString(text, "[url]")
	text = secretPattern.ReplaceAllString(text, "$1$2***$4")
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
	if !tokenPattern.MatchString(text) || redact(text, c) != text {
		return ""
	}
	return text
}
