package html

import (
	"fmt"
	"html/template"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// In points of a chart's own: the page scales it. On a phone a chart is about as
// wide as that, and its letters can be read; so what is long is broken into lines.
const (
	width  = vg.Length(380)
	letter = vg.Length(11)
	// textLine is what a line of text takes.
	textLine = vg.Length(13)
	// wider is how many times as wide as a text is measured it may be: a reader's
	// machine may have none of the fonts that the page asks for.
	wider = 1.1
	// margin is left of and right of a chart.
	margin = vg.Length(14)
)

// Colours are of the palette by Okabe and Ito (2008), which is told apart with any
// colour vision. Points have shapes besides. The page puts others in the place of ink
// and grey where its reader wants it dark.
var (
	colours = []color.RGBA{
		{0x00, 0x72, 0xb2, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
		{0x56, 0xb4, 0xe9, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x77, 0x77, 0x77, 0xff},
	}
	shapes = []draw.GlyphDrawer{
		draw.CircleGlyph{}, polygon{4, 45}, polygon{3, 90}, polygon{4, 0},
		polygon{3, 270}, polygon{5, 90}, polygon{6, 0},
	}
	ink  = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
)

// css is a colour as vgsvg writes it.
func css(c color.RGBA) template.CSS {
	return template.CSS(fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B))
}

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

func (p palette) colour(store string) color.RGBA { return colours[p[store]%len(colours)] }

// faint is a colour on which a whisker can be told apart, on light paper and on dark.
func (p palette) faint(store string) color.Color {
	c := p.colour(store)
	return color.NRGBA{c.R, c.G, c.B, 0xa0}
}

func (p palette) point(store string) draw.GlyphStyle {
	return draw.GlyphStyle{Color: p.colour(store), Shape: shapes[p[store]%len(shapes)], Radius: 3.5}
}

// empty is a plot without data, in the style of all.
func empty() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil // the page's
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = sans(), sans()
		a.Label.TextStyle.Color, a.Tick.Label.Color = ink, ink
		a.Tick.Color, a.Color = ink, ink
	}
	p.Title.TextStyle.Font, p.Title.TextStyle.Color, p.Title.Padding = sans(), ink, 4
	return p
}

// written is the style of a chart's texts.
func written() text.Style {
	return text.Style{Color: ink, Font: sans(), Handler: plot.DefaultTextHandler, YAlign: text.YCenter}
}

func sans() font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: letter}
}
