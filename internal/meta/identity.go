package meta

import (
	"bytes"
	"slices"

	"oubliette/crypto"
	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

// identityFile stands beside Pebble's files and says which they are. Pebble itself
// takes whatever stands under the right name: a manifest that was cut for one whose
// end a crash has torn, a missing log for one that never was, and another database's
// table or log for its own.
const identityFile = "IDENTITY"

const (
	identityMagic   = "OUBLDBI\x00"
	identityVersion = 1
	// slotSize is the largest block that disks write as one. There are two slots,
	// written in turn: where a write was cut off, the other one says what was so
	// before. Nearer together one write that is cut off could take both: a disk with
	// sectors of 512 bytes on blocks of 4 KiB writes the whole block anew.
	slotSize     = 4096
	identitySize = 2 * slotSize
	checksumSize = 8
	maxMarks     = 2
	maxLogs      = 48
)

// identity is what the file says.
type identity struct {
	id         [16]byte // the database's
	generation uint64   // counts up with every write
	marks      []mark   // of the manifest in use, and of one that is to follow it
	logs       []uint64 // numbers of the log files that have to be there
}

// mark says what was durable of a manifest: anything behind it may be torn.
type mark struct {
	number uint64
	length uint64
	sum    [16]byte // of that many bytes, the first half of their SHA-256
}

// slot is where a generation is written.
func (n *identity) slot() int64 { return int64(n.generation % 2 * slotSize) }

// encode is a slot.
func (n *identity) encode() []byte {
	var e codec.Encoder
	e.Raw([]byte(identityMagic))
	e.U16(identityVersion)
	e.Raw(n.id[:])
	e.U64(n.generation)
	e.U8(uint8(len(n.marks)))
	for _, m := range n.marks {
		e.U64(m.number)
		e.U64(m.length)
		e.Raw(m.sum[:])
	}
	e.U8(uint8(len(n.logs)))
	for _, l := range n.logs {
		e.U64(l)
	}
	e.Raw(make([]byte, slotSize-checksumSize-len(e.B)))
	sum := crypto.Sum(e.B)
	e.Raw(sum[:checksumSize])
	return e.B
}

// decodeIdentity answers the newer slot of those that are whole. Where none is it
// tells foreign, newer and damaged apart.
func decodeIdentity(path string, b []byte) (identity, error) {
	one, err := decodeSlot(path, b[:min(len(b), slotSize)])
	two, other := decodeSlot(path, b[min(len(b), slotSize):min(len(b), identitySize)])
	switch {
	case err != nil && other != nil:
		return one, err
	case len(b) > identitySize:
		return one, fault.Corrupt(path, identitySize, "goes on behind its %d bytes: %w", identitySize, fault.ErrDamaged)
	case err != nil || other == nil && two.generation > one.generation:
		return two, nil
	}
	return one, nil
}

func decodeSlot(path string, b []byte) (n identity, err error) {
	d := codec.NewDecoder(b)
	if magic := d.Raw(len(identityMagic)); !bytes.Equal(magic, []byte(identityMagic)) {
		return n, fault.Corrupt(path, 0, "%w", fault.ErrForeign)
	}
	if v := d.U16(); d.Err() == nil && v > identityVersion {
		return n, fault.Corrupt(path, 8, "version %d, this build reads up to %d: %w", v, identityVersion, fault.ErrNewer)
	} else if d.Err() == nil && v < identityVersion {
		return n, fault.Corrupt(path, 8, "version %d never was: %w", v, fault.ErrDamaged)
	}
	end := slotSize - checksumSize
	if len(b) != slotSize {
		return n, fault.Corrupt(path, int64(len(b)), "ends in a slot of %d bytes: %w", slotSize, fault.ErrDamaged)
	}
	if sum := crypto.Sum(b[:end]); !bytes.Equal(sum[:checksumSize], b[end:]) {
		return n, fault.Corrupt(path, int64(end), "checksum does not fit: %w", fault.ErrDamaged)
	}
	d.Copy(n.id[:])
	n.generation = d.U64()
	n.marks = make([]mark, min(d.U8(), maxMarks))
	for i := range n.marks {
		n.marks[i].number, n.marks[i].length = d.U64(), d.U64()
		d.Copy(n.marks[i].sum[:])
	}
	n.logs = make([]uint64, min(d.U8(), maxLogs))
	for i := range n.logs {
		n.logs[i] = d.U64()
	}
	if d.Err() != nil || d.Offset() > end || len(bytes.Trim(b[d.Offset():end], "\x00")) > 0 {
		return n, fault.Corrupt(path, int64(d.Offset()), "lists that do not fit: %w", fault.ErrDamaged)
	}
	return n, nil
}

// markOf answers a manifest's mark.
func (n *identity) markOf(number uint64) (mark, bool) {
	i := slices.IndexFunc(n.marks, func(m mark) bool { return m.number == number })
	if i < 0 {
		return mark{}, false
	}
	return n.marks[i], true
}

// setMark notes what is durable of a manifest. Of others only that in use keeps its
// mark.
func (n *identity) setMark(m mark, inUse uint64) {
	n.marks = slices.DeleteFunc(n.marks, func(x mark) bool { return x.number == m.number || x.number != inUse })
	n.marks = append(n.marks, m)
}

// addLog lists a log file. Where there are too many the oldest is no longer listed:
// then nobody is told that it is missing.
func (n *identity) addLog(number uint64) {
	n.logs = append(n.logs, number)
	n.logs = n.logs[max(0, len(n.logs)-maxLogs):]
}

// dropLog takes a log file off the list, and answers whether it was on it.
func (n *identity) dropLog(number uint64) bool {
	before := len(n.logs)
	n.logs = slices.DeleteFunc(n.logs, func(l uint64) bool { return l == number })
	return len(n.logs) < before
}
