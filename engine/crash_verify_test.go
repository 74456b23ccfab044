package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// crashVerifier holds images against the oracle.
type crashVerifier struct {
	ever  map[string][]epochLogin // every key that ever opened an index of that name, or was to
	notes *crashNotes
	dir   string     // of the store; empty: the usual one
	clock *testClock // by which images are opened; nil: the machine's
	count atomic.Int64
}

// crashRoots are logins of root alone.
func crashRoots(keys map[string]engine.Key) map[string][]epochLogin {
	ever := make(map[string][]epochLogin)
	for name, key := range keys {
		ever[name] = []epochLogin{{key: key, perm: readWrite}}
	}
	return ever
}

// enoughFailures is after how many images that do not fit the others are left out.
const enoughFailures = 10

// all verifies images on both cores and reports the first few that do not fit.
func (v *crashVerifier) all(t *testing.T, images []*crashImage) {
	t.Helper()
	var wg sync.WaitGroup
	var failures atomic.Int64
	work := make(chan *crashImage)
	for range 2 {
		wg.Go(func() {
			for im := range work {
				if failures.Load() >= enoughFailures {
					continue
				}
				if err := v.verify(im); err != nil && failures.Add(1) <= enoughFailures {
					t.Errorf("%v:\n%v", im, err)
				}
				im.fs = nil // large
			}
		})
	}
	for _, im := range images {
		work <- im
	}
	close(work)
	wg.Wait()
	if n := failures.Load(); n > 0 {
		t.Errorf("%d images do not fit, of %d of which not all may have been looked at", n, len(images))
	}
}

// verify opens an image without a key, for reading only, and as a writer, and
// each time looks for what a crash must not leave.
func (v *crashVerifier) verify(im *crashImage) error {
	v.count.Add(1)
	if err := v.copied(im); err != nil {
		return fmt.Errorf("the restored copy: %w", err)
	}
	if err := v.keyless(im); err != nil {
		return fmt.Errorf("opened without a key: %w", err)
	}
	clone := im.fs.CrashClone(vfs.CrashCloneCfg{}) // of a crash after that recovery
	if err := v.writer(im, im.fs); err != nil {
		return fmt.Errorf("opened by a writer: %w", err)
	}
	if err := v.reader(im, clone); err != nil {
		return fmt.Errorf("opened for reading, after a crash after recovery: %w", err)
	}
	return nil
}

func (v *crashVerifier) options(fs vfs.FS) engine.Options {
	o := crashOptions(fs)
	if v.clock != nil {
		v.clock.option(&o)
	}
	return o
}

// store is where the store stands, and paths what is searched.
func (v *crashVerifier) store() string {
	if v.dir == "" {
		return storeDir
	}
	return v.dir
}

func (v *crashVerifier) paths() []string { return []string{v.store(), crashLedger} }

func (v *crashVerifier) open(fs vfs.FS, changes ...func(*engine.Options)) (*engine.DB, error) {
	opts := v.options(fs)
	for _, change := range changes {
		change(&opts)
	}
	return engine.Open(v.store(), &opts)
}

// keyless opens an image and loads nothing. What was applied before the crash
// has to be off the disk; what was said to be erased has to have been so in the
// image, before anybody opened it.
func (v *crashVerifier) keyless(im *crashImage) error {
	before, err := v.notes.search(im.fs, v.paths()...)
	if err != nil {
		return err
	}
	db, err := v.open(im.fs)
	if err != nil {
		return err
	}
	applied, erased, err := db.AppliedSeqs()
	if err = errors.Join(err, untilAKey(db.Close())); err != nil {
		return err
	}
	gone := func(through map[string]uint64) func(crashVersion) bool {
		return func(n crashVersion) bool {
			seq, exists := through[n.index]
			died, dead := v.notes.died[n]
			return dead && exists && died <= seq && im.now.indexes[n.index] != nil
		}
	}
	for n, pieces := range before {
		if gone(erased)(n) {
			return fmt.Errorf("%d pieces of %v, which died at %d, were on the disk; erased was up to %d", pieces, n, v.notes.died[n], erased[n.index])
		}
	}
	return v.notes.residue(im.fs, gone(applied), v.paths()...)
}

// untilAKey is err, unless it says no more than that deletes wait for a key.
func untilAKey(err error) error {
	var p *engine.PendingError
	if errors.As(err, &p) && p.Err == nil && err.Error() == p.Error() {
		return nil
	}
	return err
}

// reader opens an image that has been recovered, for reading only.
func (v *crashVerifier) reader(im *crashImage, fs *vfs.MemFS) error {
	db, err := v.open(fs, func(o *engine.Options) { o.ReadOnly = true })
	if err != nil {
		return err
	}
	_, err = v.compare(im, db)
	return errors.Join(err, db.Close())
}

