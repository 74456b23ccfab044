package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"oubliette/engine"
)

// modelWorker owns the ids that begin with its name: what it reads of them must be
// what it wrote last.
type modelWorker struct {
	crew    *modelCrew
	name    string
	rng     *rand.Rand
	login   epochLogin
	items   map[string]modelItem // changed by the worker alone
	ever    map[string]bool      // ids that it has ever upserted
	cursors []*modelWorkerCursor
	next    int

	past map[string]*modelPast // guarded by the crew's mu
}

// modelPast is what an id has been in a round, nil where there was none; after acked
// calls, and after all that have begun.
type modelPast struct {
	versions []*modelItem
	acked    int
}

func (p *modelPast) String() string {
	var out []string
	for _, v := range p.versions {
		if v == nil {
			out = append(out, "none")
			continue
		}
		out = append(out, fmt.Sprintf("version %d until %d", v.version, v.expires()))
	}
	return strings.Join(out, ", ")
}

// expires is when an item expires, in milliseconds; 0: never.
func (it *modelItem) expires() int64 {
	if it.ExpiresAt.IsZero() {
		return 0
	}
	return it.ExpiresAt.UnixMilli()
}

func newModelWorker(c *modelCrew, n int, seed uint64, login epochLogin) *modelWorker {
	return &modelWorker{
		crew: c, name: fmt.Sprint("w", n), rng: rand.New(rand.NewPCG(seed, 4)), login: login,
		items: make(map[string]modelItem), ever: make(map[string]bool),
	}
}

func (w *modelWorker) ids() []string {
	out := make([]string, 0, 8)
	for range 1 + w.rng.IntN(8) {
		out = append(out, fmt.Sprintf("%s-%d", w.name, w.rng.IntN(40)))
	}
	return out
}

// work takes the steps of a round.
func (w *modelWorker) work(steps int) error {
	for range steps {
		if err := w.step(context.Background()); err != nil {
			return err
		}
		w.crew.total.Add(1)
	}
	for len(w.cursors) > 0 {
		if err := w.pull(w.cursors[0], 1<<30); err != nil {
			return err
		}
	}
	return nil
}

// begin forgets what has been before a round. The crew's mu is held.
func (w *modelWorker) begin() {
	w.past = make(map[string]*modelPast)
	for id := range w.ever {
		w.past[id] = w.pastOf(id)
	}
}

// pastOf is the past of an id that has had none in this round.
func (w *modelWorker) pastOf(id string) *modelPast {
	if it, ok := w.items[id]; ok {
		return &modelPast{versions: []*modelItem{&it}}
	}
	return &modelPast{versions: []*modelItem{nil}}
}

// step does one random thing.
func (w *modelWorker) step(ctx context.Context) error {
	ids := w.ids()
	switch n := w.rng.IntN(40); {
	case n < 13:
		return w.upsert(ctx, ids)
	case n < 22:
		return w.delete(ctx, ids)
	case n < 24:
		return w.cancelled(ids)
	case n < 31:
		return w.get(ctx, ids)
	case n < 32:
		return w.scan(ctx)
	case n < 34:
		return w.open(ctx)
	default:
		if len(w.cursors) > 0 {
			return w.pull(w.cursors[w.rng.IntN(len(w.cursors))], 1+w.rng.IntN(40))
		}
		return w.get(ctx, ids)
	}
}

// versions are the next versions of ids; the last of each id counts.
func (w *modelWorker) versions(ids []string) []modelItem {
	out := make([]modelItem, len(ids))
	expires := time.Time{}
	if w.rng.IntN(4) == 0 {
		expires = time.UnixMilli(w.crew.clock.Load() + int64(w.rng.IntN(40))*modelTick).UTC()
	}
	for i, id := range ids {
		w.next++
		out[i] = modelItem{sizedItem(id, w.next, w.rng.IntN(1500)), w.next}
		out[i].ExpiresAt = expires
	}
	return out
}

