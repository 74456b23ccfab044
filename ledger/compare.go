package ledger

import (
	"oubliette/crypto"
	"oubliette/wal"
)

// Comparison is how an index of the store stands to the ledger, where it may be
// opened.
type Comparison struct {
	// Missing are the groups that the store lacks, in order, their signatures
	// checked: empty where it is no older than the ledger. One group is what a
	// crash may leave. The log goes on from the last one's Position.
	Missing []*wal.Stubbed
	// Epochs are records behind the store's newest one, in order, each
	// succeeding the one before: the store is from before a change of epoch.
	Epochs []*crypto.EpochRecord
	// LacksEpoch: the store has the next epoch, or the first one behind a begin,
	// and its record is to be appended to the ledger. A crash in a change of
	// epoch leaves that, or one behind a begin.
	LacksEpoch bool
	// Gone: root has deleted the index, and a crash, or an older store, has it
	// still.
	Gone bool
}

// Same tells whether store and ledger agree.
func (c *Comparison) Same() bool {
	return len(c.Missing) == 0 && len(c.Epochs) == 0 && !c.LacksEpoch && !c.Gone
}

// Compare tells how an index that Options.Store knows stands to the ledger. An
// index that the ledger does not know, and a store that has more than the ledger
// or is older than it, are ErrCut; two continuations of one history are ErrFork.
//
// The store's State is believed. Who made it without a key has to come to the
// same one when the index is loaded with a key.
func (h *History) Compare(id crypto.IndexID) (*Comparison, error) {
	x := h.indexes[id]
	bad := wrong(ErrCut, "the ledger does not know the index")
	if x != nil {
		if bad = x.compareLog(); bad == nil {
			bad = x.compareEpoch()
		}
	}
	if bad != nil {
		bad.Index = id
		return nil, bad
	}
	return &Comparison{
		Missing: x.missing, Epochs: x.epochs, Gone: x.Gone,
		LacksEpoch: x.store.Record.Epoch > x.Epoch,
	}, nil
}

func (x *Index) compareLog() *Error {
	if !x.known {
		return wrong(ErrCut, "nothing is known of the store's log")
	}
	at, begin := &x.store.At, &x.Begin.At
	switch {
	case at.LastDelete.Group < begin.LastDelete.Group:
		return wrong(ErrCut, "the store's last delete is group %d, the ledger begins behind group %d: what was between is not known", at.LastDelete.Group, begin.LastDelete.Group)
	case at.Group < begin.Group: // with no delete between, but numbers that were used
		return wrong(ErrCut, "the store's log ends with group %d, the ledger begins behind group %d: what was between is not known", at.Group, begin.Group)
	case at.LastDelete.Group == begin.LastDelete.Group && at.LastDelete != begin.LastDelete,
		at.Group == begin.Group && (at.Head != begin.Head || at.Seq != begin.Seq):
		return wrong(ErrFork, "the store has another group %d than the one with which the ledger begins", at.LastDelete.Group)
	case at.LastDelete.Group > x.Last.LastDelete.Group:
		return wrong(ErrCut, "the store's last delete is group %d, the ledger's group %d", at.LastDelete.Group, x.Last.LastDelete.Group)
	}
	if len(x.missing) == 0 {
		return nil
	}
	// The store has no delete behind mark; so it must have nothing at all at the
	// number of the first one that it lacks.
	first := x.missing[0]
	if n := first.Position().Group; n <= at.Group || first.FirstSeq() <= at.Seq || n == at.Group+1 && first.Previous() != at.Head {
		bad := wrong(ErrFork, "the store's log goes on to group %d without this delete", at.Group)
		bad.Group = n
		return bad
	}
	return nil
}

func (x *Index) compareEpoch() *Error {
	r := x.store.Record
	switch {
	case x.record == nil && r.Name != x.Begin.Name:
		return wrong(ErrFork, "the store calls the index %q, the ledger %q", r.Name, x.Begin.Name)
	case x.record == nil: // it has just begun, and has no groups
		return nil
	case r.Epoch < x.first:
		return wrong(ErrCut, "the store is of epoch %d, the ledger begins with epoch %d", r.Epoch, x.first)
	case r.Epoch <= x.Epoch: // its record was compared when it came
		return nil
	case r.Epoch > x.Epoch+1:
		return wrong(ErrCut, "the store is of epoch %d, the ledger's last is epoch %d", r.Epoch, x.Epoch)
	}
	return x.follows(&epoch{record: r, sum: x.store.Sum})
}
