package html

import (
	"fmt"
	"html/template"
	"strconv"
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

	// Ink and Grey are how charts write these colours.
	Ink, Grey template.CSS
}

// workload is a part of the page.
type workload struct {
	ID, Name string
	Ratios   []chart
	Charts   []chart
}

// chart is a chart with its table.
type chart struct {
	ID          string
	Name, Unit  string
	Description string // of what is drawn, for those who do not see it
	Drawing     drawing
	Lines       bool // its cases differ in a number
	Targets     bool // some figure has one
	Rows        []row
}

func newView(r *Report) (*view, error) {
	v := &view{Machine: r.Machine, Settings: r.Settings, Stores: r.Stores, Notes: r.Notes, Took: r.value(r.Seconds), Ink: css(ink), Grey: css(grey)}
	c := &charter{r, newPalette(r.Figures)}
	gs := groups(r.Figures)
	for _, g := range gs {
		v.workload(g.workload) // in their order
	}
	for i, o := range comparisons(gs) {
		ch, err := c.compared(o, "ratios-"+strconv.Itoa(i+1))
		if err != nil {
			return nil, err
		}
		w := v.workload(o.workload)
		w.Ratios = append(w.Ratios, ch)
	}
	for i, f := range families(gs) {
		ch, err := c.shown(f, "chart-"+strconv.Itoa(i+1))
		if err != nil {
			return nil, err
		}
		for _, row := range ch.Rows {
			v.take(row.Targets)
		}
		w := v.workload(f.workload)
		w.Charts = append(w.Charts, ch)
	}
	return v, nil
}

// workload is the part of that name.
func (v *view) workload(name string) *workload {
	for i := range v.Workloads {
		if v.Workloads[i].Name == name {
			return &v.Workloads[i]
		}
	}
	v.Workloads = append(v.Workloads, workload{ID: "workload-" + strconv.Itoa(len(v.Workloads)+1), Name: name})
	return &v.Workloads[len(v.Workloads)-1]
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

// What is drawn.
const (
	ofBars   = "bars from zero to the median of each store, whiskers from its least to its greatest value"
	ofLines  = "a line a store through its medians, whiskers from its least to its greatest value"
	ofRatios = "for each case a point a store at the ratio of the medians, and a line from the least to the greatest ratio of a round"
)

// shown is a family's chart with its table.
func (c *charter) shown(f *family, id string) (chart, error) {
	d, err := c.chart(f)
	if err != nil {
		return chart{}, err
	}
	out := chart{ID: id, Name: f.name, Unit: f.unit, Description: ofBars, Drawing: d, Rows: c.report.rows(f.groups, id)}
	if f.sizes != nil {
		out.Lines, out.Description = true, ofLines
	}
	for _, r := range out.Rows {
		out.Targets = out.Targets || len(r.Targets) > 0
	}
	return out, nil
}

// compared is a comparison's chart with its table.
func (c *charter) compared(o *comparison, id string) (chart, error) {
	d, err := c.ratios(o)
	if err != nil {
		return chart{}, fmt.Errorf("chart of %s: ratios to %s: %w", o.workload, o.against, err)
	}
	return chart{ID: id, Name: "Ratios to " + o.against, Description: ofRatios, Drawing: d, Rows: c.report.rows(o.groups, id)}, nil
}
