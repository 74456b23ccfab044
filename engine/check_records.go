package engine

import (
	"fmt"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/fault"
	"oubliette/internal/meta"
	"oubliette/wal"
)

// catalogue reads epoch record and grants again.
func (k *checker) catalogue() {
	again := &catalogued{name: k.cat.name, id: k.cat.id}
	if err := again.load(k.db.meta); err != nil {
		k.found(err)
		return
	}
	if again.record.Signature != k.cat.record.Signature {
		k.damaged(fmt.Sprintf("epoch record of index %q", k.cat.name), "is another one than was loaded")
	}
}

// manifest holds what is on disk against what is in memory.
func (k *checker) manifest(v *view) {
	k.installMu.Lock()
	defer k.installMu.Unlock()
	m, err := k.db.readManifest(k.cat)
	if err != nil {
		k.found(err)
		return
	}
	if m.Version != k.state.manifest.Version {
		k.damaged("manifest", "version %d on disk, %d in memory", m.Version, k.state.manifest.Version)
	}
	for i := range m.Segments {
		if _, err := k.db.readDead(k.cat.id, &m.Segments[i]); err != nil {
			k.found(err)
		}
	}
	for _, x := range v.sealed {
		k.listed(m, x.seg.id, true)
	}
	for _, o := range v.open {
		k.listed(m, o.mem.id, false)
	}
}

func (k *checker) listed(m *compaction.Manifest, id crypto.SegmentID, sealed bool) {
	if seg := m.Segment(id); seg == nil || seg.Sealed != sealed {
		k.damaged("manifest", "does not list segment %s as it is", id)
	}
}

// records holds the segment records against the manifest.
func (k *checker) records() {
	k.rollMu.Lock() // no segment is being made
	defer k.rollMu.Unlock()
	k.installMu.Lock()
	defer k.installMu.Unlock()
	live := make(map[crypto.SegmentID]bool)
	prefix := meta.SegmentPrefix(k.cat.id)
	k.found(k.db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		_, id, ok := meta.ParseSegmentKey(key)
		switch {
		case !ok || len(value) != 1:
			k.damaged("segment records", "record of %d bytes", len(value))
		case value[0] == segmentLive:
			live[id] = true
		case k.work != nil && k.work.makes(id):
		case !k.db.opts.ReadOnly: // else the next Open's work
			k.damaged(k.db.segmentPath(k.cat.id, id), "could not be destroyed yet")
		}
		return nil
	}))
	for i := range k.state.manifest.Segments {
		id := k.state.manifest.Segments[i].ID
		if !live[id] {
			k.damaged("record of segment "+id.String(), "is not live, the manifest lists it")
		}
		delete(live, id)
	}
	for id := range live {
		k.damaged("record of segment "+id.String(), "is live, the manifest does not list it")
	}
}

// files looks for what nothing knows in the index's folder.
func (k *checker) files() {
	strays, err := k.db.strays(k.cat.id)
	k.found(err)
	for _, path := range strays {
		k.found(fault.Corrupt(path, 0, "nothing knows this file: %w", fault.ErrForeign))
	}
}

// outcomes reads what has been noted of deletes.
func (k *checker) outcomes() {
	prefix := meta.OutcomePrefix(k.cat.id)
	k.found(k.db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, value []byte) error {
		_, err := k.cat.outcome(key, value)
		k.found(err)
		return nil
	}))
}

// log verifies every group that is there.
func (k *checker) log() {
	k.installMu.Lock() // no truncation meanwhile
	defer k.installMu.Unlock()
	src := wal.Source{DB: k.db.meta, Index: k.cat.id, Writer: k.cat.writer, MapKey: func(epoch uint64) (crypto.Secret, bool) {
		return k.mapKey, epoch == k.cat.record.Epoch
	}, Every: true}
	_, err := wal.Replay(src, k.state.manifest.Start, func(wal.Position, []wal.Replayed) error {
		k.LogGroups++
		return nil
	})
	k.found(err)
}