// writer opens an image, compares and checks it, purges, searches every byte,
// and uses it for more.
func (v *crashVerifier) writer(im *crashImage, fs *vfs.MemFS) error {
	db, err := v.open(fs)
	if err != nil {
		return err
	}
	is, err := v.compare(im, db)
	if err == nil {
		err = v.afterPurge(db, fs, is)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := v.notes.residue(fs, func(n crashVersion) bool { return !is.lives(n) }, v.paths()...); err != nil {
		return fmt.Errorf("after Close: %w", err)
	}
	return nil
}

// compare answers which of the two states an image is in, or how it is in
// neither.
func (v *crashVerifier) compare(im *crashImage, db *engine.DB) (*crashModel, error) {
	have, err := v.read(db)
	if err != nil {
		return nil, err
	}
	before := v.differs(db, have, im.now)
	if before == nil {
		return im.now, nil
	}
	if im.next == nil {
		return nil, fmt.Errorf("not what was acknowledged: %w", before)
	}
	if after := v.differs(db, have, im.next); after != nil {
		return nil, fmt.Errorf("neither before the call (%w) nor after it (%w)", before, after)
	}
	return im.next, nil
}

// differs is how a store is not in a state: items, keys, or what it knows of
// acknowledged deletes.
func (v *crashVerifier) differs(db *engine.DB, have map[string]map[string]engine.Item, m *crashModel) error {
	if err := crashDiff(have, m); err != nil {
		return err
	}
	for name, who := range m.who {
		if err := v.opens(db, name, who); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return v.knows(db, m, engine.Hidden)
}

// read is everything in a store: every index loaded, checked and scanned.
func (v *crashVerifier) read(db *engine.DB) (map[string]map[string]engine.Item, error) {
	names, err := db.ListIndexes()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	out := make(map[string]map[string]engine.Item)
	for _, name := range names {
		ix, err := v.load(db, name)
		if err != nil {
			return nil, fmt.Errorf("load %s: %w", name, err)
		}
		if _, err := ix.Check(ctx); err != nil {
			return nil, fmt.Errorf("check of %s: %w", name, err)
		}
		items := make(map[string]engine.Item)
		for it, err := range ix.Items(ctx, engine.AllFields) {
			if err != nil {
				return nil, fmt.Errorf("scan of %s: %w", name, err)
			}
			if _, twice := items[it.ID]; twice {
				return nil, fmt.Errorf("scan of %s: %q comes twice", name, it.ID)
			}
			items[it.ID] = it
		}
		if n, err := ix.Count(ctx); err != nil || n != len(items) {
			return nil, fmt.Errorf("count of %s is %d (%v), the scan has %d", name, n, err, len(items))
		}
		out[name] = items
	}
	return out, nil
}

// crashDiff compares bit for bit.
func crashDiff(have map[string]map[string]engine.Item, want *crashModel) error {
	for name := range have {
		if _, ok := want.indexes[name]; !ok {
			return fmt.Errorf("index %q should not be there", name)
		}
	}
	for name, items := range want.indexes {
		if have[name] == nil {
			return fmt.Errorf("index %q is missing", name)
		}
		for id, version := range items {
			it, ok := have[name][id]
			if !ok {
				return fmt.Errorf("%s misses %q", name, id)
			}
			if !equal(it, crashItem(id, version)) {
				return fmt.Errorf("%s: %q is %.60s, not version %d", name, id, it.Metadata, version)
			}
		}
		for id, it := range have[name] {
			if _, ok := items[id]; !ok {
				return fmt.Errorf("%s: %q is there (%.60s) and should not be", name, id, it.Metadata)
			}
		}
	}
	return nil
}

// afterPurge purges every index, searches every file, also as a crash would
// leave it now, and uses the store for more.
func (v *crashVerifier) afterPurge(db *engine.DB, fs *vfs.MemFS, is *crashModel) error {
	ctx := context.Background()
	for name := range is.indexes {
		ix, err := v.load(db, name)
		if err != nil {
			return err
		}
		if _, err := ix.Purge(ctx); err != nil {
			return fmt.Errorf("purge of %s: %w", name, err)
		}
	}
	dead := func(n crashVersion) bool { return !is.lives(n) }
	if err := v.notes.residue(fs, dead, v.paths()...); err != nil {
		return fmt.Errorf("after Purge: %w", err)
	}
	if err := v.notes.residue(fs.CrashClone(vfs.CrashCloneCfg{}), dead, v.paths()...); err != nil {
		return fmt.Errorf("after Purge and another crash: %w", err)
	}
	if err := v.knows(db, is, engine.Erased); err != nil {
		return fmt.Errorf("after Purge: %w", err)
	}
	for name := range is.indexes {
		if err := v.use(ctx, db, name, is); err != nil {
			return fmt.Errorf("using %s afterwards: %w", name, err)
		}
		if err := v.users(ctx, db, name, is); err != nil {
			return fmt.Errorf("users of %s: %w", name, err)
		}
	}
	return nil
}

// use upserts, reads and deletes an item of its own.
func (v *crashVerifier) use(ctx context.Context, db *engine.DB, name string, is *crashModel) error {
	ix, err := v.load(db, name)
	if err != nil {
		return err
	}
	it := crashItem("afterwards", 1)
	if err := ix.Upsert(ctx, []engine.Item{it}); err != nil {
		return err
	}
	have, err := ix.Get(ctx, []string{it.ID}, engine.AllFields)
	if err != nil || len(have) != 1 || !equal(have[0], it) {
		return fmt.Errorf("get: %d items, %w", len(have), err)
	}
	r, err := ix.Delete(ctx, []string{it.ID})
	if err != nil {
		return err
	}
	for i := range is.receipts {
		if was := &is.receipts[i].receipt; was.Session == r.Session {
			return fmt.Errorf("delete %d is sealed in session %v, as delete %d of another run of the log was: its nonces may come again", r.Seq, r.Session, was.Seq)
		}
	}
	if _, err := ix.Check(ctx); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	return nil
}
