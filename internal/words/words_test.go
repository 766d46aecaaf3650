package words

import (
	"encoding/json"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"web-01":           "web-01",
		"镜像 é שלום":        "镜像 é שלום",
		"👩\u200d👧":         "👩\u200d👧",
		"a\x1b[31m\x07":    `a\x1b[31m\x07`,
		"a\r\n\tb":         `a\x0d\x0a\x09b`,
		"\u202eexe.\u2066": `\u202eexe.\u2066`,
		"\u009b1m\x7f":     `\u009b1m\x7f`,
		"\xff\xc3":         `\xff\xc3`,
		"a\u00a0b\u3000c":  "a b c",
		"\U000e0041":       `\U000e0041`,
	} {
		if got := Safe(text); got != want {
			t.Errorf("Safe(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("a\x1b\u202e\xff👩\u200d👧")
	f.Fuzz(func(t *testing.T, text string) {
		safe := Safe(text)
		for _, r := range safe {
			if r != joiner && !unicode.IsPrint(r) {
				t.Errorf("%U in Safe(%q)", r, text)
			}
		}
		if !utf8.ValidString(safe) || Safe(safe) != safe {
			t.Errorf("Safe(%q) = %q is not safe", text, safe)
		}
		document, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if json.Unmarshal(document, &before) != nil || json.Unmarshal(SafeJSON(document), &after) != nil || before != after {
			t.Errorf("SafeJSON changes %q to %q", before, after)
		}
		for _, r := range string(SafeJSON(document)) {
			if r != joiner && !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) {
				t.Errorf("%U in SafeJSON(%q)", r, document)
			}
		}
	})
}

func TestWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "now", time.Second: "now", 59 * time.Second: "59 s ago", 3 * time.Hour: "3 h ago", 47 * time.Hour: "47 h ago",
		49 * time.Hour: "2 d ago", -5 * time.Minute: "in 5 min", 400 * 24 * time.Hour: "400 d ago",
	} {
		if got := Since(now.Add(-d), now); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	if got := Clock(3723 * time.Second); got != "1:02:03" {
		t.Errorf("clock %q", got)
	}
	if got := Clock(123 * time.Second); got != "2:03" {
		t.Errorf("clock %q", got)
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "''", "oss://b/k-1_2.raw": "oss://b/k-1_2.raw", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "镜像": "'镜像'",
	} {
		if got := Shell(text); got != want {
			t.Errorf("Shell(%q) = %s, want %s", text, got, want)
		}
	}
}
