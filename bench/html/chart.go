package html

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// drawing is what stands within an SVG element, and the element's size.
type drawing struct {
	Width, Height float64
	Inside        template.HTML // vgsvg has escaped every text in it
}

// charter draws the charts of a report.
type charter struct {
	report  *Report
	palette palette
}

// chart draws a family.
func (c *charter) chart(f *family) (d drawing, err error) {
	if f.sizes == nil {
		d, err = c.bars(f.groups[0])
	} else {
		d, err = c.lines(f)
	}
	if err != nil {
		return drawing{}, fmt.Errorf("chart of %s: %s, %s: %w", f.workload, f.name, f.unit, err)
	}
	return d, nil
}

// drawn draws a plot of that height, and above it a legend of the stores.
func (c *charter) drawn(p *plot.Plot, height vg.Length, stores ...string) (drawing, error) {
	marks, above := legend(stores)
	height += above
	canvas := vgsvg.New(width, height)
	all := draw.New(canvas)
	c.drawLegend(all, marks)
	p.Draw(draw.Crop(all, margin, -margin, 0, -above))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return drawing{}, err
	}
	return inside(b.Bytes(), height)
}

// inside takes away the element around a drawing: it is made for a file of its own,
// and the page has another.
func inside(b []byte, height vg.Length) (drawing, error) {
	_, rest, begins := bytes.Cut(b, []byte("<svg "))
	_, rest, opened := bytes.Cut(rest, []byte(">"))
	end := bytes.LastIndex(rest, []byte("</svg>"))
	if !begins || !opened || end < 0 {
		return drawing{}, errors.New("no SVG was drawn")
	}
	return drawing{float64(width), float64(height), template.HTML(rest[:end])}, nil
}
