package engine

// AppliedSeqs is, for every index, the sequence number up to which deletes
// stand in dead records on disk. It needs no key.
func (db *DB) AppliedSeqs() (map[string]uint64, error) {
	out := make(map[string]uint64)
	for name, c := range db.mu.catalogue {
		m, err := db.readManifest(c)
		if err != nil {
			return nil, err
		}
		out[name] = m.Applied.Seq
	}
	return out, nil
}
