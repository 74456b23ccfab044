package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// sheet collects the figures of a run.
type sheet struct {
	Machine  machine       `json:"machine"`
	Settings settings      `json:"settings"`
	Stores   []participant `json:"stores"`
	Figures  []figure      `json:"figures"`
	// Notes say what is not as it was asked for: what was cut off, and why.
	Notes   []string `json:"notes,omitempty"`
	Seconds float64  `json:"seconds"`
}

func (s *sheet) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
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
	targets  []target
}

// of are the values that a store's are held against when name is meant.
func (t *table) of(e *entrant, name string) []float64 {
	if t.base != nil && name == t.baseName {
		return t.base[e.Name]
	}
	return t.values[name]
}

// add puts a case into the sheet, a row a store.
func (s *sheet) add(es entrants, t table) {
	against := theirs
	if t.base != nil {
		against = t.baseName
	}
	for _, e := range es {
		v := t.values[e.Name]
		if len(v) == 0 {
			continue
		}
		f := figure{Workload: t.workload, Case: t.name, Store: e.Name, Unit: t.unit, summary: summarise(v)}
		if r, ok := compare(v, t.of(e, against)); ok && e.Name != against {
			f.Against, f.Ratio = against, &r
		}
		for _, want := range t.targets {
			if v, ok := want.judge(v, t.of(e, want.against)); ok && e.Name == ours {
				f.take(v)
			}
		}
		s.Figures = append(s.Figures, f)
	}
}

// head writes what a run runs on, and with whom.
func (s *sheet) head(w io.Writer) {
	fmt.Fprintf(w, "%v\n%v\n", s.Machine, &s.Settings)
	for _, p := range s.Stores {
		fmt.Fprintf(w, "  %v\n", p)
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
			fmt.Fprintf(tw, "\tmedian\tmin\tmax\trounds\tratio\tpaired\tmin\tmax\tto\t\n")
		}
		fmt.Fprintln(tw, f.row())
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return s.end(w)
}

// end writes what stands behind the tables: what was cut off, and the targets in one
// list.
func (s *sheet) end(w io.Writer) error {
	if len(s.Notes) > 0 {
		fmt.Fprintf(w, "\nnot measured to the end\n")
	}
	for _, n := range s.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
	if err := s.printTargets(w); err != nil {
		return err
	}
	met, all := s.tally()
	_, err := fmt.Fprintf(w, "\n%d of %d targets met, %.0f s in all\n", met, all, s.Seconds)
	return err
}

// printTargets writes a line for each target, with what this run has to say to it.
func (s *sheet) printTargets(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, all := s.tally(); all > 0 {
		fmt.Fprintf(tw, "\ntargets\n")
	}
	for i := range s.Figures {
		f := &s.Figures[i]
		for _, v := range f.Targets {
			fmt.Fprintf(tw, "  %s\t%s\t%s\t%s: %s, %s\n", v.word(), v.Target, number(v.Got), f.Workload, f.Case, f.Unit)
		}
	}
	return tw.Flush()
}

// tally counts targets.
func (s *sheet) tally() (met, all int) {
	for i := range s.Figures {
		for _, v := range s.Figures[i].Targets {
			if all++; v.Met {
				met++
			}
		}
	}
	return met, all
}

func (s *sheet) json(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}
