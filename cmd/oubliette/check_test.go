package main

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestAnInterruptEndsACheckThatDoesNotLookUp(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	began, never := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool // when the index has been loaded
	c.fs = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind == errorfs.OpOpen && strings.HasSuffix(op.Path, ".seg") {
			close(began)
			<-never
		}
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".seg") {
			armed.Store(true)
		}
		return nil
	}))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- c.runWith(ctx, nil, "check", "--key-file", c.path("key")) }()
	<-began
	cancel()
	select {
	case r := <-done:
		c.fails(r, exitFailure, "interrupted")
	case <-time.After(10 * time.Second):
		t.Error("the check goes on")
	}
	close(never)
}
