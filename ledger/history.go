package ledger

import (
	"fmt"
	"iter"

	"oubliette/crypto"
	"oubliette/wal"
)

// Options says how a ledger is read. Every entry is checked to have its place in
// its index's chain, and every epoch record; who signed groups only as Full says.
type Options struct {
	// ID is that of the store whose ledger it is ([File.Store]): that an index is
	// gone, root has signed for one store alone.
	ID [16]byte
	// Store answers what the store has of an index, false where it has nothing.
	// nil: there is no store at hand. It is asked once an index.
	Store func(crypto.IndexID) (State, bool)
	// Full checks every signature of every group. Without it those are checked
	// that lie behind what the store has: the others hang from the hash of the
	// store's last delete.
	Full bool
}

// State is what a store has of an index.
type State struct {
	At     wal.Position        // where its log ends: wal.Tail
	Record *crypto.EpochRecord // its newest
	Sum    crypto.Hash         // of that record's bytes
}

// History is what a ledger knows. It is safe for concurrent use once read.
type History struct {
	indexes map[crypto.IndexID]*Index
	order   []*Index
	o       Options
}

// Index is what a ledger knows of one index.
type Index struct {
	Begin  Begin
	Last   wal.Position // behind the last group, Begin.At where there is none
	Groups int
	Epoch  uint64      // of the newest epoch record, 0: none
	Sum    crypto.Hash // of that record's bytes
	Gone   bool        // root has deleted it

	record *crypto.EpochRecord // the newest
	first  uint64              // epoch of the first
	tip    *wal.Stubbed        // the last group, to tell a fork by
	tipOf  *crypto.EpochRecord // its epoch
	store  State
	known  bool // to the store

	// Behind what the store has.
	missing []*wal.Stubbed
	epochs  []*crypto.EpochRecord
}

// Read takes the entries of a ledger, as they come from [Ledger.Entries], and
// checks each against what came before it. The first that does not fit is an
// *Error with its place. It keeps the groups that the store lacks, and of the
// others the last one of each index.
func Read(entries iter.Seq2[Stored, error], o Options) (*History, error) {
	h := &History{indexes: make(map[crypto.IndexID]*Index), o: o}
	for s, err := range entries {
		if err != nil {
			return nil, err
		}
		if bad := h.take(s.Entry); bad != nil {
			bad.Offset = s.Offset
			return nil, bad
		}
	}
	return h, nil
}

// Indexes are those that the ledger knows, in the order in which they begin.
func (h *History) Indexes() []*Index { return h.order }

// Index is what the ledger knows of an index, nil if nothing.
func (h *History) Index(id crypto.IndexID) *Index { return h.indexes[id] }

func (h *History) take(b []byte) *Error {
	e, err := decodeEntry(b)
	if err != nil {
		return undecoded(err)
	}
	switch e := e.(type) {
	case *Begin:
		return h.begin(e)
	case *wal.Stubbed:
		at := e.Position()
		return h.of(e.Index(), at.Group, func(x *Index) *Error { return x.group(e, at, h.o.Full) })
	case *epoch:
		return h.of(e.record.Index, 0, func(x *Index) *Error { return x.epoch(e) })
	case *gone:
		return h.of(e.index, 0, func(x *Index) *Error { return x.gone(e, h.o.ID) })
	}
	panic(fmt.Sprintf("ledger: entry of type %T", e))
}

func (h *History) begin(b *Begin) *Error {
	if h.indexes[b.Index] != nil {
		bad := wrong(ErrAltered, "begins twice")
		bad.Index = b.Index
		return bad
	}
	x := &Index{Begin: *b, Last: b.At}
	if h.o.Store != nil {
		x.store, x.known = h.o.Store(b.Index)
	}
	h.indexes[b.Index] = x
	h.order = append(h.order, x)
	return nil
}

// of calls f with the index that an entry speaks of, and puts the place into its
// error.
func (h *History) of(id crypto.IndexID, group uint64, f func(*Index) *Error) (bad *Error) {
	switch x := h.indexes[id]; {
	case x == nil:
		bad = wrong(ErrCut, "no entry says where the index begins")
	case x.Gone:
		bad = wrong(ErrAltered, "stands behind the end of the index")
	default:
		bad = f(x)
	}
	if bad != nil {
		bad.Index, bad.Group = id, group
	}
	return bad
}

// group takes a group. Its place is checked first, then what the store says of
// it, then its signatures where they are asked for.
func (x *Index) group(g *wal.Stubbed, at wal.Position, full bool) *Error {
	if bad := x.inEpoch(g, at); bad != nil {
		return bad
	}
	if bad := x.inChain(g, at); bad != nil {
		return bad
	}
	mark := x.store.At.LastDelete
	behind := x.known && at.Group > mark.Group
	switch {
	case x.known && at.Group == mark.Group && at.Head != mark.Hash:
		return x.another(g, "the store has another group of that number, %s", mark.Hash)
	case behind && x.Last.LastDelete.Group < mark.Group:
		return x.another(g, "goes on from group %d, the store's group %d deletes as well", x.Last.LastDelete.Group, mark.Group)
	}
	if full || behind {
		if err := g.Verify(writerOf(x.record)); err != nil {
			return wrong(ErrAltered, "%w", err)
		}
	}
	if behind {
		x.missing = append(x.missing, g)
	}
	x.Last, x.tip, x.tipOf = at, g, x.record
	x.Groups++
	return nil
}

