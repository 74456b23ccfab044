package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oubliette/bench/peers"
)

// settings are what a run is told.
type settings struct {
	Dir    string        `json:"dir"`
	Items  int           `json:"items"`
	Rounds int           `json:"rounds"`
	Stores []string      `json:"stores"`
	Limit  time.Duration `json:"limit_ns"` // of a store in one measurement
	// Pending is up to how many tombstones wait when a store is opened, Grow up to
	// how many items it has when its calls are compared with those of a smaller one.
	Pending int `json:"pending"`
	Grow    int `json:"grow"`
	// Real items are read from one of these; all empty: they are made.
	MNIST string `json:"mnist,omitempty"`
	FVecs string `json:"fvecs,omitempty"`
	JSONL string `json:"jsonl,omitempty"`

	real *realStock // nil: items are made
}

// Bounds of settings.
const (
	minItems  = 100
	maxItems  = 1_000_000 // ids that a delete takes in one call
	maxRounds = 1000
	minGrow   = 1000
	minLimit  = time.Millisecond
)

// validate reports all that cannot be meant.
func (s *settings) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Items < minItems || s.Items > maxItems {
		bad("--items %d, allowed are %d to %d", s.Items, minItems, maxItems)
	}
	if s.Pending < minItems || s.Pending > maxItems {
		bad("--pending %d, allowed are %d to %d", s.Pending, minItems, maxItems)
	}
	if s.Grow < minGrow || s.Grow > maxItems {
		bad("--grow %d, allowed are %d to %d", s.Grow, minGrow, maxItems)
	}
	if s.Rounds < 1 || s.Rounds > maxRounds {
		bad("--rounds %d, allowed are 1 to %d", s.Rounds, maxRounds)
	}
	if s.Limit < minLimit {
		bad("--limit %v, at least %v", s.Limit, minLimit)
	}
	for i, name := range s.Stores {
		if !slices.Contains(peers.Names(), name) {
			bad("--stores: unknown store %q, there are %s", name, strings.Join(everyStore(), ", "))
		}
		if slices.Contains(s.Stores[:i], name) {
			bad("--stores: %q is named twice", name)
		}
	}
	return errors.Join(append(errs, s.oneSource())...)
}

// large is what most workloads work on: real items where there are some.
func (s *settings) large() stock {
	if s.real != nil {
		return s.real
	}
	return newMaker(large, 1)
}

// largeItems is how many of them a store holds.
func (s *settings) largeItems() int {
	if s.real != nil {
		return len(s.real.items)
	}
	return s.Items
}

// small is what needs many items.
func (s *settings) small() stock { return newMaker(small, 1) }

func (s *settings) String() string {
	return fmt.Sprintf("%d rounds, every call synced, in %s\nitems: %s %v; small ones, up to %s, and up to %s in open and %s in grow: %v",
		s.Rounds, s.Dir, count(s.largeItems()), s.large(), count(s.Items), count(s.Pending), count(s.Grow), s.small())
}
