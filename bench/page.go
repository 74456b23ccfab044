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
	r := &html.Report{Machine: s.Machine.facts(), Settings: s.Settings.facts(), Notes: s.Notes, Seconds: s.Seconds, Format: number}
	for _, p := range s.Stores {
		r.Stores = append(r.Stores, html.Store(p))
	}
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

// facts are what a run was told.
func (s *settings) facts() []html.Fact {
	out := []html.Fact{
		{Name: "stores", Value: strings.Join(s.Stores, ", ")},
		{Name: "items", Value: "up to " + count(s.Items)},
		{Name: "items in open", Value: "up to " + count(s.Pending)},
		{Name: "items in grow", Value: "up to " + count(s.Grow)},
		{Name: "rounds", Value: count(s.Rounds)},
		{Name: "limit of a store in one measurement", Value: s.Limit.String()},
	}
	for _, f := range s.realFiles() {
		if f.path != "" {
			out = append(out, html.Fact{Name: "real items", Value: f.what + " " + f.path})
		}
	}
	return out
}

func (f *figure) shown() html.Figure {
	out := html.Figure{
		Workload: f.Workload, Case: f.Case, Store: f.Store, Unit: f.Unit,
		Median: f.Median, Min: f.Min, Max: f.Max, N: f.N,
		Against: f.Against,
	}
	if f.Ratio != nil {
		out.Ratio = &html.Ratio{Medians: f.Ratio.Medians, Paired: f.Ratio.Paired, Min: f.Ratio.Min, Max: f.Ratio.Max}
	}
	for _, v := range f.Targets {
		out.Targets = append(out.Targets, html.Target{Text: v.Target, Got: v.Got, Met: v.Met})
	}
	return out
}
