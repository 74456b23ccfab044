package main

import "fmt"

// target is what our figure, or how it stands to another, has to reach.
type target struct {
	want   float64
	atMost bool
	// against names the store whose figure ours is held against, or the table's own
	// base; empty: the figure itself is meant.
	against string
	// faster: the figures are times, and wanted is how many times faster ours is.
	faster bool
}

// verdict is a target and how ours stands to it.
type verdict struct {
	Target  string  `json:"target"`
	Against string  `json:"against,omitempty"`
	Got     float64 `json:"got"`
	Met     bool    `json:"met"`
}

func (t target) String() string {
	sign := ">="
	if t.atMost {
		sign = "<="
	}
	s := sign + " " + number(t.want)
	switch {
	case t.faster:
		return s + "x faster than " + t.against
	case t.against != "":
		return s + "x " + t.against
	}
	return s
}

// judge holds our values against the target. ok is false when those that they are
// to be held against are not there: that store did not take part, or was cut off.
func (t target) judge(values, against []float64) (v verdict, ok bool) {
	got := summarise(values).Median
	if t.against != "" {
		if t.faster {
			values, against = against, values
		}
		c, ok := compare(values, against)
		if !ok {
			return v, false
		}
		got = c.Medians
	}
	met := got >= t.want
	if t.atMost {
		met = got <= t.want
	}
	return verdict{Target: t.String(), Against: t.against, Got: got, Met: met}, true
}

func (v verdict) String() string {
	return fmt.Sprintf("target %s: %s, %s", v.Target, number(v.Got), v.word())
}

func (v verdict) word() string {
	if v.Met {
		return "met"
	}
	return "MISSED"
}
