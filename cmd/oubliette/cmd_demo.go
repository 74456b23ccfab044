package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

// Limits of the demo: it keeps what it searches for in memory.
const (
	maxDemoItems   = 5_000_000
	maxDemoDeleted = 20_000
	maxDemoValue   = 1 << 20 // bytes of contents
	minDemoValue   = 64
)

// demoConfig is what the demo is to do.
type demoConfig struct {
	items       int // 0: 10,000, or all of MNIST
	deleted     int
	dimension   int
	contents    int
	mnist       string
	keep        bool
	seed        uint64
	purgeWithin time.Duration
	// patience is how long the erasure is waited for beyond purgeWithin, to tell
	// late from never. Late fails the demo, too.
	patience time.Duration
	skipWait bool // search at once, with nothing erased: shows that the search would tell
}

var demoDefaults = demoConfig{deleted: 1000, dimension: 384, contents: 1024, seed: 1, purgeWithin: 2 * time.Second, patience: 20 * time.Second}

const defaultDemoItems = 10_000

func (a *app) demoCommand() *cobra.Command {
	cfg := demoDefaults
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Fill a store, delete, and search every byte for what is left",
		Long: `In a fresh store in a temporary folder: put items in; note the sealed bytes of
those to be deleted, and of as many others as a control; begin an iterator and
stop half-way; delete in one call; show that Get, the iterator and a listing
leave the items out at once; wait until the store has erased them by itself, in
the time it promises; search every byte of every file for 16-byte pieces of the
noted bytes and for ids, vectors, contents and metadata in the clear; open the
store again and hold every item that is left against what was put in.

Of the deleted items nothing may be found (else the exit code is 7), and of the
control every piece exactly once: so the search does find what is there.

The items are made from --seed; or, with --mnist DIR, they are the images of
t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz in DIR.`,
		Args:    noArguments,
		PreRunE: demoFlags,
	}
	f := cmd.Flags()
	f.IntVar(&cfg.items, "items", 0, "items to put in (0: 10,000, or all of --mnist)")
	f.IntVar(&cfg.deleted, "delete", cfg.deleted, "items to delete, at most two fifths of all")
	f.IntVar(&cfg.dimension, "dimension", cfg.dimension, "dimension of the vectors")
	f.IntVar(&cfg.contents, "contents", cfg.contents, "bytes of an item's contents")
	f.StringVar(&cfg.mnist, "mnist", "", "folder with the MNIST test set: use its images as items")
	f.BoolVar(&cfg.keep, "keep", false, "keep the store, with its key beside it, and say where")
	f.Uint64Var(&cfg.seed, "seed", cfg.seed, "where the items and the choice come from")
	f.DurationVar(&cfg.purgeWithin, "purge-within", cfg.purgeWithin, "the time in which deleted items have to be erased")
	cmd.RunE = a.action(func(ctx context.Context, _ []string) error { return a.demo(ctx, cfg) })
	return cmd
}

// demoFlags refuses what the demo would not heed.
func demoFlags(cmd *cobra.Command, _ []string) error {
	for _, name := range []string{"store", "index", "key-file", "user", "ledger"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("the demo makes a store and a key of its own: it takes no --%s", name)
		}
	}
	return nil
}

// validate reports every setting that the demo cannot work with, together.
func (c *demoConfig) validate() error {
	var errs []error
	within := func(flag string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("%w: --%s %d, allowed are %s to %s", errUsage, flag, n, number(least), number(most)))
		}
	}
	within("items", c.items, 10, maxDemoItems)
	// Up to two fifths no segment is mostly dead: none is rewritten meanwhile,
	// which would seal the control's bytes anew.
	within("delete", c.deleted, 1, min(maxDemoDeleted, c.items*2/5))
	within("dimension", c.dimension, 1, engine.MaxDimension)
	within("contents", c.contents, minDemoValue, maxDemoValue)
	if c.purgeWithin < 10*time.Millisecond || c.purgeWithin > time.Hour {
		errs = append(errs, fmt.Errorf("%w: --purge-within %v, allowed are 10ms to 1h", errUsage, c.purgeWithin))
	}
	return errors.Join(errs...)
}

// demo runs the demo in a folder of its own.
func (a *app) demo(ctx context.Context, cfg demoConfig) (err error) {
	src, err := cfg.source()
	if err != nil {
		return err
	}
	if err := cfg.validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "oubliette-demo-")
	if err != nil {
		return err
	}
	d := &demo{app: a, cfg: cfg, src: src, dir: filepath.Join(dir, "store"), key: engine.NewKey()}
	defer d.key.Wipe()
	if cfg.keep {
		if err := d.keepKey(filepath.Join(dir, "key")); err != nil {
			return err
		}
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	err = errors.Join(d.run(ctx), d.close())
	d.report.OK = err == nil
	if a.json {
		return errors.Join(err, writeJSON(a.stdout, &d.report))
	}
	return errors.Join(err, d.farewell())
}

// source makes the items and settles how many there are.
func (c *demoConfig) source() (source, error) {
	if c.mnist == "" {
		if c.items == 0 {
			c.items = defaultDemoItems
		}
		return &madeItems{seed: c.seed, dimension: c.dimension, contents: c.contents}, nil
	}
	m, err := loadImages(c.mnist)
	if err != nil {
		return nil, err
	}
	if c.items == 0 {
		c.items = m.Len()
	}
	if c.items > m.Len() {
		return nil, fmt.Errorf("%w: --items %d, the set has %d", errUsage, c.items, m.Len())
	}
	c.dimension = m.Pixels
	return m, nil
}
