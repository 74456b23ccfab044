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
}

// Bounds of settings.
const (
	minItems  = 100
	maxItems  = 1_000_000 // ids that a delete takes in one call
	maxRounds = 1000
	minLimit  = time.Millisecond
)

// validate reports all that cannot be meant.
func (s *settings) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Items < minItems || s.Items > maxItems {
		bad("--items %d, allowed are %d to %d", s.Items, minItems, maxItems)
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
	return errors.Join(errs...)
}

// large is what most workloads work on, small what needs many items.
func (s *settings) large() stock { return newMaker(large, 1) }
func (s *settings) small() stock { return newMaker(small, 1) }

func (s *settings) String() string {
	return fmt.Sprintf("%s items, %d rounds, every call synced, in %s\nitems: %v; small ones: %v", count(s.Items), s.Rounds, s.Dir, s.large(), s.small())
}
