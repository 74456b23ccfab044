package html

// Report is a run, as a page shows it.
type Report struct {
	Machine  []Fact
	Settings []Fact
	Figures  []Figure
	Seconds  float64 // that the run has taken

	// Format rounds a value for reading.
	Format func(float64) string
}

// Fact is something that was so during a run.
type Fact struct{ Name, Value string }

// Figure is one measured figure of one store.
type Figure struct {
	Workload, Case, Store, Unit string

	Median, Min, Max float64
	N                int // values that they are of

	// Ratio is to what Against names; nil where Against is empty.
	Against string
	Ratio   *Ratio

	// Target is what the figure has to reach, Met whether it does; nil where
	// Target is empty.
	Target string
	Met    *bool
}

// Ratio holds a series against another of the same rounds: the ratio of the
// medians, and of the rounds' own ratios the median, the least and the greatest.
type Ratio struct{ Medians, Paired, Min, Max float64 }
