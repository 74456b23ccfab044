package html

import (
	"strings"

	"gonum.org/v1/plot/vg"
)

// longest is how many characters of a store's name stand in a chart; the table beside
// it has all.
const longest = 16

// short is a store's name in a chart.
func short(name string) string {
	if r := []rune(name); len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return name
}

// wrap breaks a text into lines that are no wider than room, between words where
// there are any.
func wrap(text string, room vg.Length) string {
	var lines []string
	for text != "" {
		n := fits(text, room)
		lines = append(lines, strings.TrimSpace(text[:n]))
		text = strings.TrimSpace(text[n:])
	}
	return strings.Join(lines, "\n")
}

// fits answers how many bytes of a text the next line has: one character at least.
func fits(text string, room vg.Length) int {
	style := written()
	end, space := 0, 0
	for i, r := range text {
		next := i + len(string(r))
		if end > 0 && wider*style.Width(text[:next]) > room {
			if space > 0 {
				return space
			}
			return end
		}
		if r == ' ' && i > 0 {
			space = i
		}
		end = next
	}
	return len(text)
}

// textHeight is how high a wrapped text is.
func textHeight(wrapped string) vg.Length {
	return textLine * vg.Length(strings.Count(wrapped, "\n")+1)
}
