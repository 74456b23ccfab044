package main

import (
	"strconv"
	"strings"

	"oubliette/bench/html"
)

// html writes the figures as a page into a file; without a file it does nothing.
func (s *sheet) html(f *wholeFile) error {
	if f == nil {
		return nil
	}
	b, err := html.Page(s.report())
	if err != nil {
		return err
	}
	return f.write(b)
}

// report is what a page shows of a sheet. The settings' folder is not in it: it is
// gone when somebody reads the page.
func (s *sheet) report() *html.Report {
	r := &html.Report{Machine: s.Machine.facts(), Settings: s.settings(), Seconds: s.Seconds, Format: number}
	for i := range s.Figures {
		r.Figures = append(r.Figures, s.Figures[i].shown())
	}
	return r
}

// facts are what is known of the machine, and the versions of what ran on it.
func (m machine) facts() []html.Fact {
	return []html.Fact{
		{Name: "time", Value: m.Time},
		{Name: "system", Value: m.OS},
		{Name: "processor", Value: m.CPU},
		{Name: "cores", Value: strconv.Itoa(m.Cores)},
		{Name: "memory", Value: m.Memory},
		{Name: "file system", Value: m.FS},
		{Name: "synced append of 4 KiB", Value: m.Sync},
		{Name: "load", Value: m.Load},
		{Name: "Go", Value: m.Go},
		{Name: "Pebble", Value: m.Pebble},
	}
}

func (s *sheet) settings() []html.Fact {
	return []html.Fact{
		{Name: "stores", Value: strings.Join(s.stores(), ", ")},
		{Name: "items", Value: number(float64(s.Settings.Items))},
		{Name: "rounds", Value: strconv.Itoa(s.Settings.Rounds)},
	}
}

// stores are those that have figures, in the order of the first.
func (s *sheet) stores() (out []string) {
	there := make(map[string]bool)
	for _, f := range s.Figures {
		if !there[f.Store] {
			there[f.Store] = true
			out = append(out, f.Store)
		}
	}
	return out
}

func (f *figure) shown() html.Figure {
	out := html.Figure{
		Workload: f.Workload, Case: f.Case, Store: f.Store, Unit: f.Unit,
		Median: f.Median, Min: f.Min, Max: f.Max, N: f.N,
		Against: f.Against, Target: f.Target, Met: f.Met,
	}
	if f.Ratio != nil {
		out.Ratio = &html.Ratio{Medians: f.Ratio.Medians, Paired: f.Ratio.Paired, Min: f.Ratio.Min, Max: f.Ratio.Max}
	}
	return out
}
