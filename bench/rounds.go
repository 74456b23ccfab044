package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"oubliette/bench/store"
)

// series are measurements, store by store, one a round.
type series map[string][]float64

func (s series) add(e *entrant, v float64) { s[e.Name] = append(s[e.Name], v) }

// course is one measurement: how many rounds it has, and how long a store may take
// for its turns. One that has had its time takes no further turn.
type course struct {
	what   string // for the note on who was cut off
	rounds int
	limit  time.Duration
	out    *sheet
}

// course of so many rounds under the limit of the run.
func (s *settings) course(out *sheet, rounds int, what string, args ...any) course {
	return course{fmt.Sprintf(what, args...), rounds, s.Limit, out}
}

// rounds lets the stores take turns.
func (es entrants) rounds(ctx context.Context, c course, turn func(round int, e *entrant) error) error {
	spent := make(map[*entrant]time.Duration)
	for round := range c.rounds {
		for _, e := range es.turn(round) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if spent[e] > c.limit {
				continue
			}
			began := time.Now()
			if err := turn(round, e); err != nil {
				return fmt.Errorf("%s, round %d: %w", e.Name, round+1, err)
			}
			spent[e] += time.Since(began)
			if spent[e] > c.limit && round+1 < c.rounds {
				c.out.note("%s: %s cut off after %d of %d rounds, %.0f s", c.what, e.Name, round+1, c.rounds, spent[e].Seconds())
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

// loadCall is how many items a call puts in when nothing is measured.
const loadCall = 1000

// load puts items 0 to n-1 of a stock into a store.
func load(ctx context.Context, s store.Store, from stock, n int) error {
	batch := itemsOf(from, 0, min(n, loadCall))
	for at := 0; at < n; at += loadCall {
		batch = batch[:min(loadCall, n-at)]
		if at > 0 {
			refill(from, batch, at)
		}
		if err := s.Upsert(ctx, batch); err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	return nil
}
