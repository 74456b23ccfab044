package engine_test

import (
	"context"
	"testing"
	"time"

	"oubliette/engine"
)

// modelBackground purges, compacts, checks and counts until told to stop.
func modelBackground(t *testing.T, ix *engine.Index, stop chan struct{}) {
	ctx := context.Background()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		var err error
		switch i % 4 {
		case 0:
			_, err = ix.Purge(ctx)
		case 1:
			_, err = ix.Count(ctx)
		case 2:
			err = ix.Compact(ctx)
		case 3:
			_, err = ix.Check(ctx)
		}
		if err != nil {
			t.Errorf("in the background, %d: %v", i%4, err)
			return
		}
	}
}
