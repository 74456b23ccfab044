package engine_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"pgregory.net/rapid"
)

// TestStoreBehavesAsItsModel drives a store with random steps, one after the other,
// and holds it against a simple model: a map of items an index, who may what, and
// what has been deleted. Every call that can be made of an index is among the steps,
// by root, by users and by those who are refused; so are iterators that stay open over
// many steps, crashes between steps, during calls and during recoveries, restarts,
// earlier states that are put back with and without a ledger, and backups that are
// restored. At the end every index is checked, and every file searched for bytes of
// what is dead.
//
// It makes up 25 sequences of about 150 steps, 4,000 with OUBLIETTE_LONG=1, or as
// many as -rapid.checks says. A failure is shrunk, and run again by the flags that it
// prints. What makes a run the same again: the steps and all that they draw; the keys
// of the first index, and with them the order in which scans of it show items; a clock
// that stands still but for steps, and a PurgeWithin of an hour, so that nothing is done
// because of the time that has passed. What is not: maintenance does what it has found
// to do, at the latest when another writer's keys or an Open wake it, beside the next
// steps. So the keys that are drawn later, and the mutation at which a crash during a
// call comes, may be others; and what a crash keeps of the unsynced, where it keeps a
// half, depends on the order of a map in the file system of the tests.
func TestStoreBehavesAsItsModel(t *testing.T) {
	sequences := "25"
	if crashLong() {
		sequences = "4000"
	}
	modelFlags(t, map[string]string{"rapid.checks": sequences, "rapid.steps": "150"})
	c := newModelCounts()
	defer func() { c.log(t) }()
	c.check(t, t, 0)
}

// modelFlags sets flags that are not set by the command line, until the test ends.
func modelFlags(t *testing.T, to map[string]string) {
	t.Helper()
	for name, value := range to {
		f := flag.Lookup(name)
		if f.Value.String() != f.DefValue {
			continue
		}
		must(t, f.Value.Set(value))
		t.Cleanup(func() { must(t, f.Value.Set(f.DefValue)) })
	}
}

// check runs sequences of random steps for a test, which may be another one than
// that whose end ends the determined randomness. forget is the delete that the model
// forgets in each sequence; 0: none.
func (c *modelCounts) check(t *testing.T, tb rapid.TB, forget int) {
	rapid.Check(tb, func(rt *rapid.T) {
		if n := len(c.failed); n > 1 && len(c.failed[n-1]) <= c.enough && len(c.failed[n-2]) <= c.enough {
			return // it has been shrunk, and has failed again
		}
		c.taken = nil
		rt.Cleanup(func() {
			if rt.Failed() {
				c.failed = append(c.failed, c.taken)
			}
		})
		cryptotest.SetGlobalRandom(t, uint64(rapid.Byte().Draw(rt, "keys"))) // no store is open; few bits are soon shrunk
		m := newModelMachine(rt)
		m.forget = forget
		actions := m.actions()
		rt.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
			name := modelStep.Draw(t, "step")
			c.step(name, actions[name])
			m.check()
		}})
		m.end()
		c.sequences++
	})
}

// modelShares is how often a step is drawn, of 512 times.
var modelShares = []struct {
	name  string
	share int
}{
	{"upsert", 110}, {"delete", 90}, {"get", 64}, {"goOn", 64}, {"scan", 32}, {"tick", 24}, {"count", 16}, {"status", 12},
	{"refuse", 20}, {"expire", 8}, {"apply", 8}, {"roll", 8}, {"purge", 8}, {"prove", 6}, {"fsck", 3}, {"keep", 5},
	{"compact", 4}, {"createUser", 5}, {"deleteUser", 3}, {"rotate", 2}, {"createIndex", 4}, {"deleteIndex", 2},
	{"reopen", 3}, {"crash", 2}, {"crashDuring", 4}, {"putBack", 3}, {"backup", 2},
}

// modelStep draws a step by its share. rapid's own choice among several favours the
// first.
var modelStep = rapid.Custom(func(t *rapid.T) string {
	n := 0
	for range 9 {
		n *= 2
		if rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	for _, s := range modelShares {
		if n -= s.share; n < 0 {
			return s.name
		}
	}
	return modelShares[n%len(modelShares)].name // the shares do not make up all
})

func (m *modelMachine) actions() map[string]func() {
	return map[string]func(){
		"upsert": m.upsert, "delete": m.delete, "get": m.get, "count": m.count, "scan": m.scan, "goOn": m.goOn,
		"tick": m.tick, "expire": m.expire, "status": m.status, "prove": m.prove, "refuse": m.refuse,
		"roll": m.roll, "apply": m.apply, "purge": m.purge, "compact": m.compact, "fsck": m.fsck,
		"createUser": m.createUser, "deleteUser": m.deleteUser, "rotate": m.rotate,
		"createIndex": m.createIndex, "deleteIndex": m.deleteIndex,
		"reopen": m.reopen, "crash": m.crash, "crashDuring": m.crashDuring, "keep": m.keep, "putBack": m.putBack, "backup": m.backup,
	}
}

// end checks every index, purges, and searches every file for what is dead.
func (m *modelMachine) end() {
	m.whole()
	ctx := context.Background()
	for name := range m.is.indexes {
		_, err := m.roots[name].Purge(ctx)
		m.must(err)
		_, err = m.roots[name].Check(ctx)
		m.must(err)
	}
	m.residue(nil, "at the end")
	m.close()
	m.residue(nil, "at the end, closed")
}

// modelCounts is what a run has done.
type modelCounts struct {
	began     time.Time
	sequences int
	of        map[string]int // steps by kind
	took      map[string]time.Duration
	longest   time.Duration
	slowest   string     // which step took longest
	taken     []string   // the steps of the sequence under way
	failed    [][]string // those of the sequences that failed
	enough    int        // to how few steps a failure is shrunk
}

func newModelCounts() *modelCounts {
	return &modelCounts{began: time.Now(), of: make(map[string]int), took: make(map[string]time.Duration)}
}

// step takes a step and counts it.
func (c *modelCounts) step(name string, run func()) {
	c.taken = append(c.taken, name)
	began := time.Now()
	run()
	c.of[name]++
	took := time.Since(began)
	c.took[name] += took
	if took > c.longest {
		c.longest, c.slowest = took, name
	}
}

func (c *modelCounts) log(t *testing.T) {
	total := 0
	var each []string
	for _, name := range slices.Sorted(maps.Keys(c.of)) {
		total += c.of[name]
		each = append(each, fmt.Sprintf("%s %d (%v each)", name, c.of[name], (c.took[name]/time.Duration(c.of[name])).Round(time.Microsecond)))
	}
	took := time.Since(c.began)
	t.Logf("%d steps in %d sequences, %.0f a second, the longest a %s of %v: %s", total, c.sequences, float64(total)/took.Seconds(), c.slowest, c.longest.Round(time.Millisecond), strings.Join(each, ", "))
}
