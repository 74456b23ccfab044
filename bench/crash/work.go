package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"oubliette/bench/store"
)

// work starts the goroutines that write and those that maintain. They go on
// until the process is killed or the store is closed.
func (c *child) work(ctx context.Context, w *work) {
	for n := range w.Writers {
		c.busy.Go(newWriter(ctx, c, w, n).run)
	}
	own := []store.Chore{
		{Phase: Erasing, Do: func(ctx context.Context) error { _, err := c.store.Erase(ctx); return err }},
		{Phase: Compacting, Do: c.store.Compact},
	}
	c.busy.Go(func() { c.maintain(ctx, rand.New(rand.NewPCG(w.Seed, w.Session<<8|0xfe)), own, w.Prefer) })
	if s, ok := c.store.(store.Worker); ok {
		chores := s.Chores()
		c.busy.Go(func() { c.maintain(ctx, rand.New(rand.NewPCG(w.Seed, w.Session<<8|0xff)), chores, w.Prefer) })
	}
}

const (
	choreSoon = 60  // milliseconds at most before the next chore when one is waited for
	choreRare = 300 // and when none is
)

// maintain does one chore after the other, chosen at random; the one that is
// preferred, if it is among them, comes more often than not.
func (c *child) maintain(ctx context.Context, rnd *rand.Rand, chores []store.Chore, prefer string) {
	if len(chores) == 0 {
		return
	}
	wait, preferred := choreRare, -1
	for i := range chores {
		if chores[i].Phase == prefer {
			wait, preferred = choreSoon, i
		}
	}
	for !c.stop.Load() {
		time.Sleep(time.Duration(rnd.IntN(wait)) * time.Millisecond)
		chore := chores[rnd.IntN(len(chores))]
		if preferred >= 0 && rnd.IntN(3) > 0 {
			chore = chores[preferred]
		}
		if c.stop.Load() {
			return
		}
		if c.failed(chore.Phase, c.phase(chore.Phase, func() error { return chore.Do(ctx) })) {
			return
		}
	}
}

// writerID is the id of item i of a writer: writers never meet on an item, so
// each knows at any time what it has to find.
func writerID(writer, i int) string { return fmt.Sprintf("w%02d-%04d", writer, i) }

func ownedBy(writer int, id string) bool { return strings.HasPrefix(id, fmt.Sprintf("w%02d-", writer)) }
