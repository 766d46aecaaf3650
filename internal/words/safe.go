// Package words puts things before people: text of others that can do no harm, and times, sizes and numbers in words.
package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Safe makes text harmless on one line of a terminal: control characters, invalid bytes, line breaks and the invisible
// characters that reorder or hide text are shown as escapes, such as \x1b or \u202e. Letters of all scripts and emoji
// stay as they are.
func Safe(text string) string {
	clean := true
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] > '~' {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		b.WriteString(safeRune(r, text[:size]))
		text = text[size:]
	}
	return b.String()
}

// joiner binds emoji into one.
const joiner = '\u200d'

const hexDigits = "0123456789abcdef"

func safeRune(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return `\x` + hex(rune(raw[0]), 2)
	case r == joiner || unicode.IsPrint(r):
		return raw
	case unicode.Is(unicode.Zs, r): // a wide or a non-breaking space
		return " "
	case r < 0x80:
		return `\x` + hex(r, 2)
	case r < 0x10000:
		return `\u` + hex(r, 4)
	}
	return `\U` + hex(r, 8)
}

func hex(r rune, digits int) string {
	b := make([]byte, digits)
	for i := digits - 1; i >= 0; i-- {
		b[i] = hexDigits[r&0xf]
		r >>= 4
	}
	return string(b)
}

// SafeJSON escapes, in a JSON document, what Safe would escape in text. The document means the same as before: JSON has
// characters beyond ASCII in strings only.
func SafeJSON(document []byte) []byte {
	out := make([]byte, 0, len(document))
	for len(document) > 0 {
		r, size := utf8.DecodeRune(document)
		switch {
		case r < 0x7f || r == joiner || unicode.IsPrint(r) || unicode.Is(unicode.Zs, r):
			out = append(out, document[:size]...)
		case r < 0x10000:
			out = append(append(out, `\u`...), hex(r, 4)...)
		default:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			out = append(append(out, `\u`...), hex(high, 4)...)
			out = append(append(out, `\u`...), hex(low, 4)...)
		}
		document = document[size:]
	}
	return out
}

// Shell makes text one word of a shell: a command is there to be pasted.
func Shell(text string) string {
	for _, c := range text {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:", c)) {
			return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		}
	}
	if text == "" {
		return "''"
	}
	return text
}
