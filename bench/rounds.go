package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"oubliette/bench/store"
)

// settings are what a run is told.
type settings struct {
	Dir    string   `json:"dir"`
	Items  int      `json:"items"`
	Rounds int      `json:"rounds"`
	Stores []string `json:"stores,omitempty"` // none: all
}

// series are measurements, store by store, one a round.
type series map[string][]float64

func (s series) add(e *entrant, v float64) { s[e.Name] = append(s[e.Name], v) }

// rounds lets the stores take turns.
func (es entrants) rounds(ctx context.Context, n int, turn func(round int, e *entrant) error) error {
	for round := range n {
		for _, e := range es.turn(round) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := turn(round, e); err != nil {
				return fmt.Errorf("%s, round %d: %w", e.Name, round+1, err)
			}
		}
	}
	return nil
}

// clock answers how many seconds do takes.
func clock(do func() error) (float64, error) {
	began := time.Now()
	err := do()
	return time.Since(began).Seconds(), err
}

// spread runs do for 0 to n-1 in as many goroutines and answers the first
// error in their order.
func spread(n int, do func(g int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() { errs[g] = do(g) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// load puts items into a store, a thousand a call.
func load(ctx context.Context, s store.Store, items []Item) error {
	for len(items) > 0 {
		n := min(1000, len(items))
		if err := s.Upsert(ctx, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}
