package crash

import "fmt"

// Verdict is what is wrong.
type Verdict string

const (
	Lost       Verdict = "lost"
	Returned   Verdict = "returned"
	Altered    Verdict = "altered"
	Invented   Verdict = "invented"
	Half       Verdict = "half done"
	Residue    Verdict = "residue"
	Damaged    Verdict = "damaged"       // the store's own check says so
	Miscounted Verdict = "wrong account" // what the store says of a delete
	Failed     Verdict = "failed"        // a call answered an error
	Died       Verdict = "died"          // the process ended by itself
	Hung       Verdict = "hung"          // an order was not carried out in time
)

// verdicts in the order in which they are printed.
var verdicts = []Verdict{Lost, Returned, Altered, Invented, Half, Residue, Damaged, Miscounted, Failed, Died, Hung}

// Finding is one thing that is wrong.
type Finding struct {
	Kill    int     `json:"kill"`            // after which kill it was seen
	Phase   string  `json:"phase,omitempty"` // that this kill has hit
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`
	// Breaks: the store promises otherwise.
	Breaks bool `json:"breaks"`
}

func (f Finding) String() string {
	return fmt.Sprintf("kill %d (%s): %s: %s", f.Kill, f.Phase, f.Verdict, f.Text)
}

// judge holds an item that is there against the version that has to be: none,
// if it is the zero one. from is a moment before it was read. The empty verdict
// is a good one.
func judge(id string, want, have version, canonical string, from int64) (Verdict, string) {
	genuine := makeItem(id, have)
	switch {
	case canonical != canon(&genuine):
		return Altered, fmt.Sprintf("%s is not what was put in as %s", id, have)
	case want.V == 0:
		return Returned, fmt.Sprintf("%s is there as %s, and was deleted", id, have)
	case have != want:
		return Lost, fmt.Sprintf("%s is there as %s, and has to be %s", id, have, want)
	case want.gone(from):
		return Returned, fmt.Sprintf("%s is there as %s, and has expired", id, have)
	}
	return "", ""
}

func (v version) String() string {
	s := fmt.Sprintf("version %x", v.V)
	if v.Expires != 0 {
		s += fmt.Sprintf(" until %d", v.Expires)
	}
	return s
}
