package engine_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"oubliette/engine"
)

// modelCursor is an iterator that stays open while other steps are taken.
type modelCursor struct {
	tag    string // of its index
	who    modelCaller
	ids    bool // alone
	fields engine.Fields
	next   func() (engine.Item, error, bool)
	stop   func()
	// must are ids that have lived since the scan began and have not come yet; may
	// those that may come beside: what is deleted and comes back while the scan goes
	// on, also what had been deleted before it began and not been purged. No other id
	// that comes later does.
	must, may, came map[string]bool
}

// modelCursors is how many may be open.
const modelCursors = 4

// scan opens an iterator, over items or ids.
func (m *modelMachine) scan() {
	if len(m.cursors) == modelCursors {
		m.cursors[0].stop()
		m.cursors = m.cursors[1:]
	}
	x := m.index()
	c := &modelCursor{tag: x.tag(), who: m.as(x), must: make(map[string]bool), may: make(map[string]bool), came: make(map[string]bool)}
	ctx := context.Background()
	if c.ids = m.oneIn(3, "ids alone"); c.ids {
		c.next, c.stop = iter.Pull2(idItems(c.who.ix.IDs(ctx, c.who.opts...)))
	} else {
		c.fields = engine.Fields(m.pick(8, "fields"))
		c.next, c.stop = iter.Pull2(c.who.ix.Items(ctx, c.fields, c.who.opts...))
	}
	for id := range x.items {
		c.must[id] = true
	}
	maps.Copy(c.may, x.graves)
	if want := c.who.may(engine.PermRead); want != nil {
		_, err, _ := c.next()
		m.wants("scan by "+c.who.who, err, want)
		c.stop()
		return
	}
	m.cursors = append(m.cursors, c)
	m.pull(c, 1) // a scan begins with its first step
}

func idItems(ids iter.Seq2[string, error]) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for id, err := range ids {
			if !yield(engine.Item{ID: id}, err) {
				return
			}
		}
	}
}

// goOn takes some steps of an iterator; often it goes to its end.
func (m *modelMachine) goOn() {
	if len(m.cursors) == 0 {
		m.scan()
		return
	}
	c := m.cursors[m.pick(len(m.cursors), "iterator")]
	n := m.pick(8, "steps")
	if n == 7 {
		n = modelIDs + 1
	}
	m.pull(c, n)
}

// pull takes n steps of an iterator and holds what comes against the index of that
// moment.
func (m *modelMachine) pull(c *modelCursor, n int) {
	m.t.Helper()
	for range n {
		it, err, ok := c.next()
		if !ok || err != nil {
			m.ended(c, err)
			return
		}
		x := m.find(c.tag)
		if x == nil {
			m.t.Fatalf("a scan of an index that is no more shows %q", it.ID)
		}
		want, lives := x.items[it.ID]
		switch {
		case !lives:
			m.t.Fatalf("scan by %s shows %q, which is gone", c.who.who, it.ID)
		case c.came[it.ID]:
			m.t.Fatalf("scan by %s shows %q twice", c.who.who, it.ID)
		case !c.must[it.ID] && !c.may[it.ID]:
			m.t.Fatalf("scan by %s shows %q, which came later", c.who.who, it.ID)
		case !c.ids && !equal(it, only(want.Item, c.fields)):
			m.t.Fatalf("scan by %s shows another version of %q than is there", c.who.who, it.ID)
		}
		c.came[it.ID] = true
		delete(c.must, it.ID)
	}
}

// only is an item with some of its fields.
func only(it engine.Item, fields engine.Fields) engine.Item {
	if fields&engine.FieldVector == 0 {
		it.Vector = nil
	}
	if fields&engine.FieldContents == 0 {
		it.Contents = nil
	}
	if fields&engine.FieldMetadata == 0 {
		it.Metadata = nil
	}
	return it
}

// ended takes an iterator that has come to its end: everything that has lived
// throughout has come, or its caller is shut out.
func (m *modelMachine) ended(c *modelCursor, err error) {
	m.t.Helper()
	c.stop()
	m.cursors = slices.DeleteFunc(m.cursors, func(o *modelCursor) bool { return o == c })
	x := m.find(c.tag)
	switch {
	case err == nil && len(c.must) > 0 && x != nil:
		m.t.Fatalf("scan by %s has not shown %v, which live throughout", c.who.who, slices.Sorted(maps.Keys(c.must)))
	case err == nil:
	case x == nil:
		m.wants("scan of an index that is no more", err, engine.ErrIndexNotFound)
	case x.keys.has(c.who.login):
		m.t.Fatalf("scan by %s, who may read: %v", c.who.who, err)
	default:
		m.wants("scan by "+c.who.who, err, engine.ErrWrongKey)
	}
}

// endCursors takes iterators over the end of the store: what has not been shown is
// not shown any more.
func (m *modelMachine) endCursors() {
	m.t.Helper()
	for _, c := range slices.Clone(m.cursors) {
		_, err, ok := c.next()
		want := engine.ErrClosed
		if m.find(c.tag) == nil && errors.Is(err, engine.ErrIndexNotFound) { // both are so
			want = engine.ErrIndexNotFound
		}
		if ok && m.wants("scan by "+c.who.who+" after Close", err, want) {
			c.stop()
			continue
		}
		m.ended(c, nil)
	}
	m.cursors = nil
}

// hidden notes that ids have been deleted, or have expired.
func (m *modelMachine) hidden(x *modelIndex, ids []string) {
	for _, c := range m.cursors {
		if c.tag != x.tag() {
			continue
		}
		for _, id := range ids {
			if c.must[id] {
				delete(c.must, id)
				c.may[id] = true
			}
		}
	}
}

// find is the index of a tag; nil when there is none.
func (m *modelMachine) find(tag string) *modelIndex {
	for _, x := range m.is.indexes {
		if x.tag() == tag {
			return x
		}
	}
	return nil
}
