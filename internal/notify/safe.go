package notify

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Names, details and remedies come from others, and a group's chat has a meaning for some of what they may hold: @all calls
// everybody, <!channel> does in Slack, <at user_id="all"> in Feishu, <@userid> in WeCom, and addresses become links. The
// messages are plain text, where nothing else means anything.

// harmless makes others' text fit for a line of a message: one line of printable characters, at most so many bytes, that
// mentions nobody and links to nothing. People can still read what it was.
func harmless(text string, most int) string {
	text = oneLine(text)
	text = strings.NewReplacer("@", "＠", "<", "＜", ">", "＞", "://", "[:]//").Replace(text)
	text = barePattern().ReplaceAllString(text, "$1[.]")
	return cut(text, most)
}

// barePattern finds what chats take for an address although it has no scheme.
var barePattern = lazily(`(?i)\b(www)\.`)

// oneLine leaves out what is not printed (control characters, and those that reorder or hide text) and invalid bytes.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r), r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// cut shortens text to so many bytes, with an ellipsis for what is left out.
func cut(text string, most int) string {
	const ellipsis = "…"
	if len(text) <= most {
		return text
	}
	end := max(0, most-len(ellipsis))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// minToken is what a part of an address needs to be taken for a token: shorter ones, such as webhook, are words.
const minToken = 8

// maxShown bounds what an error repeats of an answer, in bytes.
const maxShown = 200

var (
	addressPattern = lazily(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+`)
	secretPattern  = lazily(`(?i)\b(access_token|token|key|secret|sign|signature)=[^&\s"'<>]+`)
)

// lazily compiles an expression when somebody is told something for the first time: most functions tell nobody.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// redactor makes text fit for errors and logs: without addresses, and without any part of the receiver's own one and of the
// secret, should a service repeat them.
func redactor(address *url.URL, secret string) func(string) string {
	var hidden []string
	for segment := range strings.SplitSeq(address.Path, "/") {
		hidden = append(hidden, segment)
	}
	for _, values := range address.Query() {
		hidden = append(hidden, values...)
	}
	hidden = slices.DeleteFunc(hidden, func(part string) bool { return len(part) < minToken })
	if secret != "" {
		hidden = append(hidden, secret)
	}
	return func(text string) string {
		for _, part := range hidden {
			for _, form := range []string{url.QueryEscape(part), url.PathEscape(part), part} {
				text = strings.ReplaceAll(text, form, "***")
			}
		}
		text = secretPattern().ReplaceAllString(addressPattern().ReplaceAllString(text, "[url]"), "$1=***")
		return cut(oneLine(text), maxShown)
	}
}
