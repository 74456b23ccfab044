package main

import "slices"

// summary is what is left of a series of measurements.
type summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	N      int     `json:"n"`
}

// summarise answers the summary of a series; of an empty one it is zero.
func summarise(values []float64) summary {
	if len(values) == 0 {
		return summary{}
	}
	s := slices.Sorted(slices.Values(values))
	return summary{Median: medianOf(s), Min: s[0], Max: s[len(s)-1], N: len(s)}
}

// medianOf is the middle of a sorted series, or the mean of the middle two.
func medianOf(sorted []float64) float64 {
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// comparison holds one series against another that was measured in the same
// rounds.
type comparison struct {
	// Medians is the ratio of the two medians.
	Medians float64 `json:"medians"`
	// Paired is the median of the rounds' own ratios, Min and Max the least and
	// the greatest of them. Where a machine has fast and slow minutes Paired
	// moves less: both sides of a round have had the same minute.
	Paired float64 `json:"paired"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// compare holds a against b. ok is false when a value of b is not above zero: nothing
// is that many times zero.
func compare(a, b []float64) (c comparison, ok bool) {
	n := min(len(a), len(b))
	if n == 0 || slices.Min(b) <= 0 {
		return comparison{}, false
	}
	rounds := make([]float64, n)
	for i := range rounds {
		rounds[i] = a[i] / b[i]
	}
	r := summarise(rounds)
	return comparison{summarise(a).Median / summarise(b).Median, r.Median, r.Min, r.Max}, true
}
