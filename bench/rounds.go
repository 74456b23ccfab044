package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// series are measurements, store by store, one a round.
type series map[string][]float64

func (s series) add(e *entrant, v float64) { s[e.Name] = append(s[e.Name], v) }

// times is every value, multiplied.
func (s series) times(scale float64) series {
	return s.each(func(v float64) float64 { return v * scale })
}

// inverse turns times into rates.
func (s series) inverse() series {
	return s.each(func(v float64) float64 { return 1 / v })
}

func (s series) each(f func(float64) float64) series {
	out := make(series, len(s))
	for name, values := range s {
		for _, v := range values {
			out[name] = append(out[name], f(v))
		}
	}
	return out
}

// course is one measurement: how many rounds it has, and how long a store may take
// for its turns. One that has had its time takes no further turn.
type course struct {
	what   string // for the note on who was cut off
	rounds int
	limit  time.Duration
	out    *sheet
	warm   []series // what a warm-up adds to; none: there is no warm-up
}

// course of so many rounds under the limit of the run.
func (s *settings) course(out *sheet, rounds int, what string, args ...any) course {
	return course{what: fmt.Sprintf(what, args...), rounds: rounds, limit: s.Limit, out: out}
}

// warmed lets every store take a turn before the first round. It is no part of its
// time, and what it has added to the series is forgotten.
func (c course) warmed(into ...series) course {
	c.warm = into
	return c
}

// rounds lets the stores take turns. A warm-up is the turn of round -1.
func (es entrants) rounds(ctx context.Context, c course, turn func(round int, e *entrant) error) error {
	if err := es.warmUp(ctx, c, turn); err != nil {
		return err
	}
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

func (es entrants) warmUp(ctx context.Context, c course, turn func(round int, e *entrant) error) error {
	if len(c.warm) == 0 {
		return nil
	}
	for _, e := range es {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := turn(warmUpRound, e); err != nil {
			return fmt.Errorf("%s, warm-up: %w", e.Name, err)
		}
	}
	for _, s := range c.warm {
		for _, e := range es {
			delete(s, e.Name)
		}
	}
	return nil
}

// warmUpRound is the round of a warm-up.
const warmUpRound = -1

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
