package main

import (
	"bytes"
	"regexp"
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
		values: series{ours: {900, 1100, 1000}, theirs: {2000, 1000, 1250}},
		target: &target{want: 0.8, ratio: true, subject: " pebble"},
	})
	if len(s.Figures) != 2 || s.Figures[0].Ratio == nil || s.Figures[1].Ratio != nil {
		t.Fatalf("figures %+v", s.Figures)
	}
	f := s.Figures[0]
	if f.Ratio.Medians != 0.8 || f.Ratio.Paired != 0.8 || f.Ratio.Min != 0.45 || f.Ratio.Max != 1.1 || f.Met == nil || !*f.Met {
		t.Errorf("ratio %+v, met %v", f.Ratio, f.Met)
	}
	var b bytes.Buffer
	if err := s.print(&b); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(` +`).ReplaceAllString(b.String(), " ")
	for _, want := range []string{
		"\ndelete: single, deletes/s\n",
		" oubliette 1,000 900 1,100 3 0.80 0.80 0.45 1.10 pebble target >= 0.8x pebble met",
		" pebble 1,250 1,000 2,000 3 ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
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
		f := figure{summary: summary{Median: c.median}}
		if c.t.judge(&f); f.Met == nil || *f.Met != c.met {
			t.Errorf("%v of target %v: met %v", c.median, &c.t, f.Met)
		}
	}
}

func TestTargetOfARatioNeedsAPeer(t *testing.T) {
	f := figure{summary: summary{Median: 5}}
	if (&target{want: 1, ratio: true}).judge(&f); f.Met != nil || f.Target != "" {
		t.Errorf("judged without a peer: %+v", f)
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
