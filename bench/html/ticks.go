package html

import (
	"math"

	"gonum.org/v1/plot"
)

// ticks divides an axis at the multiples of 1, 2 or 5 times a power of ten, of which
// the labels have room; zero is among them where it is on the axis.
type ticks struct {
	most   int // labels
	format func(float64) string
}

func (t ticks) Ticks(min, max float64) (out []plot.Tick) {
	step := t.step(min, max)
	// What is rounded up to zero from below is -0, and with 0 added 0.
	for n := math.Ceil(min/step) + 0; n <= math.Floor(max/step); n++ {
		out = append(out, plot.Tick{Value: n * step, Label: t.format(n * step)})
	}
	return out
}

// step is the least that has no more multiples on an axis than there may be labels.
func (t ticks) step(min, max float64) float64 {
	for power := math.Pow(10, math.Floor(math.Log10((max-min)/float64(t.most)))); ; power *= 10 {
		for _, times := range []float64{1, 2, 5} {
			step := times * power
			if int(math.Floor(max/step)-math.Ceil(min/step)) < t.most {
				return step
			}
		}
	}
}

// logTicks divides a logarithmic axis at 1, 2 and 5 times the powers of ten, or at
// so few of the powers that the labels have room.
type logTicks struct {
	most   int // labels
	format func(float64) string
}

func (t logTicks) Ticks(min, max float64) (out []plot.Tick) {
	for _, parts := range [][]float64{{1, 2, 5}, {1}} {
		if out = t.at(parts, 1, min, max); len(out) <= t.most {
			break
		}
	}
	for step := 2; len(out) > t.most; step++ {
		out = t.at([]float64{1}, step, min, max)
	}
	return out
}

// at are the ticks at the parts of every step-th power of ten; 1 is among the powers.
func (t logTicks) at(parts []float64, step int, min, max float64) (out []plot.Tick) {
	first := step * int(math.Floor(math.Log10(min)/float64(step)))
	for power := first; float64(power) <= math.Log10(max); power += step {
		for _, part := range parts {
			// Of the decimal number, not of a product: 3 times 0.1 is none.
			v := part * math.Pow10(power)
			if v >= min && v <= max {
				out = append(out, plot.Tick{Value: v, Label: t.format(v)})
			}
		}
	}
	return out
}
