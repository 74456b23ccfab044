package crash

import (
	"context"
	"math/rand/v2"
	"time"

	"oubliette/bench/store"
)

// writer is one goroutine that calls the store, one call at a time, on ids of
// its own.
type writer struct {
	c    *child
	ctx  context.Context
	work *work
	n    int
	rnd  *rand.Rand
	have map[string]version // of its ids: what the store has to have
	made uint64             // versions
}

func newWriter(ctx context.Context, c *child, w *work, n int) *writer {
	out := &writer{c: c, ctx: ctx, work: w, n: n, have: make(map[string]version),
		rnd: rand.New(rand.NewPCG(w.Seed, w.Session<<8|uint64(n)))}
	for id, v := range w.Have {
		if ownedBy(n, id) {
			out.have[id] = v
		}
	}
	return out
}

// run calls until a call fails: then nobody knows what the store has of it, and
// the writer stops with that call under way.
func (w *writer) run() {
	for !w.c.stop.Load() {
		call := w.delete
		switch k := w.rnd.IntN(100); {
		case k < 50:
			call = w.upsert
		case k < 60:
			call = w.get
		case k < 62:
			call = w.scan
		}
		if !call() {
			return
		}
	}
}

// choose answers different ids of the writer, mostly few.
func (w *writer) choose() []string {
	n := 1 + w.rnd.IntN(12)
	if w.rnd.IntN(20) == 0 {
		n = 1 + w.rnd.IntN(w.work.IDs)
	}
	var ids []string
	for _, i := range w.rnd.Perm(w.work.IDs)[:min(n, w.work.IDs)] {
		ids = append(ids, writerID(w.n, i))
	}
	return ids
}

func (w *writer) upsert() bool {
	ids := w.choose()
	w.made++
	v := version{V: w.work.Session<<32 | uint64(w.n)<<24 | w.made}
	soon := int64(w.rnd.IntN(3000))
	if w.rnd.IntN(6) == 0 && w.c.kind.Expires {
		v.Expires = time.Now().UnixMilli() + soon
	}
	items := make([]store.Item, len(ids))
	for i, id := range ids {
		items[i] = makeItem(id, v)
	}
	pieces, err := w.pieces(ids)
	if w.c.failed("sealed bytes", err) {
		return false
	}
	w.c.send(&message{What: began, Worker: w.n, Op: upserts, IDs: ids, Version: v, Pieces: pieces})
	if w.c.failed("upsert", w.c.store.Upsert(w.ctx, items)) {
		return false
	}
	w.c.send(&message{What: ended, Worker: w.n, Op: upserts})
	for _, id := range ids {
		w.have[id] = v
	}
	return v.Expires == 0 || w.note(ids, v)
}

// note tells the parent what items look like that go without a call.
func (w *writer) note(ids []string, v version) bool {
	pieces, err := w.pieces(ids)
	if w.c.failed("sealed bytes", err) {
		return false
	}
	w.c.send(&message{What: noted, Version: v, Pieces: pieces})
	return true
}

// pieces are those of the items that are there under ids.
func (w *writer) pieces(ids []string) (out [][]byte, err error) {
	if s, ok := w.c.store.(store.Sealer); ok {
		runs, err := s.SealedBytes(w.ctx, ids)
		for _, r := range runs {
			out = appendPieces(out, r)
		}
		return out, err
	}
	for _, id := range ids {
		if v := w.have[id]; v.V != 0 {
			it := makeItem(id, v)
			out = plainPieces(out, &it)
		}
	}
	return out, nil
}

func (w *writer) delete() bool {
	ids := w.choose()
	m := &message{What: began, Worker: w.n, Op: deletes, IDs: ids}
	for _, id := range ids {
		v := w.have[id]
		if v.V != 0 {
			m.Most++
			if v.Expires == 0 {
				m.Least++
			}
		}
	}
	var err error
	if m.Pieces, err = w.pieces(ids); w.c.failed("sealed bytes", err) {
		return false
	}
	w.c.send(m)
	receipt, err := w.deleteFor(ids)
	if w.c.failed("delete", err) {
		return false
	}
	w.c.send(&message{What: ended, Worker: w.n, Op: deletes, Receipt: receipt})
	for _, id := range ids {
		delete(w.have, id)
	}
	return w.rnd.IntN(4) > 0 || w.look(ids)
}

func (w *writer) deleteFor(ids []string) ([]byte, error) {
	if a, ok := w.c.store.(store.Accountant); ok {
		return a.DeleteFor(w.ctx, ids)
	}
	return nil, w.c.store.Delete(w.ctx, ids)
}

func (w *writer) get() bool { return w.look(w.choose()) }

// look gets ids and holds the answer against what has to be there.
func (w *writer) look(ids []string) bool {
	from := time.Now().UnixMilli()
	items, err := w.c.store.Get(w.ctx, ids)
	if w.c.failed("get", err) {
		return false
	}
	w.hold(items, ids, from)
	w.c.send(&message{What: ended, Worker: w.n, Op: gets, Amount: len(items)})
	return true
}

// scan goes over everything; what is the writer's own does not change meanwhile.
func (w *writer) scan() bool {
	from := time.Now().UnixMilli()
	var mine []store.Item
	for it, err := range w.c.store.Items(w.ctx) {
		if w.c.failed("scan", err) {
			return false
		}
		if ownedBy(w.n, it.ID) {
			mine = append(mine, it)
		}
	}
	ids := make([]string, w.work.IDs)
	for i := range ids {
		ids[i] = writerID(w.n, i)
	}
	w.hold(mine, ids, from)
	w.c.send(&message{What: ended, Worker: w.n, Op: scans, Amount: len(mine)})
	return true
}

// hold compares what a read has answered about ids with what has to be there,
// between the moment from and now.
func (w *writer) hold(items []store.Item, ids []string, from int64) {
	seen := make(map[string]bool, len(items))
	for i := range items {
		it := &items[i]
		v := w.have[it.ID]
		if seen[it.ID] {
			w.c.tell(Invented, "a read showed %s twice", it.ID)
		}
		seen[it.ID] = true
		if verdict, text := judge(it.ID, v, versionOf(it), canon(it), from); verdict != "" {
			w.c.tell(verdict, "while the store was in use: %s", text)
		}
	}
	to := time.Now().UnixMilli()
	for _, id := range ids {
		if v := w.have[id]; !seen[id] && v.lives(to) {
			w.c.tell(Lost, "while the store was in use: %s is not there", id)
		}
	}
}
