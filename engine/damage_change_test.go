package engine_test

import (
	"bytes"
	"fmt"
	"slices"
)

// What is done to a file.
const (
	damageFlip     = "flip"     // one bit
	damageCut      = "cut"      // at a length
	damageRemove   = "removal"  //
	damageTwin     = "twin"     // another store's file in its place
	damageOlder    = "older"    // what it was at an earlier moment
	damageCopy     = "copy"     // another file of the same store in its place
	damageExchange = "exchange" // with another file of the same store
)

var damageOps = []string{damageFlip, damageCut, damageRemove, damageTwin, damageOlder, damageCopy, damageExchange}

// damage is one change of a scene's files.
type damage struct {
	op    string
	path  string
	at    int    // the byte; the length; which older state
	bit   int    //
	other string // the other file
}

func (d damage) String() string {
	switch d.op {
	case damageFlip:
		return fmt.Sprintf("bit %d of byte %d of %s flipped", d.bit, d.at, d.path)
	case damageCut:
		return fmt.Sprintf("%s cut at %d", d.path, d.at)
	case damageOlder:
		return fmt.Sprintf("%s as it was %d moments ago", d.path, d.at+1)
	case damageCopy:
		return fmt.Sprintf("%s in place of %s", d.other, d.path)
	case damageExchange:
		return fmt.Sprintf("%s and %s exchanged", d.path, d.other)
	}
	return d.op + " of " + d.path
}

// touches tells whether a file of this sort is changed.
func (d damage) touches(kind string) bool {
	return damageKind(d.path) == kind || d.op == damageExchange && damageKind(d.other) == kind
}

// files are those that it changes; nil: removed.
func (d damage) files(sc *damageScene) map[string][]byte {
	b := sc.files[d.path]
	switch d.op {
	case damageFlip:
		b = bytes.Clone(b)
		b[d.at] ^= 1 << d.bit
	case damageCut:
		b = b[:d.at]
	case damageRemove:
		b = nil
	case damageTwin:
		b = sc.twinOf(d.path)
	case damageOlder:
		b = sc.older[d.path][d.at]
	case damageCopy:
		b = sc.files[d.other]
	case damageExchange:
		return map[string][]byte{d.path: sc.files[d.other], d.other: b}
	}
	return map[string][]byte{d.path: b}
}

// changes answers whether the scene is another one with it.
func (d damage) changes(sc *damageScene) bool {
	for path, b := range d.files(sc) {
		if b == nil || !bytes.Equal(b, sc.files[path]) {
			return true
		}
	}
	return false
}

// damageRun are changes of one sort to one file, numbered.
type damageRun struct {
	n  int
	at func(i int) damage
}

// damagesOf are all changes of one sort to a file. Of flips there is one a byte; which
// bit, the byte's place and turn say.
func damagesOf(sc *damageScene, op, path string, turn int) damageRun {
	size := len(sc.files[path])
	switch op {
	case damageFlip:
		return damageRun{size, func(i int) damage { return damage{op: op, path: path, at: i, bit: (i + turn) % 8} }}
	case damageCut:
		return damageRun{size, func(i int) damage { return damage{op: op, path: path, at: i} }}
	}
	var out []damage
	add := func(d damage) {
		if d.op, d.path = op, path; d.changes(sc) {
			out = append(out, d)
		}
	}
	switch op {
	case damageRemove:
		add(damage{})
	case damageTwin:
		if sc.twinOf(path) != nil {
			add(damage{})
		}
	case damageOlder:
		for at := range sc.older[path] {
			add(damage{at: at})
		}
	case damageCopy, damageExchange:
		for _, other := range sc.paths() {
			if other != path && (op == damageCopy || path < other) {
				add(damage{other: other})
			}
		}
	}
	return damageRun{len(out), func(i int) damage { return out[i] }}
}

// damageGroup is what is done to the files of one sort in one way.
type damageGroup struct {
	kind string
	op   string
	n    int
	runs []damageRun
}

// at is a change of the group.
func (g *damageGroup) at(i int) damage {
	for _, r := range g.runs {
		if i < r.n {
			return r.at(i)
		}
		i -= r.n
	}
	panic(fmt.Sprintf("%d changes, not so many as %d more", g.n, i))
}

// damageGroups are all changes of a scene.
func damageGroups(sc *damageScene, turn int) (out []*damageGroup) {
	for _, path := range sc.paths() {
		for _, op := range damageOps {
			r, kind := damagesOf(sc, op, path, turn), damageKind(path)
			if r.n == 0 {
				continue
			}
			i := slices.IndexFunc(out, func(g *damageGroup) bool { return g.kind == kind && g.op == op })
			if i < 0 {
				i, out = len(out), append(out, &damageGroup{kind: kind, op: op})
			}
			out[i].n += r.n
			out[i].runs = append(out[i].runs, r)
		}
	}
	return out
}
