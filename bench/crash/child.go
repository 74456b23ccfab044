package crash

import (
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"

	"oubliette/bench/store"
)

// childVar is set in the environment of a child.
const childVar = "CRASH_CHILD"

// Child makes the process a child if Run has started it, and does not return
// then. Otherwise it does nothing. A program that calls Run calls Child first,
// with every kind of store that it may crash.
func Child(kinds ...store.Kind) {
	if os.Getenv(childVar) == "" {
		return
	}
	// The pipe is the child's alone: a store that prints does it elsewhere.
	c := &child{kinds: kinds, out: gob.NewEncoder(os.Stdout)}
	os.Stdout = os.Stderr
	signal.Ignore(os.Interrupt) // the parent hears it, too, and ends the run
	c.run(os.Stdin)
}

// child is the process that is killed.
type child struct {
	kinds []store.Kind
	out   *gob.Encoder

	kind  store.Kind
	store store.Store

	stop    atomic.Bool // the goroutines come to an end
	closing atomic.Bool // calls may fail
	busy    sync.WaitGroup
}

// run carries out orders until there are no more: the parent is gone, or has no
// use for the child.
func (c *child) run(in io.Reader) {
	orders := make(chan order)
	go func() {
		d := gob.NewDecoder(in)
		for {
			var o order
			if d.Decode(&o) != nil {
				os.Exit(0) // whatever is under way
			}
			orders <- o
		}
	}()
	for o := range orders {
		m := message{What: replied}
		if err := c.carryOut(&o, &m); err != nil {
			m.Text = err.Error()
		}
		c.send(&m)
	}
}

// send tells the parent. Without one there is nothing left to do.
func (c *child) send(m *message) {
	if c.out.Encode(m) != nil {
		os.Exit(0)
	}
}

// tell reports what the child has seen itself.
func (c *child) tell(v Verdict, format string, args ...any) {
	c.send(&message{What: told, Verdict: v, Text: fmt.Sprintf(format, args...)})
}

func (c *child) carryOut(o *order, reply *message) error {
	ctx := context.Background()
	switch o.Do {
	case doOpen, doPeek:
		return c.phase(Opening, func() error { return c.open(ctx, o) })
	case doScan:
		return c.scan(ctx)
	case doGet:
		return c.get(ctx, o.IDs)
	case doCheck:
		if k, ok := c.store.(store.Checker); ok {
			return k.Check(ctx)
		}
		return nil
	case doErase:
		_, err := c.store.Erase(ctx)
		return err
	case doAccount:
		reply.Accounts = c.account(ctx, o.Receipts)
		return nil
	case doWork:
		c.work(ctx, o.Work)
		return nil
	case doStop:
		c.stop.Store(true)
		c.busy.Wait()
		c.stop.Store(false)
		return nil
	case doClose, doCloseNow:
		return c.close(o.Do == doCloseNow)
	}
	return fmt.Errorf("unknown order %q", o.Do)
}

func (c *child) open(ctx context.Context, o *order) error {
	i := slices.IndexFunc(c.kinds, func(k store.Kind) bool { return k.Name == o.Setup.Kind })
	if i < 0 {
		return fmt.Errorf("crash.Child has not been told of the store %q", o.Setup.Kind)
	}
	c.kind = c.kinds[i]
	open := c.kind.Open
	if o.Do == doPeek {
		open = c.kind.OpenReadOnly
	}
	s, err := open(ctx, store.Setup{Dir: o.Setup.Dir, Aside: o.Setup.Aside, Key: o.Setup.Key, Busy: true})
	c.store = s
	return err
}

func (c *child) scan(ctx context.Context) error {
	for it, err := range c.store.Items(ctx) {
		if err != nil {
			return err
		}
		c.find(&it)
	}
	return nil
}

func (c *child) get(ctx context.Context, ids []string) error {
	for part := range slices.Chunk(ids, 50) {
		items, err := c.store.Get(ctx, part)
		if err != nil {
			return err
		}
		for i := range items {
			c.find(&items[i])
		}
	}
	return nil
}

func (c *child) find(it *store.Item) {
	v := versionOf(it)
	c.send(&message{What: found, IDs: []string{it.ID}, Version: v, Canon: canon(it)})
}

func (c *child) account(ctx context.Context, receipts [][]byte) []account {
	out := make([]account, len(receipts))
	for i, r := range receipts {
		a, err := c.store.(store.Accountant).Account(ctx, r)
		out[i] = account{Erased: a.Erased, Counted: a.Counted, Found: a.Found}
		if err != nil {
			out[i].Err = err.Error()
		}
	}
	return out
}

// close closes the store, with calls under way or after the last has returned.
func (c *child) close(now bool) error {
	c.stop.Store(true)
	if now {
		c.closing.Store(true)
	} else {
		c.busy.Wait()
	}
	return c.phase(Closing, c.store.Close)
}

// phase tells the parent that something is under way which it may want to kill.
func (c *child) phase(name string, do func() error) error {
	c.send(&message{What: phased, Phase: name})
	err := do()
	c.send(&message{What: unphase, Phase: name})
	return err
}

// failed reports a call that has answered an error, unless the store is being
// closed. It answers whether the caller goes on.
func (c *child) failed(what string, err error) bool {
	if err == nil {
		return false
	}
	if !c.closing.Load() {
		c.tell(Failed, "%s: %v", what, err)
	}
	return true
}
