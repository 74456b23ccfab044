package html

import (
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestALegendHasAsManyLinesAsItNeeds(t *testing.T) {
	var names []string
	for range 9 {
		names = append(names, "a store's name")
	}
	marks, height := legend(names)
	if last := marks[8].line; len(marks) != 9 || last < 2 || height != legendLine*vg.Length(last+1)+legendRest {
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
