package engine

import (
	"slices"
	"sync/atomic"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/segment"
	"oubliette/wal"
)

// memtable knows the committed rows of a segment that has no index yet. Its
// maps are guarded by state.mu.
type memtable struct {
	id     crypto.SegmentID
	epoch  uint64
	dek    crypto.Hash
	path   string
	file   *segment.File
	writer *segment.Writer // nil when a crash left the segment open: nothing is appended to it
	// When writer is nil: the end of the row area, and how many row numbers it has.
	dataEnd uint64
	rows    uint32

	// places: token → the newest row of the token in this segment, as a
	// position in entries.
	places  map[crypto.Token]int32
	entries []segment.Entry

	// displaced rows and space of aborted calls, not yet in the dead set.
	displaced []displacedRow
	space     []segment.Extent

	before wal.Position // of the log, behind which its rows begin; set with the first row
	begun  bool         // before is set

	// expires is no later than the earliest expiry of a row that places name; 0:
	// none of them expires.
	expires uint64

	inflight atomic.Int32 // calls that have reserved rows and not settled
	retired  atomic.Bool  // no call reserves here any more
	broken   atomic.Bool  // its file failed a write: its rows have to move
}

// displacedRow is a row with a newer version of its item in the same memtable.
type displacedRow struct {
	token crypto.Token
	seq   uint64
	compaction.Death
}

// entrySize is what a row costs in memory: its entry, and its token and
// position in the map with the map's slack.
const entrySize = 104 + 48

func newMemtable(id crypto.SegmentID, epoch uint64, dek crypto.Hash, path string, file *segment.File) *memtable {
	return &memtable{id: id, epoch: epoch, dek: dek, path: path, file: file, places: make(map[crypto.Token]int32)}
}

// put publishes a committed row; the row that it displaces in this segment
// dies. Rows come in sequence order; before is where the log stood before the
// group that brought the row.
func (m *memtable) put(e segment.Entry, before wal.Position) {
	if old, ok := m.places[e.Token]; ok {
		was := &m.entries[old]
		m.displaced = append(m.displaced, displacedRow{was.Token, was.Seq, death(was)})
	}
	m.begin(before)
	m.expires = sooner(m.expires, e.Expires)
	m.places[e.Token] = int32(len(m.entries))
	m.entries = append(m.entries, e)
}

// begin notes where the log stood before the segment's first row.
func (m *memtable) begin(before wal.Position) {
	if !m.begun {
		m.before, m.begun = before, true
	}
}

// get is the newest row of a token here.
func (m *memtable) get(tok crypto.Token) (segment.Entry, bool) {
	i, ok := m.places[tok]
	if !ok {
		return segment.Entry{}, false
	}
	return m.entries[i], true
}

// bury takes a place away if it still names that row.
func (m *memtable) bury(tok crypto.Token, row uint32) {
	if i, ok := m.places[tok]; ok && m.entries[i].Row == row {
		delete(m.places, tok)
	}
}

// live answers the rows that places name. It needs no lock: the memtable takes
// no rows any more and no call is under way in it, so maintenance alone, which
// asks, changes it.
func (m *memtable) live() []segment.Entry {
	out := make([]segment.Entry, 0, len(m.places))
	for _, i := range m.places {
		out = append(out, m.entries[i])
	}
	return out
}

// unburied is where dead bytes are that the dead set does not know yet.
func (m *memtable) unburied() []segment.Extent {
	out := slices.Clone(m.space)
	for _, d := range m.displaced {
		out = append(out, d.Extent)
	}
	return out
}

func (m *memtable) bytes() int64 { return int64(len(m.entries)) * entrySize }

func death(e *segment.Entry) compaction.Death {
	return compaction.Death{Row: e.Row, Extent: e.Extent()}
}
