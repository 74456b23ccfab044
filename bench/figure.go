package main

import (
	"fmt"
	"strings"
)

// figure is one measured figure of one store.
type figure struct {
	Workload string `json:"workload"`
	Case     string `json:"case"`
	Store    string `json:"store"`
	Unit     string `json:"unit"`
	summary
	// Ratio is this store's series against that of the store, or of the case,
	// that Against names, in the same rounds.
	Against string      `json:"against,omitempty"`
	Ratio   *comparison `json:"ratio,omitempty"`
	// Targets are what ours has to reach, each with its verdict. Target is their
	// text, Met whether all of them are met.
	Targets []verdict `json:"targets,omitempty"`
	Target  string    `json:"target,omitempty"`
	Met     *bool     `json:"met,omitempty"`
}

// take adds a verdict.
func (f *figure) take(v verdict) {
	met := v.Met
	if f.Met != nil {
		met = met && *f.Met
		f.Target += ", "
	}
	f.Targets, f.Target, f.Met = append(f.Targets, v), f.Target+v.Target, &met
}

func (f *figure) row() string {
	r := "\t\t\t\t\t"
	if f.Ratio != nil {
		r = fmt.Sprintf("%.2f\t%.2f\t%.2f\t%.2f\t%s\t", f.Ratio.Medians, f.Ratio.Paired, f.Ratio.Min, f.Ratio.Max, f.Against)
	}
	var verdicts []string
	for _, v := range f.Targets {
		verdicts = append(verdicts, v.String())
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s%s\t", f.Store, number(f.Median), number(f.Min), number(f.Max), f.N, r, strings.Join(verdicts, "; "))
}
