package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/internal/meta"
	"oubliette/ledger"
	"oubliette/wal"
)

// CreateIndex makes an index under a name of 1 to 255 bytes, sealed under key,
// and answers a handle bound to it. It is durable when it returns. Another
// index of that name is ErrIndexExists.
func (db *DB) CreateIndex(ctx context.Context, name string, key Key, cfg IndexConfig) (*Index, error) {
	if err := db.writable(); err != nil {
		return nil, err
	}
	if err := validateName(name); err != nil {
		return nil, err
	}
	if key.IsZero() {
		return nil, fmt.Errorf("index %q: %w", name, ErrKeyRequired)
	}
	if err := errors.Join(cfg.validate(), ctx.Err()); err != nil {
		return nil, err
	}
	c, err := db.create(name, key, cfg)
	if err != nil {
		return nil, err
	}
	return db.handle(ctx, c, key, UserID{})
}

func validateName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty index name: %w", ErrInvalid)
	case len(name) > MaxName:
		return fmt.Errorf("index name of %d bytes, at most %d: %w", len(name), MaxName, ErrTooLarge)
	}
	return nil
}

// create writes a new index.
//
// Order: the folder of its segments, synced with its parent; the ledger's entries,
// synced; then one synced batch with catalogue entry, epoch record, root's grant and
// an empty manifest. A crash before the batch leaves an empty folder of a random
// name, which the next Open removes, and a ledger that knows an index that is not
// there; the batch is all or nothing.
func (db *DB) create(name string, key Key, cfg IndexConfig) (*catalogued, error) {
	db.adminMu.Lock()
	defer db.adminMu.Unlock()
	if err := db.certain(); err != nil {
		return nil, err
	}
	if _, err := db.find(name); err == nil || !errors.Is(err, ErrIndexNotFound) {
		if err == nil || !errors.Is(err, ErrClosed) {
			err = fmt.Errorf("index %q: %w", name, ErrIndexExists)
		}
		return nil, err
	}
	c, raw, batch, err := db.newIndex(name, key, cfg)
	if err != nil {
		return nil, err
	}
	fs, dir := db.opts.FS, db.segmentDir(c.id)
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := syncDir(fs, fs.PathDir(dir)); err != nil {
		return nil, err
	}
	if err := errors.Join(db.tellBegin(c, wal.Position{}), db.tell(c, ledger.EpochEntry(raw))); err != nil {
		batch.Close()
		return nil, err
	}
	if err := db.meta.Commit(batch); err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.mu.catalogue[name] = c
	return c, nil
}

