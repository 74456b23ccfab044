package html

import (
	"fmt"
	"strconv"
)

// sample is a report with every kind of figure: bars and lines, with and without
// ratio and target, zero and large.
func sample() *Report {
	r := &Report{
		Machine:  []Fact{{"processor", "Abacus & Sons"}, {"Pebble", "v2.1.7"}},
		Settings: []Fact{{"items", "2,000"}},
		Stores:   []Store{{"ours", "example.org/ours", "v1", "defaults", true}, {"theirs", "example.org/theirs", "v2", "<none>", false}},
		Notes:    []string{"delete: theirs & others cut off"},
		Seconds:  12.5,
		Format:   func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) },
	}
	add := func(name, unit, store string, median float64, f Figure) {
		f.Workload, f.Case, f.Store, f.Unit = "delete", name, store, unit
		f.Median, f.Min, f.Max, f.N = median, f.Min+median*0.75, median*1.5, len(r.Figures)+1
		r.Figures = append(r.Figures, f)
	}
	for i, size := range []string{"10", "1,000", "100,000"} {
		v := float64(i+1) * 1234.5678
		add(size+" ids a call", "ids/s", "ours", v, Figure{Against: "theirs", Ratio: &Ratio{1.125, 1.0625, 0.5, 2.25}})
		add(size+" ids a call", "ids/s", "theirs", v+17, Figure{})
	}
	add("single", "deletes/s", "ours", 98765.4321, Figure{Targets: []Target{{">= 1e5", 98765.4321, false}, {">= 2x theirs", 2.5, true}}})
	add("single", "deletes/s", "theirs", 43210.9876, Figure{})
	add("growth", "bytes", "ours", 16, Figure{Min: -20})
	add("residue", "pieces", "ours", 0, Figure{Targets: []Target{{"<= 0", 0, true}}})
	return r
}

// named is a report with one case for each name, of one workload and unit.
func named(names ...string) *Report {
	r := sample()
	r.Figures, r.Stores = nil, nil
	for i, name := range names {
		for _, store := range []string{"ours", "theirs"} {
			r.Figures = append(r.Figures, Figure{Workload: "w", Case: name, Store: store, Unit: "u", Median: float64(i + 2), Min: 1, Max: 9, N: 1})
		}
	}
	return r
}

// many is a report of so many figures.
func many(n int) *Report {
	r := named()
	for i := range n {
		r.Figures = append(r.Figures, Figure{Workload: "w", Case: fmt.Sprintf("%d, %d", i/2, i%2), Store: "ours", Unit: "u", Median: 1, Min: 1, Max: 1, N: 1})
	}
	return r
}
