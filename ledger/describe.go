package ledger

import (
	"oubliette/crypto"
	"oubliette/wal"
)

// Description is what an entry says of itself to who looks through a ledger. It is
// as the entry has it: whether it is so, Read checks.
type Description struct {
	Kind  string // begin, group, epoch or gone
	Index crypto.IndexID
	Name  string // of the index: in begin and epoch, else ""

	// Where in the index's log: of a group, its number and those of its first and
	// last record; of a begin, behind which group and number the ledger knows the
	// index; of an epoch, with which the one before ended. FirstSeq is a group's
	// alone; gone has none.
	Group, FirstSeq, LastSeq uint64
	Epoch                    uint64 // 0 in begin
}

// Describe reads an entry. An error is an *[Error] of kind ErrAltered, or of
// fault.ErrNewer, without its place.
func Describe(entry []byte) (Description, error) {
	e, err := decodeEntry(entry)
	if err != nil {
		return Description{}, undecoded(err)
	}
	switch e := e.(type) {
	case *Begin:
		return Description{Kind: "begin", Index: e.Index, Name: e.Name, Group: e.At.Group, LastSeq: e.At.Seq}, nil
	case *wal.Stubbed:
		at := e.Position()
		return Description{Kind: "group", Index: e.Index(), Group: at.Group, FirstSeq: e.FirstSeq(), LastSeq: at.Seq, Epoch: e.Epoch()}, nil
	case *epoch:
		r := e.record
		return Description{Kind: "epoch", Index: r.Index, Name: r.Name, Group: r.Pin.Group, LastSeq: r.Pin.Seq, Epoch: r.Epoch}, nil
	}
	g := e.(*gone)
	return Description{Kind: "gone", Index: g.index, Epoch: g.epoch}, nil
}
