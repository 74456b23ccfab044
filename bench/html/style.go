package html

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// In points of a chart's own: the page scales it.
const (
	width = vg.Length(640)
	// margin is left of and right of a chart. A reader's machine may have none of
	// the fonts that the page asks for, and another font's letters are wider.
	margin = vg.Length(16)
)

// Colours are of the palette by Okabe and Ito (2008), which is told apart with any
// colour vision. Lines have shapes besides.
var (
	colours = []color.RGBA{
		{0x00, 0x72, 0xb2, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
		{0x56, 0xb4, 0xe9, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x66, 0x66, 0x66, 0xff},
	}
	shapes = []draw.GlyphDrawer{
		draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{},
		draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.CrossGlyph{},
	}
	ink  = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
)

// palette gives each store of a report a number, the same in every chart.
type palette map[string]int

func newPalette(figures []Figure) palette {
	p := make(palette)
	for _, f := range figures {
		if _, there := p[f.Store]; !there {
			p[f.Store] = len(p)
		}
	}
	return p
}

func (p palette) colour(store string) color.Color     { return colours[p[store]%len(colours)] }
func (p palette) shape(store string) draw.GlyphDrawer { return shapes[p[store]%len(shapes)] }

// empty is a plot without data, in the style of all.
func empty() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the page's
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = sans(11)
		a.Label.TextStyle.Color = ink
		a.Tick.Label.Font = sans(10)
		a.Tick.Label.Color = ink
		a.Tick.Color, a.Color = ink, ink
	}
	p.Legend.TextStyle.Font = sans(11)
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, 4
	return p
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// ticks divides an axis as plot does and labels it as the report is.
type ticks struct {
	plot.Ticker
	format func(float64) string
}

func (t ticks) Ticks(min, max float64) []plot.Tick {
	out := t.Ticker.Ticks(min, max)
	for i := range out {
		if out[i].Label != "" {
			out[i].Label = t.format(out[i].Value)
		}
	}
	return out
}
