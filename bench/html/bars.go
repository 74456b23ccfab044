package html

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Of a chart of bars, in points.
const (
	barRow  = 24 // what a store takes
	barRest = 36 // what the axis takes, but for its name
	bar     = 14

	barTicks = 5 // at most
)

// bars draws one case: a bar a store, from zero, the first on top.
func (c *charter) bars(g *group) (drawing, error) {
	p := empty()
	names := make([]string, len(g.figures))
	for i := range g.figures {
		f := &g.figures[i]
		row := len(g.figures) - 1 - i
		names[row] = short(f.Store)
		if err := c.bar(p, f, float64(row)); err != nil {
			return drawing{}, err
		}
	}
	if p.X.Min == p.X.Max {
		p.X.Max = 1 // an axis needs a length
	}
	if p.X.Min < 0 {
		if err := stroke(p, ink, 0.5, plotter.XYs{{X: 0, Y: -0.5}, {X: 0, Y: float64(len(names)) - 0.5}}); err != nil {
			return drawing{}, err
		}
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.5, float64(len(names))-0.5
	p.X.Padding = 0
	p.X.Label.Text = wrap(g.unit, width-2*margin)
	p.X.Tick.Marker = ticks{barTicks, c.report.Format}
	return c.drawn(p, barRest+textHeight(p.X.Label.Text)+barRow*vg.Length(len(names)))
}

// bar adds a store: the bar to the median, the whisker from the least to the
// greatest value, and the median in figures.
func (c *charter) bar(p *plot.Plot, f *Figure, row float64) error {
	b, err := plotter.NewBarChart(plotter.Values{f.Median}, bar)
	if err != nil {
		return err
	}
	b.Horizontal, b.XMin, b.Color, b.LineStyle.Width = true, row, c.palette.faint(f.Store), 0
	label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: max(0, f.Max), Y: row}}, Labels: []string{c.report.Format(f.Median)}})
	if err != nil {
		return err
	}
	label.TextStyle[0] = written()
	label.Offset.X = 6
	p.Add(b, label)
	if f.Min == f.Max {
		return nil
	}
	return whisker(p, f, row)
}

// whisker adds a line from the least to the greatest value.
func whisker(p *plot.Plot, f *Figure, row float64) error {
	w, err := plotter.NewXErrorBars(struct {
		plotter.XYs
		plotter.XErrors
	}{plotter.XYs{{X: f.Median, Y: row}}, plotter.XErrors{{Low: f.Median - f.Min, High: f.Max - f.Median}}})
	if err != nil {
		return err
	}
	w.Color, w.Width, w.CapWidth = ink, 1, bar/2
	p.Add(w)
	return nil
}
