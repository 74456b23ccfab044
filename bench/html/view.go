package html

import (
	"fmt"
	"strconv"
	"strings"
)

// Verdicts.
const (
	met    = "met"
	missed = "missed"
)

// view is what the template is given.
type view struct {
	Machine, Settings []Fact
	Took              value
	Stores            []Store
	Notes             []string
	Targets           []target
	Met               int // of them
	Workloads         []workload
}

// workload is a part of the page.
type workload struct {
	Name   string
	Charts []chart
}

// chart is a chart with its table.
type chart struct {
	ID          string
	Name, Unit  string
	Lines       bool
	Drawing     drawing
	Description string // for those who do not see it
	Rows        []row
}

// row is a figure in a table.
type row struct {
	Case, Store      string
	Median, Min, Max value
	N                int
	Against          string
	Ratio            *ratio
	Targets          []target
}

// target is what a figure has to reach, and whether it does.
type target struct {
	Chart, Workload, Case, Store, Unit string // of the figure
	Text, Verdict                      string
	Got                                value
}

type ratio struct{ Medians, Paired, Min, Max value }

// value is a number for reading, and exactly.
type value struct{ Text, Exact string }

func newView(r *Report) (*view, error) {
	v := &view{Machine: r.Machine, Settings: r.Settings, Stores: r.Stores, Notes: r.Notes, Took: r.value(r.Seconds)}
	c := &charter{r, newPalette(r.Figures)}
	part := make(map[string]int)
	for i, f := range families(groups(r.Figures)) {
		at, there := part[f.workload]
		if !there {
			at = len(v.Workloads)
			part[f.workload] = at
			v.Workloads = append(v.Workloads, workload{Name: f.workload})
		}
		ch, err := c.shown(f, "chart-"+strconv.Itoa(i+1))
		if err != nil {
			return nil, err
		}
		v.Workloads[at].Charts = append(v.Workloads[at].Charts, ch)
		for _, row := range ch.Rows {
			v.take(row.Targets)
		}
	}
	return v, nil
}

// take adds targets to those of the page.
func (v *view) take(targets []target) {
	for _, t := range targets {
		v.Targets = append(v.Targets, t)
		if t.Verdict == met {
			v.Met++
		}
	}
}

// shown is a family's chart with its table.
func (c *charter) shown(f *family, id string) (chart, error) {
	d, err := c.chart(f)
	if err != nil {
		return chart{}, err
	}
	out := chart{ID: id, Name: f.name, Unit: f.unit, Lines: f.sizes != nil, Drawing: d, Description: c.describe(f)}
	for _, g := range f.groups {
		for i := range g.figures {
			out.Rows = append(out.Rows, c.report.row(&g.figures[i], id))
		}
	}
	return out, nil
}

// describe says in words what a chart shows.
func (c *charter) describe(f *family) string {
	var b strings.Builder
	b.WriteString("Medians, and the least and the greatest value.")
	for _, g := range f.groups {
		fmt.Fprintf(&b, " %s:", g.name)
		for i, v := range g.figures {
			if i > 0 {
				b.WriteString(";")
			}
			fmt.Fprintf(&b, " %s %s (%s to %s)", v.Store, c.report.Format(v.Median), c.report.Format(v.Min), c.report.Format(v.Max))
		}
		b.WriteString(".")
	}
	return b.String()
}

func (r *Report) row(f *Figure, id string) row {
	out := row{
		Case: f.Case, Store: f.Store,
		Median: r.value(f.Median), Min: r.value(f.Min), Max: r.value(f.Max), N: f.N, Against: f.Against,
	}
	if f.Ratio != nil {
		out.Ratio = &ratio{times(f.Ratio.Medians), times(f.Ratio.Paired), times(f.Ratio.Min), times(f.Ratio.Max)}
	}
	for _, t := range f.Targets {
		verdict := missed
		if t.Met {
			verdict = met
		}
		out.Targets = append(out.Targets, target{id, f.Workload, f.Case, f.Store, f.Unit, t.Text, verdict, r.value(t.Got)})
	}
	return out
}

func (r *Report) value(v float64) value { return value{r.Format(v), exact(v)} }

// times is a ratio.
func times(v float64) value { return value{strconv.FormatFloat(v, 'f', 2, 64), exact(v)} }

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
