package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// figure is one measured figure of one store.
type figure struct {
	Workload string `json:"workload"`
	Case     string `json:"case"`
	Store    string `json:"store"`
	Unit     string `json:"unit"`
	summary
	// Ratio is this store's series against that of the store, or of the case,
	// that Against names, in the same rounds.
	Against string      `json:"against,omitempty"`
	Ratio   *comparison `json:"ratio,omitempty"`
	// Target is what ours has to reach, Met whether it does.
	Target string `json:"target,omitempty"`
	Met    *bool  `json:"met,omitempty"`
}

// target is what our figure, or its ratio, has to reach.
type target struct {
	want    float64
	ratio   bool // it is about the ratio of the medians
	atMost  bool
	subject string // what it is about
}

func (t *target) String() string {
	sign := ">="
	if t.atMost {
		sign = "<="
	}
	unit := ""
	if t.ratio {
		unit = "x"
	}
	return fmt.Sprintf("%s %s%s%s", sign, number(t.want), unit, t.subject)
}

// judge sets a figure's target and whether it is met.
func (t *target) judge(f *figure) {
	got := f.Median
	if t.ratio {
		if f.Ratio == nil { // the peer did not take part
			return
		}
		got = f.Ratio.Medians
	}
	met := got >= t.want
	if t.atMost {
		met = got <= t.want
	}
	f.Target, f.Met = t.String(), &met
}

// sheet collects the figures of a run.
type sheet struct {
	Machine  machine  `json:"machine"`
	Settings settings `json:"settings"`
	Figures  []figure `json:"figures"`
	Seconds  float64  `json:"seconds"`
}

// table is one case of one workload on its way into the sheet.
type table struct {
	workload, name, unit string
	values               series
	// Each store's values are held against those of the store theirs, unless
	// base is set: then against the store's own values in it, which baseName
	// names.
	base     series
	baseName string
	target   *target
}

// add puts a case into the sheet, a row a store.
func (s *sheet) add(es entrants, t table) {
	for _, e := range es {
		v := t.values[e.Name]
		if len(v) == 0 {
			continue
		}
		f := figure{Workload: t.workload, Case: t.name, Store: e.Name, Unit: t.unit, summary: summarise(v)}
		against, name := t.values[theirs], theirs
		if t.base != nil {
			against, name = t.base[e.Name], t.baseName
		}
		if r, ok := compare(v, against); ok && (t.base != nil || e.Name != theirs) {
			f.Against, f.Ratio = name, &r
		}
		if t.target != nil && e.Name == ours {
			t.target.judge(&f)
		}
		s.Figures = append(s.Figures, f)
	}
}

// print writes the figures as tables.
func (s *sheet) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	last := ""
	for i := range s.Figures {
		f := &s.Figures[i]
		if name := f.Workload + ": " + f.Case + ", " + f.Unit; name != last {
			if err := tw.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(w, "\n%s\n", name)
			last = name
			fmt.Fprintf(tw, "\tmedian\tmin\tmax\trounds\tratio\tpaired\tmin\tmax\tto\t\t\n")
		}
		fmt.Fprintln(tw, f.row())
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%.0f s in all\n", s.Seconds)
	return err
}

func (f *figure) row() string {
	r := "\t\t\t\t\t"
	if f.Ratio != nil {
		r = fmt.Sprintf("%.2f\t%.2f\t%.2f\t%.2f\t%s\t", f.Ratio.Medians, f.Ratio.Paired, f.Ratio.Min, f.Ratio.Max, f.Against)
	}
	verdict := "\t\t"
	if f.Met != nil {
		word := "MISSED"
		if *f.Met {
			word = "met"
		}
		verdict = fmt.Sprintf("target %s\t%s\t", f.Target, word)
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s%s", f.Store, number(f.Median), number(f.Min), number(f.Max), f.N, r, verdict)
}

func (s *sheet) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// number prints three or more significant digits, with commas between
// thousands.
func number(v float64) string {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	if math.Abs(v) < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
