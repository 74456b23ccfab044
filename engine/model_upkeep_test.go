package engine_test

import (
	"context"

	"oubliette/engine"
)

// purge erases: no byte of what has died may be left. With a rewrite nothing is where
// it was.
func (m *modelMachine) purge() {
	x := m.index()
	who := m.as(x)
	need, opts := engine.PermWrite, who.opts
	if m.oneIn(4, "rewrite") {
		need, opts = readWrite, append([]engine.OpOption{engine.WithRewrite()}, opts...)
	}
	_, err := who.ix.Purge(context.Background(), opts...)
	if m.wants("Purge by "+who.who, err, who.may(need)) {
		return
	}
	x.purged()
	m.erased(x)
	m.residue(x, "after Purge")
}

// compact rewrites.
func (m *modelMachine) compact() {
	x := m.index()
	who := m.as(x)
	err := who.ix.Compact(context.Background(), who.opts...)
	if !m.wants("Compact by "+who.who, err, who.may(readWrite)) {
		m.residue(x, "after Compact")
	}
}

// roll closes the open segment, and may give it its index.
func (m *modelMachine) roll() {
	ix := m.roots[m.index().name]
	m.must(ix.Roll(context.Background()))
	if rapidBool(m.t, "seal") {
		m.must(ix.SealNow(context.Background()))
	}
}

// apply finds what is dead, and erases nothing.
func (m *modelMachine) apply() {
	m.must(m.roots[m.index().name].ApplyNow(context.Background(), func() {}))
}

// fsck checks every record, row and signature.
func (m *modelMachine) fsck() {
	x := m.index()
	who := m.as(x)
	_, err := who.ix.Check(context.Background(), who.opts...)
	m.wants("Check by "+who.who, err, who.may(0))
}

// createIndex makes an index, or is refused when there is one.
func (m *modelMachine) createIndex() {
	name := modelNames[m.pick(len(modelNames), "name")]
	if m.is.indexes[name] != nil {
		_, err := m.db.CreateIndex(context.Background(), name, engine.NewKey(), engine.IndexConfig{})
		m.wants("CreateIndex", err, engine.ErrIndexExists)
		return
	}
	m.create(name)
}

func (m *modelMachine) create(name string) {
	m.born++
	x := newModelIndex(name, m.born)
	ctx := context.Background()
	_, err := m.db.CreateIndex(ctx, name, x.keys.root, engine.IndexConfig{Dimension: testDim * m.pick(2, "dimension")})
	m.must(err)
	m.is.indexes[name] = x
	m.must(m.handles(x))
}

// deleteIndex deletes an index, or is refused without root's key.
func (m *modelMachine) deleteIndex() {
	x := m.index()
	ctx := context.Background()
	if users := x.users(); len(users) > 0 && rapidBool(m.t, "not root") {
		m.wants("DeleteIndex by a user", m.db.DeleteIndex(ctx, x.name, users[0].key), engine.ErrWrongKey)
		return
	}
	ids := make([]string, 0, len(x.items))
	for n := range modelIDs {
		ids = append(ids, modelID(n))
	}
	m.note(x, ids)
	m.lost = append(m.lost, m.roots[x.name])
	m.must(m.db.DeleteIndex(ctx, x.name, x.keys.root))
	delete(m.is.indexes, x.name)
	delete(m.roots, x.name)
	delete(m.bare, x.name)
	m.residue(x, "after DeleteIndex")
}
