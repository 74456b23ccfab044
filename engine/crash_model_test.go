package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"oubliette/engine"
)

// crashModel is what a store should hold: index → id → version of the item, and
// what goes with it. It is never changed once somebody else has it.
type crashModel struct {
	indexes map[string]map[string]int
	// who is whose keys open an index, and for what. An index that is not in it may
	// be opened by anybody: somebody else holds that against what it should be.
	who      map[string]*epochState
	receipts []crashReceipt // of the deletes that have been acknowledged
	copied   *crashCopy     // a restored store beside this one; nil: there is none
}

func newCrashModel() *crashModel { return &crashModel{indexes: make(map[string]map[string]int)} }

// with is a copy in which change has been made to one index.
func (m *crashModel) with(index string, change func(items map[string]int)) *crashModel {
	c := *m
	c.indexes = maps.Clone(m.indexes)
	items := maps.Clone(c.indexes[index])
	if items == nil {
		items = make(map[string]int)
	}
	change(items)
	c.indexes[index] = items
	return &c
}

func (m *crashModel) without(index string) *crashModel {
	c := *m
	c.indexes, c.who = maps.Clone(m.indexes), maps.Clone(m.who)
	delete(c.indexes, index)
	delete(c.who, index)
	c.receipts = slices.DeleteFunc(slices.Clone(m.receipts), func(r crashReceipt) bool { return r.index == index })
	return &c
}

// openTo is a copy in which an index is open to others than before.
func (m *crashModel) openTo(index string, who *epochState) *crashModel {
	c := *m
	if c.who = maps.Clone(m.who); c.who == nil {
		c.who = make(map[string]*epochState)
	}
	c.who[index] = who
	return &c
}

// toAnybody is a copy that says nothing of who may what.
func (m *crashModel) toAnybody() *crashModel {
	if m == nil {
		return nil
	}
	c := *m
	c.who = nil
	return &c
}

// crashReceipt is an acknowledged delete, and how many items it has found.
type crashReceipt struct {
	index       string
	ids         []string
	receipt     engine.Receipt
	least, most int
}

// acknowledged is a copy with one more delete.
func (m *crashModel) acknowledged(r crashReceipt) *crashModel {
	c := *m
	c.receipts = append(slices.Clip(m.receipts), r)
	return &c
}

// crashCopy is a store that Restore makes of a backup, and what it should hold.
type crashCopy struct {
	dir    string
	stream []byte
	is     *crashModel
}

// with a copy beside it; nil takes it away.
func (m *crashModel) withCopy(copied *crashCopy) *crashModel {
	c := *m
	c.copied = copied
	return &c
}

// crashVersion names one version of one item of one index.
type crashVersion struct {
	index, id string
	version   int
}

func (v crashVersion) String() string { return fmt.Sprintf("%s/%s@%d", v.index, v.id, v.version) }

func (m *crashModel) lives(v crashVersion) bool {
	version, ok := m.indexes[v.index][v.id]
	return ok && version == v.version
}

// crashItem is the item of a version. Sizes differ, so that rows do not line
// up with blocks.
func crashItem(id string, version int) engine.Item {
	size := 200
	if len(id) > 0 && id[0] == 'L' {
		size = 1700 + 37*(version%7)
	}
	it := sizedItem(id, version, size)
	if crashExpires(id) {
		it.ExpiresAt = time.UnixMilli(expiry).UTC()
	}
	return it
}
