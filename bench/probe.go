package main

import (
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"time"

	"oubliette/bench/peers"
	"oubliette/bench/store"
)

// probeVar is set in the environment of a probe.
const probeVar = "BENCH_PROBE"

// errand is what a probe is to do: a fresh process that opens a store, measures
// that, maybe deletes, and is killed.
type errand struct {
	Kind   string
	Dir    string
	Key    [32]byte
	Within time.Duration
	// ReadOnly opens the store so that nothing in it changes, and no background
	// work begins.
	ReadOnly bool
	Live     string // the id of the first read; empty: nothing is read
	Gone     string // an id that is not there: looking for it is looking everywhere
	// IDs, if any, are deleted, Size a call, by Workers goroutines, for no longer
	// than Limit.
	IDs           []string
	Size, Workers int
	Limit         time.Duration
}

// finding is what a probe answers.
type finding struct {
	Err     string
	Seconds float64 // from the beginning of the open to the answer of the first read
	Memory  int64   // bytes that the open store has added
	Pending int     // deleted ids that it had not looked for; -1: it does not say
	Deleted int     // ids
}

// probe makes the process a probe if this program has started it as one, and does
// not return then.
func probe() {
	if os.Getenv(probeVar) == "" {
		return
	}
	out := gob.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr
	signal.Ignore(os.Interrupt) // the parent hears it, too, and kills
	var e errand
	if gob.NewDecoder(os.Stdin).Decode(&e) != nil {
		os.Exit(0) // the parent is gone
	}
	f, err := e.run(context.Background())
	if err != nil {
		f.Err = err.Error()
	}
	if out.Encode(f) == nil {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent kills, or is gone
	}
	os.Exit(0)
}

func (e *errand) run(ctx context.Context) (f finding, err error) {
	kind, ok := peers.Named(e.Kind)
	if !ok {
		return f, fmt.Errorf("there is no store %q", e.Kind)
	}
	before, err := residentMemory()
	if err != nil {
		return f, err
	}
	s, err := e.open(ctx, kind, &f)
	if err != nil {
		return f, err
	}
	after, err := residentMemory()
	if err != nil {
		return f, err
	}
	f.Memory, f.Pending = after-before, -1
	if p, ok := s.(store.Postponer); ok {
		f.Pending = p.Pending()
	}
	if len(e.IDs) > 0 {
		f.Deleted, err = e.delete(ctx, s)
	}
	return f, err
}

// open opens the store, reads what is there and what is not.
func (e *errand) open(ctx context.Context, kind store.Kind, f *finding) (s store.Store, err error) {
	want := func(id string, n int) error {
		items, err := s.Get(ctx, []string{id})
		if err == nil && len(items) != n {
			err = fmt.Errorf("%d items answered for %s, want %d", len(items), id, n)
		}
		return err
	}
	f.Seconds, err = clock(func() (err error) {
		open := kind.Open
		if e.ReadOnly {
			open = kind.OpenReadOnly
		}
		s, err = open(ctx, store.Setup{Dir: e.Dir, Key: e.Key, PurgeWithin: e.Within})
		if err == nil && e.Live != "" {
			err = want(e.Live, 1)
		}
		return err
	})
	if err == nil {
		err = want(e.Gone, 0)
	}
	return s, err
}

// delete answers how many ids it has come to.
func (e *errand) delete(ctx context.Context, s store.Store) (int, error) {
	var deleted atomic.Int64
	end := time.Now().Add(e.Limit)
	err := spread(e.Workers, func(g int) error {
		share := e.IDs[len(e.IDs)*g/e.Workers : len(e.IDs)*(g+1)/e.Workers]
		for call := range slices.Chunk(share, e.Size) {
			if time.Now().After(end) {
				return nil
			}
			if err := s.Delete(ctx, call); err != nil {
				return err
			}
			deleted.Add(int64(len(call)))
		}
		return nil
	})
	return int(deleted.Load()), err
}
