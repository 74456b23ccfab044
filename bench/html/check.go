package html

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Bounds of a report.
const (
	MaxFigures = 2000
	maxFacts   = 100
	maxText    = 300 // bytes of a name, a unit, a value of a fact

	// Between these a chart's axis can be divided; zero is allowed besides.
	least = 1e-12
	most  = 1e15
)

// Check answers the first thing that is wrong with a report.
func (r *Report) Check() error {
	if n := len(r.Figures); n == 0 || n > MaxFigures {
		return fmt.Errorf("%d figures, allowed are 1 to %d", n, MaxFigures)
	}
	if n := max(len(r.Machine), len(r.Settings)); n > maxFacts {
		return fmt.Errorf("%d facts, allowed are %d", n, maxFacts)
	}
	for _, list := range [][]Fact{r.Machine, r.Settings} {
		for _, f := range list {
			if len(f.Name) > maxText || len(f.Value) > maxText {
				return fmt.Errorf("%.40q: longer than %d bytes", f.Name, maxText)
			}
		}
	}
	if err := ordered("seconds", 0, r.Seconds); err != nil {
		return err
	}
	for i := range r.Figures {
		if err := r.Figures[i].check(); err != nil {
			return fmt.Errorf("figures[%d]: %w", i, err)
		}
	}
	return nil
}

func (f *Figure) check() error {
	for _, t := range []struct {
		name, text string
		optional   bool
	}{
		{"workload", f.Workload, false}, {"case", f.Case, false}, {"store", f.Store, false}, {"unit", f.Unit, false},
		{"against", f.Against, true}, {"target", f.Target, true},
	} {
		if err := readable(t.name, t.text, t.optional); err != nil {
			return err
		}
	}
	switch {
	case f.N < 1:
		return fmt.Errorf("n is %d, it has to be 1 or more", f.N)
	case (f.Against == "") != (f.Ratio == nil):
		return errors.New("against and ratio go together, one of them is missing")
	case (f.Target == "") != (f.Met == nil):
		return errors.New("target and met go together, one of them is missing")
	}
	if err := ordered("min, median, max", f.Min, f.Median, f.Max); err != nil || f.Ratio == nil {
		return err
	}
	if err := ordered("ratio of the medians", f.Ratio.Medians); err != nil {
		return err
	}
	return ordered("ratio's min, paired, max", f.Ratio.Min, f.Ratio.Paired, f.Ratio.Max)
}

// readable tells of a text that cannot stand in a chart.
func readable(name, text string, optional bool) error {
	switch {
	case text == "" && !optional:
		return fmt.Errorf("no %s", name)
	case len(text) > maxText:
		return fmt.Errorf("%s: longer than %d bytes: %.40q…", name, maxText, text)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%s: not all of it can be printed: %q", name, text)
	}
	return nil
}

// ordered tells of values that are out of bounds or of order.
func ordered(names string, values ...float64) error {
	last := 0.0
	for _, v := range values {
		if v != 0 && !(v >= least && v <= most) { // so that NaN is refused as well
			return fmt.Errorf("%s: %v, allowed are 0 and %v to %v", names, v, least, most)
		}
		if v < last {
			return fmt.Errorf("%s: %v, they have to ascend", names, values)
		}
		last = v
	}
	return nil
}
