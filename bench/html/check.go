package html

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
)

// Bounds of a report.
const (
	MaxFigures = 2000
	MaxFacts   = 100 // of the machine, of the settings; stores as well
	MaxNotes   = MaxFigures
	maxTargets = 20   // of a figure
	maxText    = 300  // bytes of a figure's names and of its unit
	maxFact    = 5000 // bytes of a fact, of a note: a path may be in it

	// Between these, above and below zero, a chart's axis can be divided; zero is
	// allowed besides.
	least = 1e-12
	most  = 1e15
)

// Check answers the first thing that is wrong with a report.
func (r *Report) Check() error {
	if n := len(r.Figures); n == 0 || n > MaxFigures {
		return fmt.Errorf("%d figures, allowed are 1 to %d", n, MaxFigures)
	}
	if err := r.checkFacts(); err != nil {
		return err
	}
	if r.Seconds < 0 {
		return fmt.Errorf("seconds: %v", r.Seconds)
	}
	if err := ordered("seconds", r.Seconds); err != nil {
		return err
	}
	for i := range r.Figures {
		if err := r.Figures[i].check(); err != nil {
			return fmt.Errorf("figures[%d]: %w", i, err)
		}
	}
	return nil
}

// checkFacts is about what stands in the page beside the figures.
func (r *Report) checkFacts() error {
	if n := max(len(r.Machine), len(r.Settings), len(r.Stores)); n > MaxFacts {
		return fmt.Errorf("%d facts or stores, allowed are %d", n, MaxFacts)
	}
	if n := len(r.Notes); n > MaxNotes {
		return fmt.Errorf("%d notes, allowed are %d", n, MaxNotes)
	}
	for _, list := range [][]Fact{r.Machine, r.Settings} {
		for _, f := range list {
			if err := printable(f.Name, f.Value, maxFact); err != nil {
				return err
			}
		}
	}
	for i, s := range r.Stores {
		err := cmp.Or(required("name", s.Name), optional("module", s.Module), optional("version", s.Version), printable("settings", s.Settings, maxFact))
		if err != nil {
			return fmt.Errorf("stores[%d]: %w", i, err)
		}
	}
	for i, n := range r.Notes {
		if err := printable("text", n, maxFact); err != nil {
			return fmt.Errorf("notes[%d]: %w", i, err)
		}
	}
	return nil
}

func (f *Figure) check() error {
	err := cmp.Or(required("workload", f.Workload), required("case", f.Case), required("store", f.Store), required("unit", f.Unit),
		optional("against", f.Against), ordered("min, median, max", f.Min, f.Median, f.Max), f.checkTargets())
	switch {
	case err != nil:
		return err
	case f.N < 1:
		return fmt.Errorf("n is %d, it has to be 1 or more", f.N)
	case (f.Against == "") != (f.Ratio == nil):
		return errors.New("against and ratio go together, one of them is missing")
	case f.Ratio == nil:
		return nil
	}
	return cmp.Or(ordered("ratio of the medians", f.Ratio.Medians),
		ordered("ratio's min, paired, max", f.Ratio.Min, f.Ratio.Paired, f.Ratio.Max))
}

func (f *Figure) checkTargets() error {
	if n := len(f.Targets); n > maxTargets {
		return fmt.Errorf("%d targets, allowed are %d", n, maxTargets)
	}
	for i, t := range f.Targets {
		if err := cmp.Or(required("target", t.Text), ordered("got", t.Got)); err != nil {
			return fmt.Errorf("targets[%d]: %w", i, err)
		}
	}
	return nil
}

// required tells of a text that is missing, or optional.
func required(name, text string) error {
	if text == "" {
		return fmt.Errorf("no %s", name)
	}
	return optional(name, text)
}

// optional tells of a text that is too long, or that cannot stand in a chart.
func optional(name, text string) error { return printable(name, text, maxText) }

// printable tells of a text that is too long, or has what nobody sees.
func printable(name, text string, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("%s: longer than %d bytes: %.40q…", name, most, text)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s: not all of it can be printed: %q", name, text)
	}
	return nil
}

// ordered tells of values that are out of bounds or of order.
func ordered(names string, values ...float64) error {
	for i, v := range values {
		if a := math.Abs(v); a != 0 && !(a >= least && a <= most) { // so that NaN is refused as well
			return fmt.Errorf("%s: %v, allowed are 0 and %v to %v, above and below zero", names, v, least, most)
		}
		if i > 0 && v < values[i-1] {
			return fmt.Errorf("%s: %v, they have to ascend", names, values)
		}
	}
	return nil
}
