package engine_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"oubliette/engine"
)

func rapidBool(t *rapid.T, what string) bool { return rapid.Bool().Draw(t, what) }

// draw is how a crash is.
func (m *modelMachine) crashDraw() modelCrash {
	return modelCrash{[]int{0, 100, 50}[m.pick(3, "percent kept")], uint64(m.pick(1000, "seed"))}
}

// reopen closes the store, in which nothing dead is left by then, and opens it again.
func (m *modelMachine) reopen() {
	m.close()
	m.residue(nil, "after Close")
	m.glance(m.is)
	m.open()
	m.whole()
}

// glance opens the store without a key, as a user, or for reading, and closes it
// again. What waits for a writer's key goes on waiting.
func (m *modelMachine) glance(states ...*modelStore) {
	m.t.Helper()
	kind := m.pick(8, "glance")
	if kind < 4 {
		return
	}
	m.opts.ReadOnly = kind >= 6
	m.must(m.openOnly())
	if len(states) == 1 && (kind == 5 || kind == 7) {
		m.glanceAsUsers(states[0])
	}
	m.must(untilAKey(m.db.Close()))
	m.db, m.opts.ReadOnly = nil, false
}

// glanceAsUsers reads everything as every user who may.
func (m *modelMachine) glanceAsUsers(s *modelStore) {
	m.t.Helper()
	ctx := context.Background()
	for _, x := range s.indexes {
		for _, l := range x.users() {
			ix, err := m.db.LoadIndex(ctx, x.name, l.opts()...)
			m.must(err)
			if l.perm&engine.PermRead != 0 {
				m.must(x.all(ix))
			}
		}
	}
}

// crash goes on with what a crash between two steps leaves.
func (m *modelMachine) crash() {
	fs := m.disk.clone(m.crashDraw())
	m.close()
	m.goOnWith(fs, m.is)
}

// crashDuring takes a step and crashes at some mutation in it: the store is as it was
// before the call or as it is after it, and never between.
func (m *modelMachine) crashDuring() {
	name := rapid.SampledFrom(modelCrashes).Draw(m.t, "during")
	m.ensureIndex() // now: making it would be a call of its own
	before, c := m.is.clone(), m.crashDraw()
	m.disk.arm(m.pick(256, "mutations")/8, c)
	m.actions()[name]()
	fs := m.disk.disarm()
	if fs == nil { // it is over by then
		fs = m.disk.clone(c)
	}
	after := m.is
	m.close()
	m.goOnWith(fs, after, before)
}

// modelCrashes are the steps during which there are crashes.
var modelCrashes = []string{
	"delete", "upsert", "purge", "compact", "expire", "roll", "apply", "createUser", "deleteUser", "rotate", "createIndex", "deleteIndex", "reopen",
}

// goOnWith goes on with an image, which has to show one of the states. It may crash
// once more while it is opened.
func (m *modelMachine) goOnWith(fs *vfs.MemFS, states ...*modelStore) {
	m.t.Helper()
	m.disk = newModelDisk(fs)
	late, graves := modelDead(states)
	m.glance(states...)
	if m.oneIn(4, "crash of the recovery") {
		c := m.crashDraw()
		m.disk.arm(m.pick(512, "mutations of the recovery")/8, c)
		states = m.recovered(states)
		again := m.disk.disarm()
		if again == nil {
			again = m.disk.clone(c)
		}
		m.close()
		m.disk = newModelDisk(again)
	}
	m.recovered(states)
	m.is.addDead(late, graves)
}

// recovered opens the store and tells which of the states it shows.
func (m *modelMachine) recovered(states []*modelStore) []*modelStore {
	m.t.Helper()
	m.must(m.openOnly())
	var errs []error
	for i, s := range states {
		err := s.shownBy(m.db)
		if err == nil {
			m.is = s
			m.load()
			return []*modelStore{s}
		}
		errs = append(errs, fmt.Errorf("state %d: %w", i, err))
	}
	m.t.Fatalf("after a crash the store is in none of the states that it may be in: %v", errors.Join(errs...))
	return nil
}

// modelDead is what is late, and what has a grave, in one of the states.
func modelDead(states []*modelStore) (late, graves map[crashVersion]bool) {
	late, graves = make(map[crashVersion]bool), make(map[crashVersion]bool)
	for _, s := range states {
		for _, x := range s.indexes {
			for id := range x.late {
				late[crashVersion{index: x.tag(), id: id}] = true
			}
			for id := range x.graves {
				graves[crashVersion{index: x.tag(), id: id}] = true
			}
		}
	}
	return late, graves
}

// addDead adds what has died in another state that the store may have come from.
func (s *modelStore) addDead(late, graves map[crashVersion]bool) {
	for _, x := range s.indexes {
		for n := range modelIDs {
			v := crashVersion{index: x.tag(), id: modelID(n)}
			if _, lives := x.items[v.id]; late[v] && !lives {
				x.late[v.id] = true
			}
			if graves[v] {
				x.graves[v.id] = true
			}
		}
	}
}
