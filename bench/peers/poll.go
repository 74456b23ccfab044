package peers

import (
	"context"
	"errors"
	"time"
)

// pollWithin is how long a store's background work may take.
const pollWithin = 2 * time.Minute

// poll looks every millisecond whether something is done.
func poll(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pollWithin, errors.New("background work does not end"))
	defer cancel()
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
	}
	return nil
}
