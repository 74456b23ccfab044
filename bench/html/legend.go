package html

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Of a legend, in points.
const (
	legendLine = vg.Length(16)
	legendMark = vg.Length(12) // from where a mark begins to its name
	legendGap  = vg.Length(18) // between two stores
	legendRest = vg.Length(6)  // below
)

// mark is where a store stands in a legend: how far to the right, and in which line.
type mark struct {
	store string
	x     vg.Length
	line  int
}

// legend lays the stores' names out in as many lines as they need, and answers how
// high they are.
func legend(stores []string) (marks []mark, height vg.Length) {
	style := written()
	x, line := margin, 0
	for _, store := range stores {
		room := legendMark + wider*style.Width(short(store))
		if x > margin && x+room > width-margin {
			x, line = margin, line+1
		}
		marks = append(marks, mark{store, x, line})
		x += room + legendGap
	}
	if len(marks) == 0 {
		return nil, 0
	}
	return marks, legendLine*vg.Length(line+1) + legendRest
}

// drawLegend draws a legend into the top of a chart.
func (c *charter) drawLegend(to draw.Canvas, marks []mark) {
	for _, m := range marks {
		y := to.Max.Y - legendLine*(vg.Length(m.line)+0.5)
		to.DrawGlyph(c.palette.point(m.store), vg.Point{X: m.x + legendMark/3, Y: y})
		to.FillText(written(), vg.Point{X: m.x + legendMark, Y: y}, short(m.store))
	}
}
