package html

import (
	"fmt"
	"testing"

	"gonum.org/v1/plot"
)

// wantTicks tests where an axis is divided, and that each value is its label.
func wantTicks(t *testing.T, of plot.Ticker, lo, hi float64, want string) {
	t.Helper()
	var got []float64
	for _, tick := range of.Ticks(lo, hi) {
		got = append(got, tick.Value)
		if tick.Label != fmt.Sprint(tick.Value) {
			t.Errorf("%v is labelled %s", tick.Value, tick.Label)
		}
	}
	if fmt.Sprint(got) != want {
		t.Errorf("%v to %v: ticks at %v, want %s", lo, hi, got, want)
	}
}

func plainly(v float64) string { return fmt.Sprint(v) }

func TestAxesAreDividedSoThatLabelsHaveRoom(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 1, "[0 0.5 1]"},
		{0, 8, "[0 2 4 6 8]"},
		{0, 8.1, "[0 2 4 6 8]"},
		{0, 39, "[0 10 20 30]"},
		{-0.2, 8, "[0 2 4 6 8]"},
		{-16, 8, "[-15 -10 -5 0 5]"},
		{-3, 0, "[-3 -2 -1 0]"},
		{0, 1e-12, "[0 5e-13 1e-12]"},
		{-1e15, 1e15, "[-1e+15 -5e+14 0 5e+14 1e+15]"},
	} {
		wantTicks(t, ticks{5, plainly}, c.lo, c.hi, c.want)
	}
}

func TestLogarithmicAxesAreDividedSoThatLabelsHaveRoom(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0.45, 2.2, "[0.5 1 2]"},
		{0.02, 2.2, "[0.02 0.05 0.1 0.2 0.5 1 2]"},
		{0.009, 2.2, "[0.01 0.1 1]"},
		{1e-12, 1e15, "[1e-12 1e-08 0.0001 1 10000 1e+08 1e+12]"},
		{0.6, 0.9, "[]"},
	} {
		wantTicks(t, logTicks{7, plainly}, c.lo, c.hi, c.want)
	}
}
