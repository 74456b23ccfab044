package meta

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/latchfs"
)

// asking is what of Pebble asks a scheduler, and nothing else: it remembers a compaction
// that was refused, and does not ask again before that one was granted or has gone.
type asking struct {
	s       *scheduler
	mu      sync.Mutex
	work    int // compactions to do
	waiting bool
	picked  bool
	running atomic.Int32
	wg      sync.WaitGroup
	ran     atomic.Int64
	closed  bool
	t       *testing.T
}

func (d *asking) GetAllowedWithoutPermission() int { return 1 }
func (d *asking) pick() bool                       { return !d.closed && d.work > 0 }
func (d *asking) run(h pebble.CompactionGrantHandle) {
	d.work--
	d.wg.Add(1)
	go func() {
		if d.running.Add(1) > 1 {
			d.t.Error("two run")
		}
		if rand.IntN(2) == 0 {
			time.Sleep(time.Duration(rand.IntN(20)) * time.Microsecond)
		}
		d.running.Add(-1)
		d.ran.Add(1)
		h.Done()
		d.maybe()
		d.wg.Done()
	}()
}
func (d *asking) maybe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.waiting {
		return
	}
	for d.pick() {
		ok, h := d.s.TrySchedule()
		if !ok {
			d.waiting, d.picked = true, true
			return
		}
		d.run(h)
	}
}
func (d *asking) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waiting {
		return false, pebble.WaitingCompaction{}
	}
	if !d.picked {
		if !d.pick() {
			d.waiting = false
			return false, pebble.WaitingCompaction{}
		}
		d.picked = true
	}
	return true, pebble.WaitingCompaction{}
}
func (d *asking) Schedule(h pebble.CompactionGrantHandle) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waiting {
		return false
	}
	had := d.picked
	d.picked = false
	if !had && !d.pick() {
		d.waiting = false
		return false
	}
	if d.work == 0 { // as if what was picked had gone
		d.waiting = false
		return false
	}
	d.run(h)
	return true
}

// Four goroutines ask for compactions while others end and versions change. None begins
// before begin, all are run, never two at once, and after Unregister nobody is called.
func TestCompactionsRunOneAtATimeAndNoneIsLost(t *testing.T) {
	for round := range 100 {
		d := &asking{t: t}
		d.s = newScheduler(latchfs.New(vfs.NewMem(), func(error) {}))
		d.s.Register(2, d)
		var adders sync.WaitGroup
		total := 0
		for range 4 {
			n := 10 + rand.IntN(30)
			total += n
			adders.Go(func() {
				for range n {
					d.mu.Lock()
					d.work++
					if rand.IntN(3) == 0 {
						d.picked = false // a flush invalidates
					}
					d.mu.Unlock()
					d.maybe()
					if rand.IntN(3) == 0 {
						time.Sleep(time.Duration(rand.IntN(30)) * time.Microsecond)
					}
				}
			})
		}
		for refused := false; !refused; time.Sleep(10 * time.Microsecond) {
			d.mu.Lock()
			refused = d.waiting
			d.mu.Unlock()
			if d.ran.Load() > 0 {
				t.Fatal("a compaction has begun before begin")
			}
		}
		d.s.begin()
		if round%2 == 0 {
			adders.Wait()
			for end := time.Now().Add(5 * time.Second); d.ran.Load() < int64(total); time.Sleep(50 * time.Microsecond) {
				if time.Now().After(end) {
					t.Fatalf("round %d: %d of %d ran: lost", round, d.ran.Load(), total)
				}
			}
		}
		d.s.Unregister()
		d.mu.Lock()
		d.closed = true
		d.mu.Unlock()
		adders.Wait()
		d.wg.Wait()
	}
}

// looking asks for a compaction while the scheduler looks for one, as a flush does that
// ends just then: it is refused, and has to be granted all the same.
type looking struct {
	s       *scheduler
	looks   int
	granted int
}

func (d *looking) GetAllowedWithoutPermission() int { return 1 }

func (d *looking) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	if d.looks++; d.looks == 1 {
		_, _ = d.s.TrySchedule()
		return false, pebble.WaitingCompaction{}
	}
	return d.granted == 0, pebble.WaitingCompaction{}
}

func (d *looking) Schedule(pebble.CompactionGrantHandle) bool {
	d.granted++
	return true
}

func TestACompactionThatIsRefusedDuringALookIsGranted(t *testing.T) {
	d := &looking{s: newScheduler(latchfs.New(vfs.NewMem(), func(error) {}))}
	d.s.Register(2, d)
	d.s.begin()
	if d.granted != 1 {
		t.Errorf("granted %d, looked %d times", d.granted, d.looks)
	}
	d.s.Done()
	d.s.Unregister()
}

// A compaction that is asked for once the latch is set would write into memory alone.
func TestNoCompactionBeginsOnceTheLatchIsSet(t *testing.T) {
	latch := latchfs.New(vfs.NewMem(), func(error) {})
	d := &looking{s: newScheduler(latch), looks: 1}
	d.s.Register(2, d)
	latch.Fail(errors.New("a failed write"))
	d.s.begin()
	if ok, _ := d.s.TrySchedule(); ok || d.granted > 0 {
		t.Errorf("allowed %v, granted %d", ok, d.granted)
	}
	d.s.Unregister()
}
