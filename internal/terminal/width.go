// Package terminal aligns tables and colours words for people at a terminal.
package terminal

import "github.com/mattn/go-runewidth"

// cells measures text. What is ambiguous is narrow, whatever the locale says: so output is the same everywhere.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// Width is how many columns of a terminal safe text takes.
func Width(text string) int { return cells.StringWidth(text) }

// Clip shortens safe text to a number of columns, with an ellipsis in place of what is left out.
func Clip(text string, columns int) string {
	if Width(text) <= columns {
		return text
	}
	return cells.Truncate(text, columns, "…")
}
