package engine_test

import (
	"context"
	"slices"
	"time"

	"oubliette/engine"
)

// modelTick is how far apart the moments are at which items expire, in
// milliseconds.
const modelTick = 20_000

// expiry is when an item of the next upsert expires; some have expired by then.
func (m *modelMachine) expiry() time.Time {
	in := m.pick(16, "expires in")
	if in < 10 {
		return time.Time{}
	}
	return time.UnixMilli(m.clock.Load() + int64(in-11)*modelTick).UTC()
}

// item is the next version of an item.
func (m *modelMachine) item(id string, size, absent int, expires time.Time) modelItem {
	m.next++
	it := modelItem{sizedItem(id, m.next, size), m.next}
	if absent&1 != 0 {
		it.Vector = nil
	}
	if absent&2 != 0 {
		it.Contents = nil
	}
	if absent&4 != 0 {
		it.Metadata = nil
	}
	it.ExpiresAt = expires
	return it
}

// upsert puts new and known items, some fields absent, some ids twice.
func (m *modelMachine) upsert() {
	x := m.index()
	who := m.as(x)
	ids := m.ids()
	size := []int{0, 10, 100, 300, 1000, 3000, 9000}[m.pick(7, "size")]
	absent := max(0, m.pick(12, "absent")-4)
	expires := m.expiry()
	items := make([]modelItem, len(ids))
	for i, id := range ids {
		items[i] = m.item(id, size, absent, expires)
	}
	m.note(x, ids)
	err := who.ix.Upsert(context.Background(), engineItems(items), who.opts...)
	if !m.wants("Upsert by "+who.who, err, who.may(engine.PermWrite)) {
		m.put(x, items)
	}
	m.touched(x, ids)
}

// put makes of the model what an upsert has made of the index.
func (m *modelMachine) put(x *modelIndex, items []modelItem) {
	x.put(items, m.clock.Load())
	for _, it := range items { // some have expired
		if _, lives := x.items[it.ID]; !lives {
			m.hidden(x, []string{it.ID})
		}
	}
}

func engineItems(items []modelItem) []engine.Item {
	out := make([]engine.Item, len(items))
	for i := range items {
		out[i] = items[i].Item
	}
	return out
}

// delete deletes known and unknown ids, some twice.
func (m *modelMachine) delete() {
	x := m.index()
	who := m.as(x)
	ids := m.ids()
	m.note(x, ids)
	r, err := who.ix.Delete(context.Background(), ids, who.opts...)
	if !m.wants("Delete by "+who.who, err, who.may(engine.PermWrite)) {
		m.deleted(x, who, ids, r)
	}
	m.touched(x, ids)
}

// deleted makes of the model what a delete has made of the index.
func (m *modelMachine) deleted(x *modelIndex, who modelCaller, ids []string, r engine.Receipt) {
	if r.Seq <= x.seq || r.Count != len(slices.Compact(slices.Sorted(slices.Values(ids)))) || r.User != who.login.user {
		m.t.Fatalf("delete of %d ids by %s after number %d has the receipt %+v", len(ids), who.who, x.seq, r)
	}
	x.seq = r.Seq
	if m.forget--; m.forget == 0 {
		return
	}
	found, late := x.remove(ids)
	x.receipts = append(x.receipts, modelReceipt{r, ids, x.epoch, found, late, who.login.key})
	m.hidden(x, ids)
}

// tick lets time pass: items expire.
func (m *modelMachine) tick() {
	to := m.clock.Load() + int64(1+m.pick(3, "more ticks"))*modelTick
	due := make(map[string][]string)
	for name, x := range m.is.indexes {
		due[name] = x.due(to)
		m.note(x, due[name])
	}
	m.clock.Store(to)
	for name, x := range m.is.indexes {
		x.drop(to)
		m.hidden(x, due[name])
	}
}

// expire logs what has expired, and applies nothing; an id comes back meanwhile.
func (m *modelMachine) expire() {
	x := m.index()
	it := m.item(modelID(m.pick(modelIDs, "id")), 100, 0, m.expiry())
	m.note(x, []string{it.ID})
	m.must(m.roots[x.name].ExpireNow(context.Background(), func() {
		m.must(m.roots[x.name].Upsert(context.Background(), []engine.Item{it.Item}))
	}))
	m.put(x, []modelItem{it})
	m.touched(x, []string{it.ID})
}
