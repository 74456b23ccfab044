package html

import (
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestLongTextsAreBrokenIntoLinesThatFit(t *testing.T) {
	const room = vg.Length(120)
	for _, text := range []string{
		"", "short", "a text of several words that is much longer than its line",
		strings.Repeat("W", 100), "at first " + strings.Repeat("ß", 60) + " and then words", " blank  at  many   places ",
	} {
		got := wrap(text, room)
		for line := range strings.SplitSeq(got, "\n") {
			if w := written().Width(line); w > room {
				t.Errorf("%q has %v of %v points", line, w, room)
			}
		}
		if without(got) != without(text) {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	if got := wrap("one two", 10*room); got != "one two" {
		t.Errorf("what has room becomes %q", got)
	}
	if got := wrap("words that do not have to be are not broken", room); strings.Join(strings.Fields(got), " ") != "words that do not have to be are not broken" || !strings.Contains(got, "\n") {
		t.Errorf("words become %q", got)
	}
	if got := wrap("a", 0); got != "a" {
		t.Errorf("without room: %q", got)
	}
}

// without are a text's characters that are not blank.
func without(text string) string { return strings.Join(strings.Fields(text), "") }

func TestLongNamesOfStoresAreCutInCharts(t *testing.T) {
	for name, want := range map[string]string{"oubliette": "oubliette", "sixteen letters!": "sixteen letters!", "seventeen letters": "seventeen lette…", "ßßßßßßßßßßßßßßßßß": "ßßßßßßßßßßßßßßß…"} {
		if got := short(name); got != want {
			t.Errorf("%s is cut to %s, want %s", name, got, want)
		}
	}
}
