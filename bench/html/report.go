package html

// Report is a run, as a page shows it.
type Report struct {
	Machine  []Fact
	Settings []Fact
	Stores   []Store
	Figures  []Figure
	Notes    []string // what is not as it was asked for
	Seconds  float64  // that the run has taken

	// Format rounds a value for reading.
	Format func(float64) string
}

// Fact is something that was so during a run.
type Fact struct{ Name, Value string }

// Store is one that took part: which version of it, and how it was set up.
type Store struct {
	Name, Module, Version, Settings string

	Counted bool // its writes and syncs
}

// Figure is one measured figure of one store.
type Figure struct {
	Workload, Case, Store, Unit string

	Median, Min, Max float64
	N                int // values that they are of

	// Ratio is to what Against names; nil where Against is empty.
	Against string
	Ratio   *Ratio

	Targets []Target
}

// Ratio holds a series against another of the same rounds: the ratio of the
// medians, and of the rounds' own ratios the median, the least and the greatest.
type Ratio struct{ Medians, Paired, Min, Max float64 }

// Target is what a figure has to reach, and whether it does.
type Target struct {
	Text string
	Got  float64 // the figure, or how it stands to what the text names
	Met  bool
}
