package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"imageferry/internal/manifest"
)

func TestHarmless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"web-golden_2026.11":         "web-golden_2026.11",
		"数据库 😀":                      "数据库 😀",
		"<!channel> @all":            "＜!channel＞ ＠all",
		"https://evil.example/a":     "https[:]//evil.example/a",
		"WWW.evil.example":           "WWW[.]evil.example",
		"a\n\tb\u2028c\u00a0 d":      "a b c d",
		"\u202eabc\u200b\x00\x7fd":   "abcd",
		"h\u200bttps:\u200b//x \xff": "https[:]//x",
		"":                           "",
	} {
		if got := harmless(text, 100); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	for most, want := range map[int]string{12: "数据库黄", 11: "数据…", 9: "数据…", 8: "数…", 3: "…"} {
		if got := harmless("数据库黄", most); got != want {
			t.Errorf("within %d bytes: %q, want %q", most, got, want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add("<!channel> @all https://evil.example", 20)
	f.Add("\xff\u202e:\u200b//www.w@w", 7)
	f.Add("wwwwww.www.", 3)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = min(max(most, 3), 1000)
		got := harmless(text, most)
		assertHarmless(t, got)
		if len(got) > most {
			t.Errorf("%d bytes, at most %d are allowed", len(got), most)
		}
	})
}

func assertHarmless(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || strings.ContainsAny(text, "@<>\n\r") || strings.Contains(text, "://") || strings.Contains(strings.ToLower(text), "www.evil") {
		t.Errorf("not harmless: %q", text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("%U in %q", r, text)
		}
	}
}

// Whatever a manifest holds, no format's message mentions anybody, links elsewhere, forges a line or exceeds its limit.
func FuzzMessages(f *testing.F) {
	h := hostile()
	f.Add(h.Image.ID, h.Image.Name, h.Reason, h.Detail, h.Remedy, h.Destination.Prefix)
	f.Add("m-1", "a", "", strings.Repeat("@", 5000), strings.Repeat("\u4e00", 5000), "")
	f.Add(strings.Repeat("m", 3000), strings.Repeat("<", 3000), strings.Repeat("&", 3000), "", "", strings.Repeat("p", 3000))
	f.Fuzz(func(t *testing.T, id, name, reason, detail, remedy, prefix string) {
		m := failed()
		m.Image, m.Reason, m.Detail, m.Remedy = manifest.Image{ID: id, Name: name}, reason, detail, remedy
		m.Destination.Prefix = prefix
		address, _ := parseAddress("https://receiver.example.com/x")
		const page = "https://ferry.example.com/images/"
		for _, format := range []Format{DingTalk, WeCom, Feishu, Slack} {
			d, err := dialectOf(format, address, "")
			if err != nil {
				t.Fatal(err)
			}
			r, err := d.encode(messageOf(m, settings(format, "https://receiver.example.com/x")), now)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.body) > 20<<10 || !json.Valid(r.body) {
				t.Fatalf("%s: %d bytes: %s", format, len(r.body), r.body)
			}
			text := textOf(t, format, r.body)
			if format == WeCom && len(text) > maxWeCom {
				t.Errorf("%d bytes", len(text))
			}
			lines := strings.Split(text, "\n")
			if len(lines) > 9 {
				t.Errorf("%s: a line was forged: %q", format, lines)
			}
			for _, l := range lines {
				if format == Slack {
					// Whatever is left after its entities and our own link has no meaning there.
					l = strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(l)
					if strings.HasPrefix(l, "Page: <"+page) {
						l = strings.NewReplacer("<", "", ">", "").Replace(l)
					}
					if strings.Contains(l, "&") {
						t.Errorf("a bare & in %q", l)
					}
				}
				if rest, ok := strings.CutPrefix(l, "Page: "+page); ok {
					l = rest
				}
				assertHarmless(t, strings.TrimPrefix(l, "Manifest: oss://"))
			}
		}
	})
}

// textOf is what people see of a body.
func textOf(t *testing.T, f Format, body []byte) string {
	t.Helper()
	var m struct {
		Text    json.RawMessage `json:"text"`
		Content struct {
			Post struct {
				Chinese feishuPost `json:"zh_cn"`
			} `json:"post"`
		} `json:"content"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	var text string
	switch f {
	case Slack:
		_ = json.Unmarshal(m.Text, &text)
	case Feishu:
		text = m.Content.Post.Chinese.Title
		for _, parts := range m.Content.Post.Chinese.Content {
			text += "\n"
			for _, p := range parts {
				text += p.Text
			}
		}
	default:
		var content struct {
			Content string `json:"content"`
		}
		_ = json.Unmarshal(m.Text, &content)
		text = content.Content
	}
	return text
}