// writerOf answers who may write in the record's epoch, and in no other.
func writerOf(r *crypto.EpochRecord) func(crypto.UserID, uint64) (crypto.VerifyKey, bool) {
	return func(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
		if epoch != r.Epoch {
			return crypto.VerifyKey{}, false
		}
		return r.Writer(user)
	}
}

// inEpoch holds a group against the newest epoch: another one has not begun yet,
// or is over.
func (x *Index) inEpoch(g *wal.Stubbed, at wal.Position) *Error {
	switch {
	case x.record == nil:
		return wrong(ErrCut, "is of epoch %d, there is no epoch record before it", g.Epoch())
	case g.Epoch() > x.Epoch:
		return wrong(ErrCut, "is of epoch %d, whose record is not there", g.Epoch())
	case g.Epoch() < x.Epoch:
		return wrong(ErrAltered, "is of epoch %d, which has ended", g.Epoch())
	}
	pin := &x.record.Pin
	if at.Group <= pin.Group || g.FirstSeq() <= pin.Seq || at.Group == pin.Group+1 && g.Previous() != pin.Head {
		return wrong(ErrAltered, "does not go on from group %d, with which the epoch before ended", pin.Group)
	}
	return nil
}

// inChain holds a group against the last one.
func (x *Index) inChain(g *wal.Stubbed, at wal.Position) *Error {
	before, last := g.LastDelete(), x.Last.LastDelete
	switch {
	case at == x.Last:
		return wrong(ErrAltered, "stands there twice")
	case before.Group > last.Group:
		return wrong(ErrCut, "goes on from group %d, the last one here is group %d", before.Group, last.Group)
	case before.Group < last.Group:
		return x.another(g, "goes on from group %d, and so does group %d", before.Group, last.Group)
	case before.Hash != last.Hash:
		return wrong(ErrAltered, "goes on from another group %d than the one here", last.Group)
	case at.Group <= x.Last.Group || g.FirstSeq() <= x.Last.Seq:
		return wrong(ErrAltered, "its numbers do not ascend from group %d", x.Last.Group)
	case at.Group == x.Last.Group+1 && (g.Previous() != x.Last.Head || g.FirstSeq() != x.Last.Seq+1):
		return wrong(ErrAltered, "does not follow group %d", x.Last.Group)
	}
	return nil
}

// another is what to call a group that does not go with the last one or with the
// store's: a fork when both groups are signed by their writers, altered
// otherwise.
func (x *Index) another(g *wal.Stubbed, format string, args ...any) *Error {
	kind := ErrFork
	if g.Verify(writerOf(x.record)) != nil || x.tip != nil && x.tip.Verify(writerOf(x.tipOf)) != nil {
		kind = ErrAltered
	}
	return wrong(kind, format, args...)
}

// epoch takes an epoch record.
func (x *Index) epoch(e *epoch) *Error {
	r := e.record
	if r.Name != x.Begin.Name {
		return wrong(ErrAltered, "epoch %d calls the index %q, its beginning %q", r.Epoch, r.Name, x.Begin.Name)
	}
	if x.record == nil {
		x.first = r.Epoch
	} else if bad := x.follows(e); bad != nil {
		return bad
	}
	if x.known {
		switch {
		case r.Epoch == x.store.Record.Epoch && e.sum != x.store.Sum:
			return wrong(ErrFork, "the store has another record of epoch %d", r.Epoch)
		case r.Epoch > x.store.Record.Epoch:
			x.epochs = append(x.epochs, r)
		}
	}
	x.record, x.Epoch, x.Sum = r, r.Epoch, e.sum
	return nil
}

// follows holds a record against the one before it. One that is signed by the
// same root and goes on from elsewhere is a fork.
func (x *Index) follows(e *epoch) *Error {
	r, last := e.record, &x.Last
	another := ErrAltered
	if r.Root == x.record.Root {
		another = ErrFork
	}
	switch {
	case e.sum == x.Sum:
		return wrong(ErrAltered, "the record of epoch %d stands there twice", r.Epoch)
	case r.Epoch > x.Epoch+1:
		return wrong(ErrCut, "epoch %d follows epoch %d", r.Epoch, x.Epoch)
	case r.Epoch <= x.Epoch:
		return wrong(another, "epoch %d follows epoch %d", r.Epoch, x.Epoch)
	case r.Previous != x.Sum:
		return wrong(another, "epoch %d goes on from another record of epoch %d than the one here", r.Epoch, x.Epoch)
	case r.Root != x.record.Root && !r.SucceededFrom(x.record.Root):
		return wrong(ErrAltered, "epoch %d has another root, to whom the one before has not handed over", r.Epoch)
	case r.Pin.Group < last.Group || r.Pin.Seq < last.Seq || r.Pin.Group == last.Group && r.Pin.Head != last.Head:
		return wrong(ErrFork, "epoch %d goes on from group %d of another log, the last one here is group %d", r.Epoch, r.Pin.Group, last.Group)
	}
	return nil
}

// gone takes root's word that the index is deleted from the store.
func (x *Index) gone(g *gone, store [16]byte) *Error {
	switch {
	case x.record == nil:
		return wrong(ErrCut, "was deleted in epoch %d, there is no epoch record before it", g.epoch)
	case g.epoch > x.Epoch:
		return wrong(ErrCut, "was deleted in epoch %d, whose record is not there", g.epoch)
	case g.epoch < x.Epoch || !x.record.Root.Verify(crypto.DomainGone, g.statement(store), g.signature):
		return wrong(ErrAltered, "root has not signed that it is deleted from store %x", store)
	}
	x.Gone = true
	return nil
}
