package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"oubliette/engine"
)

// get asks for known and unknown ids.
func (m *modelMachine) get() {
	x := m.index()
	who := m.as(x)
	ids := m.ids()
	fields := engine.Fields(m.pick(8, "fields"))
	have, err := who.ix.Get(context.Background(), ids, fields, who.opts...)
	if m.wants("Get by "+who.who, err, who.may(engine.PermRead)) {
		return
	}
	want := x.want(ids)
	for i := range want {
		want[i] = only(want[i], fields)
	}
	if !slices.EqualFunc(have, want, equal) {
		m.t.Fatalf("Get of %v by %s answers %v, want %v", ids, who.who, idsOf(have), idsOf(want))
	}
}

// count counts.
func (m *modelMachine) count() {
	x := m.index()
	who := m.as(x)
	n, err := who.ix.Count(context.Background(), who.opts...)
	if !m.wants("Count by "+who.who, err, who.may(engine.PermRead)) && n != len(x.items) {
		m.t.Fatalf("Count by %s is %d, want %d", who.who, n, len(x.items))
	}
}

// touched holds what a step has touched against the model, and one id more, another
// at each step.
func (m *modelMachine) touched(x *modelIndex, ids []string) {
	m.t.Helper()
	ids = append(slices.Clone(ids), modelID(m.steps%modelIDs))
	have, err := m.roots[x.name].Get(context.Background(), ids, engine.AllFields)
	m.must(err)
	if want := x.want(ids); !slices.EqualFunc(have, want, equal) {
		m.t.Fatalf("Get of %v answers %v, want %v as they were upserted", ids, idsOf(have), idsOf(want))
	}
}

// modelWhole is after how many steps the whole store is held against the model.
const modelWhole = 40

// check holds the store against the model after each step: a count, and now and then
// everything.
func (m *modelMachine) check() {
	m.t.Helper()
	m.steps++
	if m.steps%modelWhole == 0 {
		m.whole()
	}
	for name, x := range m.is.indexes {
		if n, err := m.roots[name].Count(context.Background()); err != nil || n != len(x.items) {
			m.t.Fatalf("Count of %q is %d (%v), want %d", name, n, err, len(x.items))
		}
	}
}

// whole holds everything that can be read against the model.
func (m *modelMachine) whole() {
	m.t.Helper()
	m.must(m.is.shownBy(m.db))
}

// shownBy is nil when a store shows what it should: to root everything, to every user
// as much as he may see, and nothing to who has been revoked.
func (s *modelStore) shownBy(db *engine.DB) error {
	names, err := db.ListIndexes()
	if err != nil {
		return err
	}
	if want := slices.Sorted(maps.Keys(s.indexes)); !slices.Equal(names, want) {
		return fmt.Errorf("the indexes are %q, want %q", names, want)
	}
	for _, name := range names {
		if err := s.indexes[name].shownBy(db); err != nil {
			return fmt.Errorf("index %q: %w", name, err)
		}
	}
	return nil
}

func (x *modelIndex) shownBy(db *engine.DB) error {
	ctx := context.Background()
	ix, err := db.LoadIndex(ctx, x.name, engine.WithIndexKey(x.keys.root))
	if err != nil {
		return err
	}
	if err := x.all(ix); err != nil {
		return err
	}
	for _, l := range x.users() {
		if _, err := db.LoadIndex(ctx, x.name, l.opts()...); err != nil {
			return fmt.Errorf("%v is shut out: %w", l, err)
		}
	}
	for _, l := range x.revoked {
		if _, err := db.LoadIndex(ctx, x.name, l.opts()...); !errors.Is(err, engine.ErrWrongKey) {
			return fmt.Errorf("a key of %v that is no more: %w", l, err)
		}
	}
	return x.knows(ix, len(x.receipts)-1)
}

// all is nil when a scan shows every item once, and nothing else.
func (x *modelIndex) all(ix *engine.Index) error {
	seen := make(map[string]bool)
	for it, err := range ix.Items(context.Background(), engine.AllFields) {
		if err != nil {
			return err
		}
		want, ok := x.items[it.ID]
		switch {
		case !ok:
			return fmt.Errorf("a scan shows %q, which is gone", it.ID)
		case seen[it.ID]:
			return fmt.Errorf("a scan shows %q twice", it.ID)
		case !equal(it, want.Item):
			return fmt.Errorf("a scan shows another version of %q than was upserted last", it.ID)
		}
		seen[it.ID] = true
	}
	for id := range x.items {
		if !seen[id] {
			return fmt.Errorf("a scan does not show %q", id)
		}
	}
	return nil
}
