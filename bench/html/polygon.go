package html

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// polygon is the shape of a point: so many corners, the first so many degrees from
// the right.
type polygon struct{ corners, first float64 }

// DrawGlyph implements [draw.GlyphDrawer].
func (p polygon) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	c.SetColor(style.Color)
	var path vg.Path
	for i := range int(p.corners) {
		angle := (p.first/360 + float64(i)/p.corners) * 2 * math.Pi
		// A little farther out than a circle, so that both are about as large.
		far := 1.25 * style.Radius
		corner := vg.Point{X: at.X + far*vg.Length(math.Cos(angle)), Y: at.Y + far*vg.Length(math.Sin(angle))}
		if i == 0 {
			path.Move(corner)
		} else {
			path.Line(corner)
		}
	}
	path.Close()
	c.Fill(path)
}
