package engine_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"oubliette/engine"
)

// Who may what in the crash tests: keys, users, and what changes them.

// epochLogin is a key, and whose it is or was; the zero id is root's.
type epochLogin struct {
	user engine.UserID
	key  engine.Key
	perm engine.Permission
}

func (l epochLogin) opts() []engine.OpOption {
	if l.user == (engine.UserID{}) {
		return []engine.OpOption{engine.WithIndexKey(l.key)}
	}
	return as(l.user, l.key)
}

func (l epochLogin) String() string {
	if l.user == (engine.UserID{}) {
		return "root"
	}
	return "user " + l.user.String()
}

// epochState is whose key opens what in an epoch. It is never changed once
// somebody else has it, but for reader.
type epochState struct {
	root   engine.Key
	users  map[engine.UserID]epochLogin
	reader string // which reader key the header slots are sealed to; set when the epoch has begun
}

func newEpochState() *epochState {
	return &epochState{root: engine.NewKey(), users: make(map[engine.UserID]epochLogin)}
}

func (s *epochState) logins() []epochLogin {
	out := []epochLogin{{key: s.root, perm: engine.PermRead | engine.PermWrite}}
	for _, u := range s.users {
		out = append(out, u)
	}
	return out
}

func (s *epochState) has(l epochLogin) bool {
	if l.user == (engine.UserID{}) {
		return l.key.Equal(s.root)
	}
	u, ok := s.users[l.user]
	return ok && u.key.Equal(l.key)
}

// addTo adds the logins that are not among some yet.
func (s *epochState) addTo(some []epochLogin) []epochLogin {
	for _, l := range s.logins() {
		if !slices.ContainsFunc(some, func(o epochLogin) bool { return o.user == l.user && o.key.Equal(l.key) }) {
			some = append(some, l)
		}
	}
	return some
}

// epochChange is one change of who may what.
type epochChange struct {
	what string
	// next is what it makes of an epoch; keys that are new are drawn each time.
	next func(*epochState) *epochState
	run  func(ix *engine.Index, from, to *epochState) error
}

func (s *epochState) with(change func(*epochState)) *epochState {
	c := &epochState{root: s.root, users: maps.Clone(s.users)}
	change(c)
	return c
}

func epochCreate(n byte, perm engine.Permission) epochChange {
	id := userID(n)
	return epochChange{
		fmt.Sprintf("CreateUserKeys of %d with %d", n, perm),
		func(s *epochState) *epochState {
			return s.with(func(c *epochState) { c.users[id] = epochLogin{id, engine.NewKey(), perm} })
		},
		func(ix *engine.Index, from, to *epochState) error {
			return ix.CreateUserKeys(context.Background(), id, to.users[id].key, perm, from.root)
		},
	}
}

func epochDelete(n byte) epochChange {
	id := userID(n)
	return epochChange{
		fmt.Sprintf("DeleteUserKeys of %d", n),
		func(s *epochState) *epochState { return s.with(func(c *epochState) { delete(c.users, id) }) },
		func(ix *engine.Index, from, _ *epochState) error {
			return ix.DeleteUserKeys(context.Background(), id, from.root)
		},
	}
}

func epochRotate() epochChange {
	return epochChange{
		"RotateKey",
		func(s *epochState) *epochState { return s.with(func(c *epochState) { c.root = engine.NewKey() }) },
		func(ix *engine.Index, from, to *epochState) error {
			return ix.RotateKey(context.Background(), from.root, to.root)
		},
	}
}

// The users of these tests.
const (
	epochReader, epochWriter, epochBoth, epochStays, epochNew = 1, 2, 3, 4, 5

	readWrite = engine.PermRead | engine.PermWrite
)
