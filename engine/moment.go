package engine

import (
	"oubliette/crypto"
	"oubliette/segment"
)

// openRows are the rows of one memtable as they were at some moment.
type openRows struct {
	openSegment
	entries []segment.Entry // of the memtable, which only adds to them
}

// openRowsLocked takes no longer than there are memtables: readers and the log's
// leader wait for whoever holds mu. What the rows amount to is worked out
// afterwards.
func (s *state) openRowsLocked() []openRows {
	out := make([]openRows, len(s.mu.view.open))
	for i, o := range s.mu.view.open {
		n := len(o.mem.entries)
		out[i] = openRows{o, o.mem.entries[:n:n]}
	}
	return out
}

// newestRows are the newest rows of all tokens in memtables, but those that are
// dead: a token of which only dead rows are left is one that the memtables know
// nothing of.
func newestRows(open []openRows) map[crypto.Token]openRow {
	n := 0
	for i := range open {
		n += len(open[i].entries)
	}
	out := make(map[crypto.Token]openRow, n)
	for i := range open {
		o := &open[i]
		for k := range o.entries {
			e := &o.entries[k]
			if was, ok := out[e.Token]; (!ok || was.Seq < e.Seq) && !o.dead.Contains(e.Row) {
				out[e.Token] = openRow{*e, o.mem.file, o.mem.dek}
			}
		}
	}
	return out
}

type openRow struct {
	segment.Entry
	file *segment.File
	dek  crypto.Hash
}
