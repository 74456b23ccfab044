package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"oubliette/bench/store"
)

// Report is what a run has come to.
type Report struct {
	Store    string         `json:"store"`
	Promises store.Promises `json:"promises"`
	Seed     uint64         `json:"seed"`
	Seconds  float64        `json:"seconds"`
	Kills    int            `json:"kills"`
	Folders  int            `json:"folders"`
	Phases   map[string]int `json:"phases"` // kills by what they have hit

	Acknowledged map[op]int `json:"acknowledged"` // calls
	Read         int        `json:"read"`         // items that gets and scans have compared while the store was in use
	InFlight     InFlight   `json:"in_flight"`
	Compared     int        `json:"compared"` // items, after a kill
	Peeks        int        `json:"peeks"`    // times that a reader has looked before a writer
	Receipts     int        `json:"receipts"` // deletes asked about

	Searches int             `json:"searches"`
	Files    int             `json:"files"` // searched, from the first byte to the last
	Bytes    int64           `json:"bytes"`
	Residue  ResidueFigures  `json:"residue"`
	Wrong    map[Verdict]int `json:"wrong"`
	Findings []Finding       `json:"findings,omitempty"` // the first of each verdict
	Kept     []string        `json:"kept,omitempty"`     // folders

	broken int // folders
}

// InFlight are the calls that a kill has hit, by what the store made of them.
type InFlight struct {
	Done    int `json:"done"`
	Undone  int `json:"undone"`
	Unclear int `json:"unclear"` // the items would be gone either way
	Half    int `json:"half"`
}

// ResidueFigures are what searches have found after an erasure.
type ResidueFigures struct {
	Pieces   int            `json:"pieces"`   // searched for, all folders together
	Found    int            `json:"found"`    // of them, once or more
	Searches int            `json:"searches"` // that have found any
	Files    map[string]int `json:"files"`    // by kind: how often one had some
}

func newReport(kind store.Kind, o *Options) *Report {
	return &Report{Store: kind.Name, Promises: kind.Promises, Seed: o.Seed, Phases: make(map[string]int),
		Acknowledged: make(map[op]int), Wrong: make(map[Verdict]int), Residue: ResidueFigures{Files: make(map[string]int)}}
}

// keptFindings is how many of a verdict are kept in words.
const keptFindings = 8

func (r *Report) find(f Finding) {
	if r.Wrong[f.Verdict]++; r.Wrong[f.Verdict] <= keptFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Broken answers whether the store has broken what it promises.
func (r *Report) Broken() bool { return r.broken > 0 }

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) {
		fmt.Fprintf(tw, "  %s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(tw, "%s: %s kills in %d folders, %.0f s, seed %d\n", r.Store, number(r.Kills), r.Folders, r.Seconds, r.Seed)
	line("killed while", "%s", counts(r.Phases))
	line("acknowledged", "%s", counts(r.Acknowledged))
	f := r.InFlight
	line("in flight", "%s calls: %s done, %s not done, %s that cannot be told, %s half done", number(f.Done+f.Undone+f.Unclear+f.Half),
		number(f.Done), number(f.Undone), number(f.Unclear), number(f.Half))
	line("compared", "%s items after kills, %s while in use; %s deletes asked about; %s looks by a reader first",
		number(r.Compared), number(r.Read), number(r.Receipts), number(r.Peeks))
	line("searched", "%s bytes of %s files, %s times, for %s pieces of what was deleted, replaced or had expired",
		number(int(r.Bytes)), number(r.Files), number(r.Searches), number(r.Residue.Pieces))
	if r.Residue.Found > 0 {
		line("residue", "%s pieces, in %s of %s searches; searches with some, by file: %s", number(r.Residue.Found), number(r.Residue.Searches), number(r.Searches), counts(r.Residue.Files))
	} else {
		line("residue", "none")
	}
	var wrong []string
	for _, v := range verdicts {
		if v != Residue {
			wrong = append(wrong, fmt.Sprintf("%s %s", v, number(r.Wrong[v])))
		}
	}
	line("wrong", "%s", strings.Join(wrong, ", "))
	line("it promises", "%s; about erasing: %s", map[bool]string{true: "all of a call or none", false: "each item of a call for itself"}[r.Promises.Atomic], r.Promises.Text)
	line("verdict", "%s", r.verdict())
	if err := tw.Flush(); err != nil {
		return err
	}
	return r.details(w)
}

func (r *Report) verdict() string {
	switch {
	case r.Broken():
		return "BREAKS what it promises"
	case r.Kills == 0:
		return "none: nothing was killed"
	case r.Residue.Found > 0:
		return "keeps what it promises, which is not that nothing is left: see residue"
	}
	return "keeps what it promises"
}

// details are the findings that break a promise, one by one, and where to look.
func (r *Report) details(w io.Writer) error {
	for _, f := range r.Findings {
		if f.Breaks {
			fmt.Fprintf(w, "  %v\n", f)
		}
	}
	for _, v := range verdicts {
		if n := r.Wrong[v] - keptFindings; n > 0 && (v != Residue || r.Promises.Erases) {
			fmt.Fprintf(w, "  and %s more: %s\n", number(n), v)
		}
	}
	for _, k := range r.Kept {
		if _, err := fmt.Fprintf(w, "  kept: %s\n", k); err != nil {
			return err
		}
	}
	return nil
}

// JSON writes reports for machines.
func JSON(w io.Writer, reports []*Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(reports)
}

// counts prints a map, the most first.
func counts[K ~string](m map[K]int) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(string(a), string(b))
	})
	var out []string
	for _, k := range keys {
		out = append(out, fmt.Sprintf("%s %s", k, number(m[k])))
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// number prints thousands apart.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
