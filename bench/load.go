package main

import (
	"context"
	"errors"
	"fmt"

	"oubliette/bench/store"
)

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
		if ctx.Err() != nil { // not every store looks
			return context.Cause(ctx)
		}
	}
	return nil
}

// errSlow ends a load that takes too long.
var errSlow = errors.New("too slow")

// loadInTime loads and settles a store. ok is false when that has taken too long: it
// is noted then, and the store takes no part in the workload.
func (s *settings) loadInTime(ctx context.Context, e *entrant, from stock, n int, out *sheet, workload string) (ok bool, err error) {
	limit := slowly * s.Limit
	bounded, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
	defer cancel()
	err = load(bounded, e, from, n)
	if bounded.Err() != nil && errors.Is(context.Cause(bounded), errSlow) {
		out.note("%s: %s left out: %s items are not loaded after %v", workload, e.Name, count(n), limit)
		return false, nil
	}
	if err == nil {
		err = store.Settle(ctx, e.Store)
	}
	return err == nil, err
}