// change makes a call that makes of ids what to says; nil: they are gone. The call
// answers whether it was done.
func (w *modelWorker) change(ids []string, to map[string]*modelItem, call func() (bool, error)) error {
	w.note(ids)
	c := w.crew
	c.mu.Lock()
	for id := range to {
		if w.past[id] == nil {
			w.past[id] = w.pastOf(id)
		}
		w.past[id].versions = append(w.past[id].versions, to[id])
	}
	c.mu.Unlock()
	done, err := call()
	if err != nil {
		return err
	}
	c.mu.Lock()
	for id := range to {
		if p := w.past[id]; done {
			p.acked++
		} else {
			p.versions = p.versions[:len(p.versions)-1]
		}
	}
	c.mu.Unlock()
	if !done {
		return nil
	}
	now := c.clock.Load()
	for id, it := range to {
		was, lived := w.items[id]
		if it == nil || !lived || was.gone(now) {
			for _, cur := range w.cursors {
				delete(cur.must, id) // it has not lived throughout
			}
		}
		if delete(w.items, id); it != nil {
			w.items[id], w.ever[id] = *it, true
		}
	}
	return nil
}

func (w *modelWorker) upsert(ctx context.Context, ids []string) error {
	items := w.versions(ids)
	to := make(map[string]*modelItem)
	for i := range items {
		to[items[i].ID] = &items[i]
	}
	by := w.caller()
	err := w.change(ids, to, func() (bool, error) {
		return w.crew.judge(by, engine.PermWrite, "Upsert", w.crew.bare.Upsert(ctx, engineItems(items), by.login.opts()...))
	})
	if err != nil {
		return err
	}
	return w.look(ids)
}

func (w *modelWorker) delete(ctx context.Context, ids []string) error {
	to := make(map[string]*modelItem)
	for _, id := range ids {
		to[id] = nil
	}
	by := w.caller()
	var r engine.Receipt
	err := w.change(ids, to, func() (bool, error) {
		var err error
		r, err = w.crew.bare.Delete(ctx, ids, by.login.opts()...)
		return w.crew.judge(by, engine.PermWrite, "Delete", err)
	})
	if err != nil {
		return err
	}
	if r.Count > 0 && w.rng.IntN(4) == 0 {
		if s, err := w.crew.bare.Status(ctx, r, w.login.opts()...); err != nil || s.Counted && s.Asked != r.Count {
			return fmt.Errorf("status of delete %d is %+v: %w", r.Seq, s, err)
		}
	}
	return w.look(ids)
}

