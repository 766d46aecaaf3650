package terminal

import (
	"strings"
	"testing"

	"imageferry/internal/words"
)

func FuzzClip(f *testing.F) {
	f.Add("a\x1b\u202e\xff👩\u200d👧")
	f.Fuzz(func(t *testing.T, text string) {
		safe := words.Safe(text)
		if clipped := Clip(safe, 10); Width(clipped) > 10 {
			t.Errorf("Clip(%q) has %d columns", safe, Width(clipped))
		}
	})
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{
		Heading: []string{"A", "SIZE", "NAME"},
		Rows: [][]Cell{
			{{Text: "镜像"}, {Text: "5", Right: true}, {Text: "x"}},
			{{Text: "b\n"}, {Text: "1234", Right: true}, {}},
		},
	}
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	if want := "A      SIZE  NAME\n镜像      5  x\n" + `b\x0a  1234` + "\n"; b.String() != want {
		t.Errorf("table\n%s\nwant\n%s", b.String(), want)
	}
	table.Rows[0][2].Text = strings.Repeat("long ", 100)
	table.Width = 40
	b.Reset()
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if Width(strings.TrimSuffix(line, "\n")) > 40 {
			t.Errorf("%q is too wide", line)
		}
	}
}
