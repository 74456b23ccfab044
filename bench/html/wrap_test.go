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

func TestALegendHasAsManyLinesAsItNeeds(t *testing.T) {
	var names []string
	for range 9 {
		names = append(names, "a store's name")
	}
	marks, height := legend(names)
	if last := marks[8].line; len(marks) != 9 || last < 2 || height != legendLine*vg.Length(last+1) {
		t.Errorf("marks %v, height %v", marks, height)
	}
	for i, m := range marks {
		if end := m.x + legendMark + written().Width(m.store); end > width-margin {
			t.Errorf("mark %d ends at %v of %v", i, end, width)
		}
		if i > 0 && m.line == marks[i-1].line && m.x < marks[i-1].x+legendMark+written().Width(m.store) {
			t.Errorf("mark %d lies on the one before", i)
		}
	}
	if marks, height := legend(nil); marks != nil || height != 0 {
		t.Errorf("of no store: marks %v, height %v", marks, height)
	}
}
