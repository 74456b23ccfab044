package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"oubliette/bench/store"
)

// twoStores are entrants with nothing but names.
func twoStores() entrants {
	return entrants{{Kind: store.Kind{Name: ours}}, {Kind: store.Kind{Name: theirs}}}
}

func TestSheetHoldsOursAgainstTheirs(t *testing.T) {
	var s sheet
	s.add(twoStores(), table{
		workload: "delete", name: "single", unit: "deletes/s",
		values:  series{ours: {900, 1100, 1000}, theirs: {2000, 1000, 1250}},
		targets: []target{{want: 0.8, against: "pebble"}},
	})
	if len(s.Figures) != 2 || s.Figures[0].Ratio == nil || s.Figures[1].Ratio != nil {
		t.Fatalf("figures %+v", s.Figures)
	}
	f := s.Figures[0]
	if f.Ratio.Medians != 0.8 || f.Ratio.Paired != 0.8 || f.Ratio.Min != 0.45 || f.Ratio.Max != 1.1 || f.Met == nil || !*f.Met {
		t.Errorf("ratio %+v, met %v", f.Ratio, f.Met)
	}
	s.note("delete: somebody cut off")
	var b bytes.Buffer
	if err := s.print(&b); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(` +`).ReplaceAllString(b.String(), " ")
	for _, want := range []string{
		"\ndelete: single, deletes/s\n",
		" oubliette 1,000 900 1,100 3 0.80 0.80 0.45 1.10 pebble target >= 0.8x pebble: 0.8, met",
		" pebble 1,250 1,000 2,000 3 ", "delete: somebody cut off\n", "\ntargets\n met >= 0.8x pebble 0.8 delete: single, deletes/s\n", "1 of 1 targets met",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestOneFigureHasTargetsAgainstSeveralStores(t *testing.T) {
	var s sheet
	es := append(twoStores(), &entrant{Kind: store.Kind{Name: "slow"}})
	s.add(es, table{
		values:  series{ours: {10}, theirs: {40}, "slow": {25}},
		targets: []target{{want: 4, faster: true, against: theirs}, {want: 3, faster: true, against: "slow"}, {want: 9, atMost: true}},
	})
	f := s.Figures[0]
	var got []string
	for _, v := range f.Targets {
		got = append(got, v.String())
	}
	want := []string{
		"target >= 4x faster than pebble: 4, met",
		"target >= 3x faster than slow: 2.5, MISSED",
		"target <= 9: 10, MISSED",
	}
	if !slices.Equal(got, want) || *f.Met || f.Target != ">= 4x faster than pebble, >= 3x faster than slow, <= 9" {
		t.Errorf("%q, met %v, as one %q", got, *f.Met, f.Target)
	}
	if met, all := s.tally(); met != 1 || all != 3 {
		t.Errorf("%d of %d targets met, want 1 of 3", met, all)
	}
}

func TestTargetsAreJudgedOnTheirSide(t *testing.T) {
	for _, c := range []struct {
		t      target
		median float64
		met    bool
	}{
		{target{want: 1e6}, 999_999, false},
		{target{want: 1e6}, 1e6, true},
		{target{want: 1.2, atMost: true}, 1.2, true},
		{target{want: 1.2, atMost: true}, 1.21, false},
	} {
		if v, ok := c.t.judge([]float64{c.median}, nil); !ok || v.Met != c.met || v.Got != c.median {
			t.Errorf("%v of target %v: %+v, %v", c.median, c.t, v, ok)
		}
	}
}

func TestTargetAgainstAStoreNeedsIt(t *testing.T) {
	if v, ok := (target{want: 1, against: "pebble"}).judge([]float64{5}, nil); ok {
		t.Errorf("judged without a peer: %+v", v)
	}
}

func TestTargetAgainstTheTablesOwnBase(t *testing.T) {
	var s sheet
	s.add(twoStores(), table{
		values: series{ours: {11}, theirs: {30}}, base: series{ours: {10}, theirs: {10}}, baseName: "before",
		targets: []target{{want: 1.2, atMost: true, against: "before"}, {want: 0.5, atMost: true, against: theirs}},
	})
	if f := s.Figures[0]; len(f.Targets) != 2 || f.Targets[0].Got != 1.1 || !*f.Met || f.Ratio.Medians != 1.1 {
		t.Errorf("ours %+v", f)
	}
	if f := s.Figures[1]; f.Against != "before" || f.Ratio.Medians != 3 || f.Met != nil {
		t.Errorf("theirs %+v", f)
	}
}

func TestNumbersHaveCommas(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.03125: "0.0312", 7.25: "7.25", 99.94: "99.9", 100: "100", 1234.4: "1,234", 1e6: "1,000,000", -12345: "-12,345", -123: "-123",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}
