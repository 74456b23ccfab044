package engine

// AppliedSeqs is, for every index, the sequence number up to which deletes
// stand in dead records on disk, and up to which the manifest says that they are
// erased. It needs no key.
func (db *DB) AppliedSeqs() (applied, erased map[string]uint64, err error) {
	applied, erased = make(map[string]uint64), make(map[string]uint64)
	for name, c := range db.mu.catalogue {
		m, err := db.readManifest(c)
		if err != nil {
			return nil, nil, err
		}
		applied[name], erased[name] = m.Applied.Seq, m.Erased
	}
	return applied, erased, nil
}

// TailLimit sets how much the last step of a backup may have to read, and answers
// what sets it back.
func TailLimit(n uint64) func() {
	old := tailLimit
	tailLimit = n
	return func() { tailLimit = old }
}

// MaxLog sets how many bytes of log may need replaying, and answers what sets it
// back. No store may be open.
func MaxLog(n int64) func() {
	old := maxLog
	maxLog = n
	return func() { maxLog = old }
}
