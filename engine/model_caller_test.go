package engine_test

import (
	"context"
	"maps"
	"slices"
	"strings"

	"oubliette/engine"
	"oubliette/segment"
)

// modelCaller is who makes a call, with which handle, and what is expected of it.
type modelCaller struct {
	who     string
	login   epochLogin
	ix      *engine.Index
	opts    []engine.OpOption
	refused error // whatever is asked for; nil: perm tells
}

// may answers the error with which a call that needs a permission is refused.
func (c *modelCaller) may(need engine.Permission) error {
	if c.refused != nil {
		return c.refused
	}
	if c.login.perm&need != need {
		return engine.ErrPermission
	}
	return nil
}

// as draws who calls: mostly root by its own handle; else root's or a user's key
// on each call, a handle bound to a user, or somebody who is refused.
func (m *modelMachine) as(x *modelIndex) modelCaller {
	root := modelCaller{"root", epochLogin{key: x.keys.root, perm: readWrite}, m.roots[x.name], nil, nil}
	switch kind := m.pick(16, "caller"); {
	case kind < 8:
		return root
	case kind == 8:
		return modelCaller{"root, per call", root.login, m.bare[x.name], root.login.opts(), nil}
	case kind < 12:
		return m.user(x, root)
	case kind == 12 && len(x.revoked) > 0:
		l := x.revoked[m.pick(len(x.revoked), "revoked")]
		return modelCaller{"a key that is no more", l, m.bare[x.name], l.opts(), engine.ErrWrongKey}
	case kind == 13:
		l := epochLogin{user: userID(99), key: x.keys.root}
		return modelCaller{"an unknown user", l, m.roots[x.name], l.opts(), engine.ErrWrongKey}
	case kind == 14:
		return modelCaller{who: "nobody", ix: m.bare[x.name], refused: engine.ErrKeyRequired}
	case kind == 15 && len(m.lost) > 0:
		l := root.login
		return modelCaller{"the owner of an index that is no more", l, m.lost[m.pick(len(m.lost), "lost")], l.opts(), engine.ErrIndexNotFound}
	}
	return root
}

// user draws a user, and how it comes.
func (m *modelMachine) user(x *modelIndex, root modelCaller) modelCaller {
	users := x.users()
	if len(users) == 0 {
		return root
	}
	l := users[m.pick(len(users), "user")]
	c := modelCaller{l.String(), l, m.bare[x.name], l.opts(), nil}
	switch m.pick(3, "handle") {
	case 1:
		c.ix = m.roots[x.name] // the call's key counts
	case 2:
		bound, err := m.db.LoadIndex(context.Background(), x.name, l.opts()...)
		m.must(err)
		c.ix, c.opts = bound, nil
	}
	return c
}

// users are the index's users, in the order of their ids.
func (x *modelIndex) users() []epochLogin {
	return slices.SortedFunc(maps.Values(x.keys.users), func(a, b epochLogin) int {
		return slices.Compare(a.user[:], b.user[:])
	})
}

// CreateUser lets a user in, or gives one another key and other permissions.
func (m *modelMachine) createUser() {
	m.change(epochCreate(byte(m.pick(4, "user")), engine.Permission(1+m.pick(3, "permission"))))
}

// deleteUser revokes a user, who may not be there.
func (m *modelMachine) deleteUser() { m.change(epochDelete(byte(m.pick(4, "user")))) }

// rotate gives root another key.
func (m *modelMachine) rotate() { m.change(epochRotate()) }

// change begins another epoch, as root or as somebody who may not.
func (m *modelMachine) change(c epochChange) {
	x := m.index()
	ix := m.roots[x.name]
	if len(x.keys.users)+len(x.revoked) > 0 && m.oneIn(4, "not root") {
		logins := append(x.users(), x.revoked...)
		from := &epochState{root: logins[m.pick(len(logins), "whose key")].key, users: x.keys.users}
		m.wants(c.what+" by another", c.run(ix, from, c.next(from)), engine.ErrWrongKey)
		return
	}
	next, was := c.next(x.keys), m.slots(ix)
	m.must(c.run(ix, x.keys, next))
	if is := m.slots(ix); was != "" && is != "" && (is == was) == x.keys.shutsOut(next) {
		m.t.Fatalf("%s: the header slots are sealed to reader key %.8s, they were to %.8s", c.what, is, was)
	}
	m.enterEpoch(x, next)
	m.must(m.handles(x))
	if users, err := ix.ListUserKeys(context.Background(), next.root); err != nil || len(users) != len(next.users) {
		m.t.Fatalf("%s: the users are %v (%v), want %d", c.what, users, err, len(next.users))
	}
}

// slots is the reader key to which an index's segments are sealed, each in one slot;
// empty where there is none.
func (m *modelMachine) slots(ix *engine.Index) (reader string) {
	m.t.Helper()
	headers, err := epochHeaders(m.disk.mem)
	m.must(err)
	for path, slots := range headers {
		if !strings.Contains(path, ix.ID().String()) {
			continue
		}
		for _, b := range slots {
			if len(b) < segment.HeaderSlotSize || string(b[:8]) != epochSlotMagic {
				continue // zeros, or of a file on its way in
			}
			if is := epochSealedTo(b); reader != "" && is != reader || slots[0] != nil && slots[1] != nil {
				m.t.Fatalf("%s has a header slot of reader key %.8s, another has %.8s", path, is, reader)
			} else {
				reader = is
			}
		}
	}
	return reader
}

// shutsOut tells whether somebody who could read may not any more: then every segment
// is sealed to another reader key.
func (s *epochState) shutsOut(next *epochState) bool {
	if !s.root.Equal(next.root) {
		return true
	}
	for id, u := range s.users {
		if n, ok := next.users[id]; u.perm&engine.PermRead != 0 && (!ok || !n.key.Equal(u.key)) {
			return true
		}
	}
	return false
}

// enterEpoch notes whose keys open nothing any more.
func (m *modelMachine) enterEpoch(x *modelIndex, next *epochState) {
	was := append(x.users(), epochLogin{key: x.keys.root, perm: readWrite})
	if len(next.users) != len(x.keys.users) || !next.root.Equal(x.keys.root) || !maps.EqualFunc(next.users, x.keys.users, func(a, b epochLogin) bool { return a.key.Equal(b.key) }) {
		x.epoch++
	}
	for _, l := range was {
		if !next.has(l) {
			x.revoked = append(x.revoked, l)
		}
	}
	if n := len(x.revoked); n > 5 {
		x.revoked = slices.Clone(x.revoked[n-5:])
	}
	x.keys = next
}