// cancelled upserts, or deletes, under a context that ends at some moment. Where the
// call says so nothing has changed.
func (w *modelWorker) cancelled(ids []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.AfterFunc(time.Duration(w.rng.IntN(1000))*time.Microsecond, cancel)
	defer timer.Stop()
	var to = make(map[string]*modelItem)
	items := w.versions(ids)
	deletes := w.rng.IntN(2) == 0
	for i := range items {
		if to[items[i].ID] = &items[i]; deletes {
			to[items[i].ID] = nil
		}
	}
	err := w.change(ids, to, func() (bool, error) {
		var err error
		if deletes {
			_, err = w.crew.bare.Delete(ctx, ids, w.login.opts()...)
		} else {
			err = w.crew.bare.Upsert(ctx, engineItems(items), w.login.opts()...)
		}
		if errors.Is(err, context.Canceled) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("under a context that ends: %w", err)
	}
	return w.look(ids)
}

// note notes the sealed bytes of what is about to die, now and then.
func (w *modelWorker) note(ids []string) {
	if w.rng.IntN(3) != 0 {
		return
	}
	var live []string
	now := w.crew.clock.Load()
	for _, id := range ids {
		if it, ok := w.items[id]; ok && !it.gone(now) {
			live = append(live, id)
		}
	}
	rows, err := w.crew.bare.SealedRows(context.Background(), live, w.login.opts()...)
	if err != nil {
		return // moved meanwhile, or expired
	}
	w.crew.mu.Lock()
	defer w.crew.mu.Unlock()
	for _, row := range rows {
		w.crew.notes.add(crashVersion{"a", row.ID, w.items[row.ID].version}, row.Bytes)
	}
}

// get reads with somebody's key.
func (w *modelWorker) get(ctx context.Context, ids []string) error {
	by := w.caller()
	before := w.crew.clock.Load()
	have, err := w.crew.bare.Get(ctx, ids, engine.AllFields, by.login.opts()...)
	done, err := w.crew.judge(by, engine.PermRead, "Get", err)
	if err != nil || !done {
		return err
	}
	return w.fit(ids, have, before, w.crew.clock.Load())
}

// look reads what a call has touched.
func (w *modelWorker) look(ids []string) error {
	before := w.crew.clock.Load()
	have, err := w.crew.bare.Get(context.Background(), ids, engine.AllFields, w.login.opts()...)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	return w.fit(ids, have, before, w.crew.clock.Load())
}

// fit holds what a Get of ids has answered, between two times of the clock, against
// what was written last.
func (w *modelWorker) fit(ids []string, have []engine.Item, before, after int64) error {
	n := 0
	for _, id := range ids {
		it, ok := w.items[id]
		switch shown := n < len(have) && have[n].ID == id; {
		case shown && (!ok || it.gone(before)):
			return fmt.Errorf("get shows %q, which is gone", id)
		case shown && !equal(have[n], it.Item):
			return fmt.Errorf("get shows %q as %.60s, it was written as version %d", id, have[n].Metadata, it.version)
		case shown:
			n++
		case ok && !it.gone(after):
			return fmt.Errorf("get of %v does not show %q", ids, id)
		}
	}
	if n != len(have) {
		return fmt.Errorf("get of %v answers %d items, want %d", ids, len(have), n)
	}
	return nil
}

// scan has to show each of the worker's items once, as it was written last.
func (w *modelWorker) scan(ctx context.Context) error {
	if err := w.open(ctx); err != nil || len(w.cursors) == 0 {
		return err
	}
	return w.pull(w.cursors[len(w.cursors)-1], 1<<30)
}

// modelWorkerCursor is an iterator that stays open while its worker does other things.
type modelWorkerCursor struct {
	by   modelCrewCaller
	next func() (engine.Item, error, bool)
	stop func()
	// must are the worker's ids that have lived since the scan began, ever those that
	// it had upserted by then, came all that have come.
	must, ever, came map[string]bool
}

// open opens an iterator.
func (w *modelWorker) open(ctx context.Context) error {
	if len(w.cursors) == 2 {
		w.cursors[0].stop()
		w.cursors = w.cursors[1:]
	}
	cur := &modelWorkerCursor{by: w.caller(), must: make(map[string]bool), ever: maps.Clone(w.ever), came: make(map[string]bool)}
	now := w.crew.clock.Load()
	for id, it := range w.items {
		cur.must[id] = !it.gone(now)
	}
	cur.next, cur.stop = iter.Pull2(w.crew.bare.Items(ctx, engine.AllFields, cur.by.login.opts()...))
	w.cursors = append(w.cursors, cur)
	return w.pull(cur, 1)
}

// pull takes steps of an iterator.
func (w *modelWorker) pull(cur *modelWorkerCursor, n int) error {
	for range n {
		before := w.crew.clock.Load()
		it, err, ok := cur.next()
		if !ok || err != nil {
			return w.ended(cur, err)
		}
		if cur.came[it.ID] {
			return fmt.Errorf("scan shows %q twice", it.ID)
		}
		cur.came[it.ID] = true
		if !strings.HasPrefix(it.ID, w.name+"-") {
			continue
		}
		want, lives := w.items[it.ID]
		if !lives || want.gone(before) || !cur.ever[it.ID] || !equal(it, want.Item) {
			return fmt.Errorf("scan shows %q, which was deleted, has expired, came later or is another version", it.ID)
		}
		delete(cur.must, it.ID)
	}
	return nil
}

// ended takes an iterator that has come to its end.
func (w *modelWorker) ended(cur *modelWorkerCursor, err error) error {
	cur.stop()
	for i := range w.cursors {
		if w.cursors[i] == cur {
			w.cursors = append(w.cursors[:i:i], w.cursors[i+1:]...)
			break
		}
	}
	done, err := w.crew.judge(cur.by, engine.PermRead, "scan", err)
	if err != nil || !done {
		return err
	}
	now := w.crew.clock.Load()
	for id, must := range cur.must {
		if it := w.items[id]; must && !it.gone(now) {
			return fmt.Errorf("scan does not show %q, which lives throughout", id)
		}
	}
	return nil
}
