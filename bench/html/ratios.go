package html

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Of a chart of ratios, in points.
const (
	ratioStore = vg.Length(8)  // what a store takes
	ratioGap   = vg.Length(10) // between two cases
	ratioRest  = vg.Length(32) // what the axis takes, but for its name
	ratioTicks = 7             // at most
)

// comparison is all ratios of a workload to one store, or to one of its cases.
type comparison struct {
	workload, against string
	groups            []*group // of figures that have such a ratio
}

// comparisons puts ratios to the same together, in the order of their first.
func comparisons(gs []*group) (out []*comparison) {
	type key struct{ workload, against string }
	there := make(map[key]*comparison)
	for _, g := range gs {
		for _, f := range g.figures {
			if f.Ratio == nil {
				continue
			}
			k := key{g.workload, f.Against}
			if there[k] == nil {
				there[k] = &comparison{g.workload, f.Against, nil}
				out = append(out, there[k])
			}
			there[k].add(g, f)
		}
	}
	return out
}

// add adds a figure of a case: behind those that it has of the same.
func (o *comparison) add(g *group, f Figure) {
	n := len(o.groups)
	if n == 0 || o.groups[n-1].name != g.name || o.groups[n-1].unit != g.unit {
		o.groups = append(o.groups, &group{g.workload, g.name, g.unit, nil})
		n++
	}
	o.groups[n-1].figures = append(o.groups[n-1].figures, f)
}

// ratios draws a comparison: case below case, in each a point a store. The axis is
// logarithmic, so that half is as far from 1 as twice; a ratio of zero or less has no
// place on it. The drawing is empty when there is no other.
func (c *charter) ratios(o *comparison) (drawing, error) {
	cases := o.drawn()
	if len(cases) == 0 {
		return drawing{}, nil
	}
	p := empty()
	p.HideY()
	p.X.Scale, p.X.Padding = plot.LogScale{}, 0
	p.X.Min, p.X.Max = span(cases)
	p.X.Tick.Marker = logTicks{ratioTicks, c.report.Format}
	p.X.Label.Text = wrap("ratio to "+o.against, width-2*margin)
	height := vg.Length(0)
	for _, g := range cases {
		height += g.ratioHeight()
	}
	g := grid()
	g.Horizontal.Color = nil
	p.Add(g)
	if err := stroke(p, ink, 1, plotter.XYs{{X: 1, Y: 0}, {X: 1, Y: float64(height)}}); err != nil {
		return drawing{}, err
	}
	at := height
	for _, g := range cases {
		if err := c.ratioCase(p, g, at); err != nil {
			return drawing{}, err
		}
		at -= g.ratioHeight()
	}
	p.Y.Min, p.Y.Max = 0, float64(height)
	return c.drawn(p, height+textHeight(p.X.Label.Text)+ratioRest, storesOf(cases)...)
}

// drawn are the cases with those of their figures that have a place in the chart.
func (o *comparison) drawn() (out []*group) {
	for _, g := range o.groups {
		with := &group{g.workload, g.name, g.unit, nil}
		for _, f := range g.figures {
			if f.Ratio.Medians > 0 {
				with.figures = append(with.figures, f)
			}
		}
		if len(with.figures) > 0 {
			out = append(out, with)
		}
	}
	return out
}

// span is what the axis shows: from a half to twice, and all that there is above zero.
func span(cases []*group) (lo, hi float64) {
	lo, hi = 0.5, 2
	for _, g := range cases {
		for _, f := range g.figures {
			for _, v := range []float64{f.Ratio.Medians, f.Ratio.Min, f.Ratio.Max} {
				if v > 0 {
					lo, hi = min(lo, v), max(hi, v)
				}
			}
		}
	}
	const aside = 1.1 // so that no point lies on the edge
	return lo / aside, hi * aside
}

// title is a case in a chart of ratios.
func (g *group) title() string { return wrap(g.name+", "+g.unit, width-3*margin) }

func (g *group) ratioHeight() vg.Length {
	return textHeight(g.title()) + ratioStore*vg.Length(len(g.figures)) + ratioGap
}

// ratioCase adds a case whose upper edge is at: its name, and its stores below.
func (c *charter) ratioCase(p *plot.Plot, g *group, at vg.Length) error {
	left := p.X.Min
	if err := stroke(p, grey, 0.5, plotter.XYs{{X: left, Y: float64(at)}, {X: p.X.Max, Y: float64(at)}}); err != nil {
		return err
	}
	name, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: left, Y: float64(at - 2)}}, Labels: []string{g.title()}})
	if err != nil {
		return err
	}
	name.TextStyle[0] = written()
	name.TextStyle[0].YAlign = draw.YTop
	p.Add(name)
	at -= g.ratioHeight() - ratioGap/2 - ratioStore*(vg.Length(len(g.figures))-0.5)
	for i, f := range g.figures {
		if err := c.ratio(p, f, left, float64(at-ratioStore*vg.Length(i))); err != nil {
			return err
		}
	}
	return nil
}

// ratio adds a store: a point at the ratio of the medians, and a line from the least
// to the greatest of the rounds, as far as it is on the axis.
func (c *charter) ratio(p *plot.Plot, f Figure, left, y float64) error {
	if f.Ratio.Max > 0 {
		whisker := plotter.XYs{{X: max(left, f.Ratio.Min), Y: y}, {X: f.Ratio.Max, Y: y}}
		if err := stroke(p, c.palette.colour(f.Store), 1, whisker); err != nil {
			return err
		}
	}
	point, err := plotter.NewScatter(plotter.XYs{{X: f.Ratio.Medians, Y: y}})
	if err != nil {
		return err
	}
	point.GlyphStyle = c.palette.point(f.Store)
	p.Add(point)
	return nil
}

// stroke adds a line.
func stroke(p *plot.Plot, colour color.Color, wide vg.Length, points plotter.XYs) error {
	l, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	l.Color, l.Width = colour, wide
	p.Add(l)
	return nil
}
