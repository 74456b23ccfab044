package engine_test

import (
	"fmt"
	"maps"
	"slices"

	"oubliette/engine"
)

// modelStore is what a store should hold: indexes by name.
type modelStore struct {
	indexes map[string]*modelIndex
}

// modelIndex is what an index should hold, and whom it should let in.
type modelIndex struct {
	name string
	born int // tells it from others of its name
	keys *epochState
	// epoch counts the changes of users and keys.
	epoch   int
	revoked []epochLogin // open nothing any more
	items   map[string]modelItem
	// late are ids whose item has expired, and its death may not have been logged:
	// a delete of them may or may not find it.
	late map[string]bool
	// graves are ids that have been deleted or have expired, and whose rows may still
	// be among those that a scan goes through.
	graves   map[string]bool
	expired  []crashVersion // every one, in order
	receipts []modelReceipt
	seq      uint64 // of the last delete
}

// modelItem is an item and the number that tells it from all others.
type modelItem struct {
	engine.Item
	version int
}

// modelReceipt is a delete, who has made it in which epoch, and how many items it has
// found; late more, which had expired, it may have found.
type modelReceipt struct {
	engine.Receipt
	ids         []string
	epoch       int
	found, late int
	key         engine.Key
}

func newModelIndex(name string, born int) *modelIndex {
	return &modelIndex{name: name, born: born, keys: newEpochState(), items: make(map[string]modelItem), late: make(map[string]bool), graves: make(map[string]bool)}
}

// tag names an index among all that there ever were.
func (x *modelIndex) tag() string { return fmt.Sprintf("%s#%d", x.name, x.born) }

func (x *modelIndex) version(id string) crashVersion {
	return crashVersion{x.tag(), id, x.items[id].version}
}

// clone is a copy that changes of the original do not reach.
func (s *modelStore) clone() *modelStore {
	out := &modelStore{indexes: make(map[string]*modelIndex)}
	for name, x := range s.indexes {
		out.indexes[name] = x.clone()
	}
	return out
}

func (x *modelIndex) clone() *modelIndex {
	c := *x
	c.items, c.late, c.graves = maps.Clone(x.items), maps.Clone(x.late), maps.Clone(x.graves)
	c.revoked, c.expired, c.receipts = slices.Clone(x.revoked), slices.Clone(x.expired), slices.Clone(x.receipts)
	return &c
}

// lives tells whether a version is what its index holds.
func (s *modelStore) lives(v crashVersion) bool {
	for _, x := range s.indexes {
		if x.tag() == v.index {
			it, ok := x.items[v.id]
			return ok && it.version == v.version
		}
	}
	return false
}

// put makes of the model what an upsert makes of the index.
func (x *modelIndex) put(items []modelItem, now int64) {
	for _, it := range items {
		x.items[it.ID] = it
		delete(x.late, it.ID)
	}
	x.drop(now)
}

// due is what has expired by a time.
func (x *modelIndex) due(by int64) (ids []string) {
	for id, it := range x.items {
		if !it.ExpiresAt.IsZero() && it.ExpiresAt.UnixMilli() <= by {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// drop takes away what has expired by a time.
func (x *modelIndex) drop(by int64) {
	for _, id := range x.due(by) {
		x.expired = append(x.expired, x.version(id))
		delete(x.items, id)
		x.late[id], x.graves[id] = true, true
	}
}

// remove makes of the model what a delete makes of the index, and answers how many
// items that has found, and how many more it may have.
func (x *modelIndex) remove(ids []string) (found, late int) {
	for _, id := range ids {
		if _, ok := x.items[id]; ok {
			found++
		} else if x.late[id] {
			late++
		}
		delete(x.items, id)
		delete(x.late, id)
		x.graves[id] = true
	}
	return found, late
}

// want are the items of ids, in order.
func (x *modelIndex) want(ids []string) (out []engine.Item) {
	for _, id := range ids {
		if it, ok := x.items[id]; ok {
			out = append(out, it.Item)
		}
	}
	return out
}

// purged: the deaths of all that has died are logged, and no row of it is left.
func (x *modelIndex) purged() {
	clear(x.late)
	clear(x.graves)
}
