package main

import (
	"context"
	"time"
)

// grace is how long a call that has been interrupted may take to end by itself.
const grace = 250 * time.Millisecond

// within waits for a call that may not look at its context for long, or ever:
// an open of a pipe, a read of a terminal. After an interrupt and a grace the
// call goes on without anybody, for as long as the process lives.
func within[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := call()
		done <- answer{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.v, r.err
	case <-timer.C:
		var none T
		return none, ctx.Err()
	}
}
