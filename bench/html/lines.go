package html

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Of a chart of lines: its height in points, but for its texts, and from which ratio
// of the greatest to the least an axis is logarithmic.
const (
	lineHeight = vg.Length(230)
	lineTicks  = 8 // at most, of values
	logSizes   = 20
	logValues  = 50
	// Beyond, the end of a whisker, which plot computes from its middle, could be
	// rounded to zero.
	logMost = 1e9
)

// lines draws several cases over their sizes: a line a store, with whiskers.
func (c *charter) lines(f *family) (drawing, error) {
	p := empty()
	c.axes(p, f)
	p.Add(grid())
	stores := storesOf(f.groups)
	for i, store := range stores {
		if err := c.line(p, f, store, f.aside(i, len(stores))); err != nil {
			return drawing{}, err
		}
	}
	return c.drawn(p, lineHeight+textHeight(p.X.Label.Text)+textHeight(p.Title.Text), stores...)
}

// axes are logarithmic where values are far apart and all above zero, else zero is
// on them.
func (c *charter) axes(p *plot.Plot, f *family) {
	// The unit stands above the axis: beside it a long one would have no room.
	p.X.Label.Text, p.Title.Text = wrap(f.name, width-2*margin), wrap(f.unit, width-2*margin)
	at := make(plot.ConstantTicks, len(f.sizes))
	for i, s := range f.sizes {
		at[i] = plot.Tick{Value: s, Label: c.report.Format(s)}
	}
	p.X.Tick.Marker = at
	if f.logSizes() {
		p.X.Scale = plot.LogScale{}
	}
	lo, hi := f.values()
	if logarithmic(lo, hi, logValues) && hi/lo < logMost {
		p.Y.Scale = plot.LogScale{}
		p.Y.Tick.Marker = logTicks{lineTicks, c.report.Format}
		return
	}
	p.Y.Min, p.Y.Max = min(0, lo), max(0, hi)
	p.Y.Tick.Marker = ticks{lineTicks, c.report.Format}
	if p.Y.Min == p.Y.Max {
		p.Y.Max = 1 // an axis needs a length
	}
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = grey, grey
	return g
}

// line adds a store.
func (c *charter) line(p *plot.Plot, f *family, store string, aside func(float64) float64) error {
	var points struct {
		plotter.XYs
		plotter.YErrors
	}
	for i, g := range f.groups {
		for _, v := range g.figures {
			if v.Store == store {
				points.XYs = append(points.XYs, plotter.XY{X: aside(f.sizes[i]), Y: v.Median})
				points.YErrors = append(points.YErrors, struct{ Low, High float64 }{v.Median - v.Min, v.Max - v.Median})
			}
		}
	}
	line, dots, err := plotter.NewLinePoints(points.XYs)
	if err != nil {
		return err
	}
	whiskers, err := plotter.NewYErrorBars(points)
	if err != nil {
		return err
	}
	colour := c.palette.colour(store)
	line.Color, line.Width = colour, 1.5
	dots.GlyphStyle = c.palette.point(store)
	whiskers.Color, whiskers.Width = colour, 1
	p.Add(line, whiskers, dots)
	return nil
}

// values are the least and the greatest of a family.
func (f *family) values() (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, g := range f.groups {
		for _, v := range g.figures {
			lo, hi = min(lo, v.Min), max(hi, v.Max)
		}
	}
	return lo, hi
}

func (f *family) logSizes() bool {
	return logarithmic(f.sizes[0], f.sizes[len(f.sizes)-1], logSizes)
}

func logarithmic(lo, hi, from float64) bool { return lo > 0 && hi/lo >= from }

// aside moves the points of store i of n a little along the axis of sizes, so that
// whiskers do not lie upon each other.
func (f *family) aside(i, n int) func(float64) float64 {
	by := 0.012 * (float64(i) - float64(n-1)/2)
	lo, hi := f.sizes[0], f.sizes[len(f.sizes)-1]
	if f.logSizes() {
		return func(x float64) float64 { return x * math.Pow(hi/lo, by) }
	}
	return func(x float64) float64 { return x + by*(hi-lo) }
}
