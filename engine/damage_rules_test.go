package engine_test

import (
	"errors"
	"os"
	"strings"

	"oubliette/engine"
	"oubliette/ledger"
)

// may is what a damaged store may be taken for: what was acknowledged, and nothing
// else, but for the one thing that cannot be told. After a crash the end of
// Pebble's log is torn, and so it is taken where it is damaged or cut: what is
// left is the state before some call, all calls before it whole. With the ledger all
// deletes are there even then.
func (tr *damageTrial) may() []damageState {
	first := len(tr.history) - 1
	if tr.loses() {
		first = 0
	}
	var out []damageState
	for i := first; i < len(tr.history); i++ {
		m := tr.history[i]
		if tr.ledger && tr.manner != damageReadUnledgered {
			m = forgetting(m, tr.history[i:])
		}
		out = append(out, damageState{m, i == len(tr.history)-1})
	}
	return out
}

// loses tells whether the end of the log may be lost unnoticed. A log that is gone,
// or is another one, is not.
func (tr *damageTrial) loses() bool {
	unclean := !tr.closed || tr.damage.touches("CLEAN")
	return unclean && tr.damage.touches("log") && (tr.damage.op == damageFlip || tr.damage.op == damageCut || tr.damage.op == damageOlder)
}

// revives tells whether a segment's file is what it was before rows in it were
// erased. Nobody looks there again but Check, which tells it; nothing shows the rows.
func (tr *damageTrial) revives() bool {
	return tr.damage.op == damageOlder && tr.damage.touches("segment")
}

// forgetting is a state without what was deleted afterwards.
func forgetting(m *crashModel, later []*crashModel) *crashModel {
	for i := 1; i < len(later); i++ {
		for name, before := range later[i-1].indexes {
			for id := range before {
				if _, lives := later[i].indexes[name][id]; !lives && m.indexes[name] != nil {
					m = m.with(name, func(items map[string]int) { delete(items, id) })
				}
			}
		}
	}
	return m
}

// outside tells whether the change has put sealed rows where no row belongs, or
// into a file that is not read: copies that were made outside of the store.
func (tr *damageTrial) outside() bool {
	switch tr.damage.op {
	case damageCopy:
		return damageKind(tr.damage.other) == "segment"
	case damageExchange:
		return tr.damage.touches("segment")
	}
	return false
}

// refuses is what is wrong with an error: empty when it says that something is
// damaged, and which file.
func (tr *damageTrial) refuses(err error) string {
	var c *engine.CorruptionError
	corrupt := errors.As(err, &c) && c.Err != nil && errors.Is(err, engine.ErrCorrupt)
	switch {
	case errors.Is(err, engine.ErrFailed):
		return "damage is told as a failed write"
	case corrupt && tr.named(c.Path, err.Error()):
		return ""
	case tr.loses() && tr.ledger && errors.Is(err, engine.ErrRolledBack): // to before a change of keys
		return ""
	case tr.besideLedger() && isLedgerError(err) && strings.Contains(err.Error(), damageLedger):
		return ""
	case tr.besideLedger() && tr.manner.reads() && errors.Is(err, os.ErrNotExist) && strings.Contains(err.Error(), damageLedger):
		return "" // it was removed, and a reader makes none
	case corrupt:
		return "another place is named"
	}
	return "no CorruptionError"
}

// besideLedger tells whether store and ledger may not fit together.
func (tr *damageTrial) besideLedger() bool {
	return tr.ledger && tr.manner != damageReadUnledgered && (tr.damage.touches("ledger") || tr.loses())
}

func isLedgerError(err error) bool {
	return errors.Is(err, ledger.ErrNotOurs) || errors.Is(err, ledger.ErrAltered) || errors.Is(err, ledger.ErrCut) ||
		errors.Is(err, ledger.ErrFork) || errors.Is(err, engine.ErrNewer)
}

// named tells whether the path of an error leads to what was changed.
func (tr *damageTrial) named(path, text string) bool {
	for changed := range tr.damage.files(tr.damageScene) {
		switch damageKind(changed) {
		case "segment", "FORMAT", "ledger":
			if path == changed {
				return true
			}
		case "CLEAN": // it, or it and the database, which do not fit together
			if path == changed || path == storeDir+"/pebble" && strings.Contains(text, "CLEAN") {
				return true
			}
		default: // a file of Pebble's: the database, or a record in it, or what does not fit a record
			if strings.HasPrefix(path, storeDir+"/pebble") || !strings.HasPrefix(path, storeDir) || strings.HasSuffix(path, ".seg") {
				return true
			}
		}
	}
	return false
}
