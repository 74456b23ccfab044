package engine_test

import (
	"context"
	"testing"
	"time"

	"oubliette/engine"
)

// A fault of the program while a call is published, from which the host recovers, ends
// writing and nothing else: reads go on, nothing more is recorded, Close returns.
func TestAPanicWhilePublishingLeavesReadsAndClose(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	items := makeItems("k", 3)
	must(t, ix.Upsert(ctx, items))
	done := make(chan struct{})
	s.closed = true // below; what hangs here would hang at the end of the test, too
	go func() {
		defer close(done)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic: the test shows nothing")
				}
			}()
			_ = ix.PublishPanics(ctx)
		}()
		wantItems(t, ix, byID(items...))
		_, err := ix.Delete(ctx, []string{"k0"})
		wantError(t, err, engine.ErrFailed)
		wantError(t, s.DB.Close(), engine.ErrFailed)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("a call hangs")
	}
}