// newIndex draws an index's keys and writes its records into a batch; raw is the
// epoch record.
func (db *DB) newIndex(name string, key Key, cfg IndexConfig) (_ *catalogued, raw []byte, _ *meta.Batch, _ error) {
	id := crypto.NewIndexID()
	p, err := crypto.DerivePrincipal(key, id, crypto.UserID{})
	if err != nil {
		return nil, nil, nil, err
	}
	g := crypto.Grant{ID: crypto.NewSecret(), Map: crypto.NewSecret(), Third: crypto.NewSecret()}
	defer g.Wipe()
	reader, err := crypto.NewReaderKey(g.Third)
	if err != nil {
		return nil, nil, nil, err
	}
	info := crypto.GrantInfo{Index: id, Epoch: 1, Kind: crypto.GrantRead}
	grant, err := crypto.SealGrant(p.Public(), info, g)
	if err != nil {
		return nil, nil, nil, err
	}
	signer := crypto.RootSigner(key, id)
	defer signer.Wipe()
	record := &crypto.EpochRecord{
		Index: id, Epoch: 1, Name: name, Dimension: uint32(cfg.Dimension),
		Reader: reader.Public().Bytes(),
		Users: []crypto.EpochUser{{
			Perm: crypto.PermRead | crypto.PermWrite, Sign: signer.Public(),
			KEM: p.Public().Bytes(), Read: crypto.Sum(grant),
		}},
	}
	raw, err = record.Sign(signer, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	manifest := &compaction.Manifest{Index: id, Epoch: 1, Version: 1, Dimension: uint32(cfg.Dimension)}
	batch := db.meta.NewBatch()
	batch.Set(meta.CatalogueKey(name), id[:])
	batch.Set(meta.EpochKey(id, 1), raw)
	batch.Set(meta.GrantKey(id, 1, crypto.UserID{}, byte(crypto.GrantRead)), grant)
	batch.Set(meta.ManifestKey(id), manifest.Sign(signer))
	c := &catalogued{name: name, id: id, record: record, sum: crypto.Sum(raw),
		grants: map[grantKey][]byte{{kind: crypto.GrantRead}: bytes.Clone(grant)}}
	return c, raw, batch, nil
}

// DeleteIndex removes an index with everything in it; only the index key may.
// When it returns the removal is durable and every key of its segments has been
// overwritten on the disk, so that no byte of theirs opens any more, and the
// files are gone. Open handles answer ErrIndexNotFound from then on. A crash on
// the way is finished by the next Open. When the removal is committed and a file
// cannot be overwritten, the index is gone and the error names the file; the
// next DeleteIndex, Close and the next Open try again, and Close names what is
// left.
//
// Order: the ledger, synced, where there is one; one synced batch that takes every
// record of the index away and marks its segment files doomed; then each file's header overwritten and synced, the
// file removed; the folder synced; their records removed.
func (db *DB) DeleteIndex(ctx context.Context, name string, key Key) error {
	if err := errors.Join(db.writable(), ctx.Err()); err != nil {
		return err
	}
	if key.IsZero() {
		return fmt.Errorf("index %q: %w", name, ErrKeyRequired)
	}
	db.adminMu.Lock()
	defer db.adminMu.Unlock()
	if err := db.certain(); err != nil {
		return err
	}
	db.finishRemovals() // what still does not go is told by Close
	c, err := db.find(name)
	if err != nil {
		return err
	}
	ring, err := c.unwrapRoot(key)
	if err != nil {
		return err
	}
	defer ring.wipe()
	db.mu.Lock()
	delete(db.mu.catalogue, name)
	s := db.mu.states[c.id]
	delete(db.mu.states, c.id)
	db.mu.Unlock()
	if s != nil {
		s.shut(fmt.Errorf("index %q: %w", name, ErrIndexNotFound))
	}
	doomed, err := db.filesOf(c)
	if err == nil {
		err = db.tell(c, ledger.GoneEntry(db.kept.store, c.id, c.record.Epoch, ring.signer))
	}
	if err != nil { // nothing has been changed: the index is there for the next call
		db.mu.Lock()
		db.mu.catalogue[name] = c
		db.mu.Unlock()
		return err
	}
	return db.dropIndex(c, doomed)
}

func (db *DB) dropIndex(c *catalogued, doomed []crypto.SegmentID) error {
	batch := db.meta.NewBatch()
	batch.Delete(meta.CatalogueKey(c.name))
	batch.Delete(meta.ManifestKey(c.id))
	for _, prefix := range [][]byte{meta.EpochPrefix(c.id), meta.GrantPrefix(c.id), meta.GroupPrefix(c.id), meta.DeadPrefix(c.id), meta.AnchorPrefix(c.id), meta.OutcomePrefix(c.id)} {
		batch.DeleteRange(prefix, meta.PrefixEnd(prefix))
	}
	for _, id := range doomed {
		batch.Set(meta.SegmentKey(c.id, id), []byte{segmentDoomed})
	}
	if err := db.meta.Commit(batch); err != nil {
		return err
	}
	return db.remove(c.id, doomed)
}

// filesOf is every segment that an index has or may have: those with a record,
// those that the manifest lists, and every file in its folder that is named as
// one. Nobody signs the records, so one that is missing must not keep a file
// from being destroyed.
func (db *DB) filesOf(c *catalogued) ([]crypto.SegmentID, error) {
	known := make(map[crypto.SegmentID]bool)
	prefix := meta.SegmentPrefix(c.id)
	err := db.meta.Scan(prefix, meta.PrefixEnd(prefix), func(key, _ []byte) error {
		if _, id, ok := meta.ParseSegmentKey(key); ok {
			known[id] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if m, err := db.readManifest(c); err == nil {
		for i := range m.Segments {
			known[m.Segments[i].ID] = true
		}
	}
	names, _ := db.opts.FS.List(db.segmentDir(c.id)) // a folder that does not read is told when it is removed
	for _, name := range names {
		if id, ok := parseSegmentName(name); ok {
			known[id] = true
		}
	}
	return slices.Collect(maps.Keys(known)), nil
}
