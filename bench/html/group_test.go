package html

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCasesThatDifferInANumberAreOneChart(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"a|b|c", "a|b|c"},
		{"10 ids|1,000 ids|100 ids", "… ids [10 100 1000]"},
		{"10 ids|100 ids", "10 ids|100 ids"}, // two do not make a line
		{"10 ids|100 items|1,000 ids", "10 ids|100 items|1,000 ids"},
		{"10 ids|alone|100 ids|1,000 ids", "… ids [10 100 1000]|alone"},
		{"1 of 10|2 of 20|3 of 30", "1 of 10|2 of 20|3 of 30"}, // two numbers differ
		{"4 by 1|4 by 2|4 by 3|7 by 1", "4 by … [1 2 3]|7 by 1"},
		{"1 x 5|2 x 5|3 x 5|3 x 6|3 x 7", "… x 5 [1 2 3]|3 x 6|3 x 7"},
		{"0.5 MiB|1 MiB|1.5 MiB", "… MiB [0.5 1 1.5]"},
		{"99999999999999999 ids|1 ids|2 ids", "99999999999999999 ids|1 ids|2 ids"}, // beyond an axis
	} {
		var got []string
		for _, f := range families(groups(named(strings.Split(c.names, "|")...).Figures)) {
			if f.sizes != nil {
				f.name += fmt.Sprint(" ", f.sizes)
			}
			got = append(got, f.name)
		}
		if !slices.Equal(got, strings.Split(c.want, "|")) {
			t.Errorf("%s: charts %q, want %s", c.names, got, c.want)
		}
	}
}

func TestUnitsAndWorkloadsAreNotMixed(t *testing.T) {
	r := named("1 ids", "2 ids", "3 ids", "4 ids")
	if n := len(families(groups(r.Figures))); n != 1 {
		t.Errorf("%d charts of one unit and one workload, want 1", n)
	}
	r.Figures[2].Unit, r.Figures[3].Unit = "other", "other"
	r.Figures[4].Workload, r.Figures[5].Workload = "other", "other"
	if n := len(families(groups(r.Figures))); n != 4 {
		t.Errorf("%d charts, want 4", n)
	}
}

func TestEveryFigureIsInOneChart(t *testing.T) {
	r := named("1 x 5", "2 x 5", "3 x 5", "3 x 6", "3 x 7", "a", "2 x 6", "2 x 7")
	r.Figures = append(r.Figures, r.Figures[0]) // a case that comes again later
	n := 0
	for _, f := range families(groups(r.Figures)) {
		for _, g := range f.groups {
			n += len(g.figures)
		}
	}
	if n != len(r.Figures) {
		t.Errorf("%d figures in charts, want %d", n, len(r.Figures))
	}
}
