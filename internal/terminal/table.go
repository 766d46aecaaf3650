package terminal

import (
	"io"
	"strings"

	"imageferry/internal/words"
)

// A Style colours a cell where colours are wanted.
type Style string

// The styles, as the parameters of SGR.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Paint wraps safe text into a style.
func (s Style) Paint(text string, colour bool) string {
	if !colour || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// A Cell is one field of a table. Its text may come from anywhere: the table makes it safe.
type Cell struct {
	Text  string
	Style Style
	Right bool // aligned
}

// A Table is rows of cells under a heading.
type Table struct {
	Heading []string
	Rows    [][]Cell
	// Width cuts the lines, 0 does not: for what is no terminal.
	Width  int
	Colour bool
}

// maxCell bounds a column: nobody can read more in a table.
const maxCell = 64

// gap is between columns.
const gap = "  "

// Write prints the table. The last column is as long as its texts are, or as the width allows.
func (t Table) Write(w io.Writer) error {
	lines := t.safe()
	widths := columnWidths(lines)
	var b strings.Builder
	for i, line := range lines {
		room := t.Width
		for len(line) > 0 && line[len(line)-1].Text == "" {
			line = line[:len(line)-1] // no blanks at the end
		}
		for n, cell := range line {
			text := cell.Text
			last := n == len(line)-1
			switch {
			case !last:
				text = Clip(text, maxCell)
			case t.Width > 0:
				text = Clip(text, max(room, 8))
			}
			pad := strings.Repeat(" ", max(widths[n]-Width(text), 0))
			style := cell.Style
			if i == 0 && len(t.Heading) > 0 {
				style = Bold
			}
			painted := style.Paint(text, t.Colour)
			switch {
			case cell.Right:
				painted = pad + painted
			case !last:
				painted += pad
			}
			if n > 0 {
				painted = gap + painted
			}
			b.WriteString(painted)
			room -= widths[n] + len(gap)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// safe is all lines, the heading first.
func (t Table) safe() [][]Cell {
	var lines [][]Cell
	if len(t.Heading) > 0 {
		heading := make([]Cell, len(t.Heading))
		for i, text := range t.Heading {
			heading[i].Text = text
			heading[i].Right = len(t.Rows) > 0 && t.Rows[0][i].Right
		}
		lines = append(lines, heading)
	}
	for _, row := range t.Rows {
		line := make([]Cell, len(row))
		for i, cell := range row {
			cell.Text = words.Safe(cell.Text)
			line[i] = cell
		}
		lines = append(lines, line)
	}
	return lines
}

func columnWidths(lines [][]Cell) []int {
	var widths []int
	for _, line := range lines {
		for n, cell := range line {
			if n == len(widths) {
				widths = append(widths, 0)
			}
			widths[n] = max(widths[n], min(Width(cell.Text), maxCell))
		}
	}
	return widths
}
