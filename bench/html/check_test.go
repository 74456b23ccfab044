package html

import (
	"math"
	"strings"
	"testing"
)

func TestWhatCannotBeDrawnIsRefusedWithItsPlace(t *testing.T) {
	for want, change := range map[string]func(r *Report){
		"0 figures, allowed are 1 to 2000":        func(r *Report) { r.Figures = nil },
		"2001 figures":                            func(r *Report) { r.Figures = many(MaxFigures + 1).Figures },
		"101 facts":                               func(r *Report) { r.Machine = make([]Fact, MaxFacts+1) },
		"101 facts or stores":                     func(r *Report) { r.Stores = make([]Store, MaxFacts+1) },
		"2001 notes":                              func(r *Report) { r.Notes = make([]string, MaxNotes+1) },
		"processor: longer than 5000 bytes":       func(r *Report) { r.Machine[0].Value = strings.Repeat("x", maxFact+1) },
		"items: not all of it":                    func(r *Report) { r.Settings[0].Value = "a\x00b" },
		"stores[1]: no name":                      func(r *Report) { r.Stores[1].Name = "" },
		"stores[0]: settings: not all of it":      func(r *Report) { r.Stores[0].Settings = "a\u202eb" },
		"notes[0]: text: longer than 5000 bytes":  func(r *Report) { r.Notes[0] = strings.Repeat("x", maxFact+1) },
		"stores[0]: module: longer than 300":      func(r *Report) { r.Stores[0].Module = strings.Repeat("x", maxText+1) },
		"seconds: NaN":                            func(r *Report) { r.Seconds = math.NaN() },
		"seconds: -1":                             func(r *Report) { r.Seconds = -1 },
		"figures[6]: no store":                    func(r *Report) { r.Figures[6].Store = "" },
		"figures[1]: no unit":                     func(r *Report) { r.Figures[1].Unit = "" },
		"figures[1]: case: longer than 300":       func(r *Report) { r.Figures[1].Case = strings.Repeat("x", maxText+1) },
		`figures[0]: workload: not all of it`:     func(r *Report) { r.Figures[0].Workload = "a\x00b" },
		"figures[2]: n is 0":                      func(r *Report) { r.Figures[2].N = 0 },
		"figures[0]: against and ratio":           func(r *Report) { r.Figures[0].Ratio = nil },
		"figures[1]: 21 targets":                  func(r *Report) { r.Figures[1].Targets = make([]Target, maxTargets+1) },
		"figures[6]: targets[1]: no target":       func(r *Report) { r.Figures[6].Targets[1].Text = "" },
		"figures[6]: targets[0]: got: -Inf":       func(r *Report) { r.Figures[6].Targets[0].Got = math.Inf(-1) },
		"figures[3]: min, median, max: -1e-300":   func(r *Report) { r.Figures[3].Min = -1e-300 },
		"figures[3]: min, median, max: 1e-300":    func(r *Report) { r.Figures[3].Min = 1e-300 },
		"figures[3]: min, median, max: -1e+16":    func(r *Report) { r.Figures[3].Min = -1e16 },
		"figures[3]: min, median, max: +Inf":      func(r *Report) { r.Figures[3].Max = math.Inf(1) },
		"figures[3]: min, median, max: [9 5 1]":   func(r *Report) { f := &r.Figures[3]; f.Min, f.Median, f.Max = 9, 5, 1 },
		"figures[0]: ratio of the medians: 1e+16": func(r *Report) { r.Figures[0].Ratio.Medians = 1e16 },
		"figures[0]: ratio's min, paired, max":    func(r *Report) { r.Figures[0].Ratio.Paired = 0 },
	} {
		r := sample()
		change(r)
		b, err := Page(r)
		if err == nil || b != nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %q", err, want)
		}
	}
}

func TestAsManyFiguresAsAreAllowedAreDrawn(t *testing.T) {
	page := made(t, many(MaxFigures))
	if n := strings.Count(page, `<th scope="row">ours</th>`); n != MaxFigures {
		t.Errorf("%d rows, want %d", n, MaxFigures)
	}
	if most := MaxFigures * 20 << 10; len(page) > most {
		t.Errorf("%d bytes, at most %d may be", len(page), most)
	}
}
