package html

import (
	"slices"
	"strings"
	"testing"
)

// compared is a figure with a ratio.
func compared(name, store, against string, medians, lo, hi float64) Figure {
	return Figure{Workload: "w", Case: name, Store: store, Unit: "u", Median: 1, Min: 1, Max: 1, N: 1,
		Against: against, Ratio: &Ratio{Medians: medians, Paired: medians, Min: lo, Max: hi}}
}

func TestRatiosToTheSameAreOneChart(t *testing.T) {
	var got []string
	for _, o := range comparisons(groups([]Figure{
		compared("a", "ours", "theirs", 2, 1, 3), compared("a", "third", "theirs", 2, 1, 3),
		compared("b", "ours", "before", 2, 1, 3), compared("c", "ours", "theirs", 2, 1, 3),
		{Workload: "w", Case: "c", Store: "theirs", Unit: "u"},
	})) {
		for _, g := range o.groups {
			for _, f := range g.figures {
				got = append(got, o.against+": "+g.name+" "+f.Store)
			}
		}
	}
	want := []string{"theirs: a ours", "theirs: a third", "theirs: c ours", "before: b ours"}
	if !slices.Equal(got, want) {
		t.Errorf("ratios %q, want %q", got, want)
	}
}

func TestOneIsAlwaysOnTheAxisOfRatios(t *testing.T) {
	for _, c := range []struct{ medians, lo, hi, from, to float64 }{
		{1, 0.9, 1.1, 0.5, 2},
		{30, 20, 40, 0.5, 40},
		{0.01, 0.001, 0.02, 0.001, 2},
		{3, -1, 5, 0.5, 5}, // what is below zero has no place
	} {
		lo, hi := span([]*group{{figures: []Figure{compared("a", "ours", "theirs", c.medians, c.lo, c.hi)}}})
		if lo > c.from || lo < c.from/1.2 || hi < c.to || hi > c.to*1.2 {
			t.Errorf("%v: axis from %v to %v", c, lo, hi)
		}
	}
}

func TestRatiosOfZeroAreInTheTableOnly(t *testing.T) {
	r := named()
	r.Figures = []Figure{compared("a", "none", "theirs", 0, 0, 0), compared("b", "less", "theirs", -2, -3, 4)}
	page := made(t, r)
	if strings.Contains(strings.Join(texts(t, page), "\n"), "ratio to theirs") {
		t.Error("a chart without a ratio above zero is drawn")
	}
	for _, want := range []string{"Ratios to theirs</caption>", exactly(-2), exactly(-3)} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in the page", want)
		}
	}
	r.Figures = append(r.Figures, compared("a", "some", "theirs", 2, -1, 4))
	first := element.FindString(made(t, r))
	all := strings.Join(texts(t, first), "\n")
	if !strings.Contains(all, "ratio to theirs") || !strings.Contains(all, "a, u") || strings.Contains(all, "b, u") {
		t.Errorf("the chart says %q, want only case a compared", all)
	}
}
