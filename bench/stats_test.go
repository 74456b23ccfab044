package main

import (
	"slices"
	"testing"
)

func TestSummaryIsMedianLeastAndGreatest(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want summary
	}{
		{nil, summary{}},
		{[]float64{7}, summary{7, 7, 7, 1}},
		{[]float64{9, 1, 4}, summary{4, 1, 9, 3}},
		{[]float64{8, 2, 100, 4}, summary{6, 2, 100, 4}},
	} {
		in := slices.Clone(c.in)
		if got := summarise(in); got != c.want {
			t.Errorf("summarise(%v) = %v, want %v", c.in, got, c.want)
		}
		if !slices.Equal(in, c.in) {
			t.Errorf("summarise changed its argument to %v", in)
		}
	}
}

func TestComparisonIsOfMediansAndOfRounds(t *testing.T) {
	got, ok := compare([]float64{10, 30, 20}, []float64{10, 10, 40})
	if want := (comparison{Medians: 2, Paired: 1, Min: 0.5, Max: 3}); !ok || got != want {
		t.Errorf("compare = %v, %v, want %v", got, ok, want)
	}
}

func TestNothingIsComparedWithZero(t *testing.T) {
	for _, b := range [][]float64{nil, {0}, {1, 0}, {1, -2}} {
		if c, ok := compare([]float64{1, 2}, b); ok {
			t.Errorf("compared with %v: %v", b, c)
		}
	}
}
