package html

import "strconv"

// Verdicts.
const (
	met    = "met"
	missed = "missed"
)

// row is a figure in a table.
type row struct {
	Span              int // of the first of a case: how many rows it has
	Case, Unit, Store string
	Median, Min, Max  value
	N                 int
	Against           string
	Ratio             *ratio
	Targets           []target
}

type ratio struct{ Medians, Paired, Min, Max value }

// target is what a figure has to reach, and whether it does.
type target struct {
	Chart, Workload, Case, Store, Unit string // of the figure
	Text, Verdict                      string
	Got                                value
}

// value is a number for reading, and exactly.
type value struct{ Text, Exact string }

func (r *Report) value(v float64) value {
	return value{r.Format(v), strconv.FormatFloat(v, 'g', -1, 64)}
}

// rows are the figures of cases, for the table of the chart id.
func (r *Report) rows(gs []*group, id string) (out []row) {
	for _, g := range gs {
		first := len(out)
		for i := range g.figures {
			out = append(out, r.row(&g.figures[i], id))
		}
		out[first].Span = len(g.figures)
	}
	return out
}

func (r *Report) row(f *Figure, id string) row {
	out := row{
		Case: f.Case, Unit: f.Unit, Store: f.Store,
		Median: r.value(f.Median), Min: r.value(f.Min), Max: r.value(f.Max), N: f.N, Against: f.Against,
	}
	if f.Ratio != nil {
		out.Ratio = &ratio{r.value(f.Ratio.Medians), r.value(f.Ratio.Paired), r.value(f.Ratio.Min), r.value(f.Ratio.Max)}
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
