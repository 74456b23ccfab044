package segment

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// holding keeps one write until it is let go.
type holding struct {
	on      bool
	reached chan struct{}
	open    chan struct{}
}

func (h *holding) String() string { return "hold a write" }

func (h *holding) MaybeError(op errorfs.Op) error {
	if h.on && op.Kind == errorfs.OpFileWriteAt {
		h.on = false // the writer writes one at a time
		close(h.reached)
		<-h.open
	}
	return nil
}

// TestWhatIsInFrontOfSettledIsWritten: an Append that is under way keeps it where
// its space begins, although others behind it have reserved theirs.
func TestWhatIsInFrontOfSettledIsWritten(t *testing.T) {
	hold := &holding{reached: make(chan struct{}), open: make(chan struct{})}
	w := newStore(t, errorfs.Wrap(vfs.NewMem(), hold)).create(t)
	defer finish(t, w)
	rng := seeded(t)
	rows := func() []Row { return prepareAll(t, someContent(rng, 3)) }
	if w.Settled() != DataStart {
		t.Errorf("settled up to %d in an empty segment", w.Settled())
	}
	add := func(r []Row) {
		if _, err := w.Append(r); err != nil {
			t.Error(err)
		}
	}
	add(rows())
	at := uint64(w.Size())
	if w.Settled() != at {
		t.Errorf("settled up to %d of %d", w.Settled(), at)
	}
	hold.on = true
	first, second, done := rows(), rows(), make(chan struct{}, 2)
	go func() { add(first); done <- struct{}{} }()
	<-hold.reached
	held := uint64(w.Size())
	go func() { add(second); done <- struct{}{} }()
	for uint64(w.Size()) == held {
		time.Sleep(time.Millisecond)
	}
	if w.Settled() != at {
		t.Errorf("settled up to %d, an Append is under way at %d", w.Settled(), at)
	}
	close(hold.open)
	<-done
	<-done
	if w.Settled() != uint64(w.Size()) {
		t.Errorf("settled up to %d of %d", w.Settled(), w.Size())
	}
}
