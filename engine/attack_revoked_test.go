package engine_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
)

// What a user can try who could read and write and has been revoked. It has
// every key of the epoch that ended, a copy of every file from before, and may
// write every file as it is now.

// revoked is a siege from which the user called both has been taken out: the
// store as it is, and as it was.
type revoked struct {
	siege
	before siege
}

func newRevoked(t testing.TB) *revoked {
	t.Helper()
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	rv := &revoked{siege: siege{keys: map[string]engine.Key{"root": s.keys["a"]}, index: ix.ID(), openTo: []string{"root", "reader", "writer", "both"}}}
	rv.admit(t, ix)
	rv.fill(t, s, ix)
	rv.before = rv.siege
	must(t, ix.DeleteUserKeys(ctx, siegeUsers["both"].id, s.keys["a"]))
	rv.openTo = []string{"root", "reader", "writer"}
	for _, name := range rv.openTo[1:] { // they have seen the new epoch
		got(s.LoadIndex(ctx, "a", rv.who(name)...))(t)
	}
	rv.want, rv.gone = maps.Clone(rv.want), append(slices.Clone(rv.gone), "k6", "k8")
	got(ix.Delete(ctx, []string{"k6"}))(t)
	must(t, ix.Upsert(ctx, makeItems("new", 5)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	must(t, ix.Upsert(ctx, makeItems("newer", 5), rv.who("writer")...))
	got(ix.Delete(ctx, []string{"k8"}, rv.who("writer")...))(t)
	maps.Copy(rv.want, byID(append(makeItems("new", 5), makeItems("newer", 5)...)...))
	without(rv.want, "k6", "k8")
	rv.take(t, s)
	return rv
}

// old is the revoked user, with what its copy of the files gives.
func (rv *revoked) old(t testing.TB) *thief {
	t.Helper()
	return rv.before.thief(t, rv.before.fs(t), "both")
}

func TestARevokedUserIsRefused(t *testing.T) {
	ctx := context.Background()
	rv := newRevoked(t)
	s := openStore(t, rv.fs(t), map[string]engine.Key{"a": rv.keys["root"]})
	_, err := s.LoadIndex(ctx, "a", rv.who("both")...)
	wantError(t, err, engine.ErrWrongKey)
	ix := got(s.LoadIndex(ctx, "a"))(t)
	for _, op := range operations() {
		wantError(t, op.run(ix, rv.who("both")...), engine.ErrWrongKey)
	}
	wantItems(t, s.load("a"), rv.want, rv.gone...)
}

// A scan that is half-way when its user is revoked ends there.
func TestARevokedUsersScanEnds(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	key := engine.NewKey()
	must(t, ix.CreateUserKeys(ctx, userID(1), key, engine.PermRead, s.keys["a"]))
	must(t, ix.Upsert(ctx, makeItems("k", 50)))
	n := 0
	var last error
	for _, err := range ix.Items(ctx, engine.AllFields, as(userID(1), key)...) {
		if last = err; err == nil {
			n++
		}
		if n == 10 {
			must(t, ix.DeleteUserKeys(ctx, userID(1), s.keys["a"]))
		}
	}
	if wantError(t, last, engine.ErrWrongKey); n != 10 {
		t.Errorf("the scan yielded %d items, its user was revoked behind the tenth", n)
	}
}

// Of what was written after, the old keys open nothing: no header slot, no index,
// no group of the log. The id key goes on, so the revoked user knows tokens: none
// stands in the clear.
func TestARevokedUserOpensNothingWrittenAfter(t *testing.T) {
	rv := newRevoked(t)
	old, mem := rv.old(t), rv.fs(t)
	now := rv.thief(t, mem, "root")
	m := now.manifest()
	for i := range m.Segments {
		for at, slot := range slots(now.file(now.path(m.Segments[i].ID))) {
			if slot == nil {
				continue
			}
			if _, err := openSlot(slot, old.reader); err == nil {
				t.Errorf("slot %d of %s opens", at, m.Segments[i].ID)
			}
		}
	}
	i := slices.IndexFunc(m.Segments, func(s compaction.Segment) bool { return s.Sealed && s.Epoch == now.record.Epoch })
	seg := &m.Segments[i]
	f := got(segment.Open(mem, now.path(seg.ID), segment.Identity{Index: rv.index, Segment: seg.ID}))(t)
	defer f.Release()
	_, err := segment.OpenTable(f, seg.Footer, old.mapKey(), seg.DEK, now.listed)
	wantError(t, err, engine.ErrCorrupt, "does not open")
	got(segment.OpenTable(f, seg.Footer, now.mapKey(), seg.DEK, now.listed))(t)
	database(t, mem, func(db *meta.DB) {
		src := wal.Source{DB: db, Index: rv.index, Writer: now.listed, MapKey: func(uint64) (crypto.Secret, bool) { return old.mapKey(), true }}
		_, err := wal.Replay(src, m.Start, func(wal.Position, []wal.Replayed) error {
			t.Error("a group of the log opens")
			return nil
		})
		wantError(t, err, engine.ErrCorrupt, "log of index", "authentication failed")
	})
	for path, b := range readAll(t, mem) {
		for _, id := range []string{"new0", "newer0", "k8"} {
			if tok := old.token(id); bytes.Contains(b, tok[:]) {
				t.Errorf("the token of %q stands in %s", id, path)
			}
		}
	}
}

// Rows from before: of the files as they are now the old reader key opens none,
// for the header slots that were sealed to it have been overwritten in every file.
// With a copy of a header it opens that segment's rows where they still stand: this
// is what DeleteUserKeys does not promise. When the rows have been moved (Compact),
// there is nothing left that the copied header opens.
func TestARevokedUserOpensRowsFromBeforeByACopiedHeaderAlone(t *testing.T) {
	ctx := context.Background()
	rv := newRevoked(t)
	old, mem := rv.old(t), rv.fs(t)
	seg := old.entry(old.manifest(), true)
	path, e := old.path(seg.ID), old.find(seg, "k9")
	copied := old.file(path)
	for file, b := range readAll(t, mem) {
		for _, slot := range slots(copied) {
			if slot != nil && bytes.Contains(b, slot[slotSealed:slotSealed+crypto.SealedDEKSize]) {
				t.Errorf("the old header slot of %s stands in %s", path, file)
			}
		}
	}
	dek, x := old.dek(seg.ID), fieldOf(e.Pointer, segment.Head)
	plain := got(openField(dek, seg.ID, e.Row, segment.Head, got(readFile(mem, path))(t)[x.Off:x.End()]))(t)
	if !bytes.Contains(plain, []byte("k9")) {
		t.Errorf("the row is %q", plain)
	}
	s := openStore(t, mem, map[string]engine.Key{"a": rv.keys["root"]})
	must(t, s.load("a").Compact(ctx))
	for file, b := range readAll(t, mem) {
		if bytes.Contains(b, copied[x.Off:x.End()]) {
			t.Errorf("the row still stands in %s", file)
		}
	}
	wantItems(t, s.load("a"), rv.want, rv.gone...)
}

// What the revoked user signs is refused, whatever epoch it names: its own is
// over, and in the next one it is not listed, and lacks the map key.
func TestARevokedUserCannotWrite(t *testing.T) {
	rv := newRevoked(t)
	old := rv.old(t)
	tombstone := func(now *thief, epoch uint64) {
		now.log(now.tail(), epoch, old.mapKey(), wal.KindTombstone, old.tombstone("k9"), old.signer)
	}
	manifest := func(now *thief, epoch uint64) {
		m := now.manifest()
		m.Epoch, m.Segments = epoch, nil
		now.sign(m, old.signer)
	}
	for _, c := range []struct {
		name  string
		epoch uint64
		names string
		forge func(now *thief, epoch uint64)
	}{
		{"a tombstone of its epoch", 0, "log of index", tombstone},
		{"a tombstone of the new epoch", 1, "log of index", tombstone},
		{"a manifest of its epoch", 0, "manifest", manifest},
		{"a manifest of the new epoch", 1, "manifest", manifest},
		{"its epoch's manifest as if the log had got so far", 0, "manifest", func(now *thief, _ uint64) {
			m := old.manifest()
			m.Start, m.Applied = now.manifest().Start, now.manifest().Applied
			now.sign(m, old.signer)
		}},
		// Footers from before are believed of who was a writer then, in segments
		// that root has pinned: but only those that the manifest names.
		{"an index in a segment from before", 0, ".seg", func(now *thief, epoch uint64) {
			m := now.manifest()
			m.Segments = slices.DeleteFunc(m.Segments, func(s compaction.Segment) bool { return s.Epoch != epoch })
			there := *old
			there.mem = now.mem
			there.rewriteIndex(m, "k9", old.signer)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rv.attack(t, true, func(mem *vfs.MemFS) { c.forge(rv.thief(t, mem, "root"), old.record.Epoch+c.epoch) }, c.names)
		})
	}
}

// put puts every record of some kinds as it was, and takes away what there was not.
func (rv *revoked) put(t testing.TB, mem *vfs.MemFS, kinds string) {
	t.Helper()
	changes := make(map[string][]byte)
	for key := range records(t, mem) {
		if strings.Contains(kinds, key[:1]) {
			changes[key] = nil
		}
	}
	for key, value := range rv.old(t).all {
		if strings.Contains(kinds, key[:1]) {
			changes[key] = value
		}
	}
	putRecords(t, mem, changes)
}

// What the revoked user puts back of the records. What does not fit the rest is
// told, and all of them together do not fit the files: no header slot is sealed to
// the old reader key any more, so nobody goes on in the epoch that is over and
// writes what the revoked user could read. Nothing changes by grants and epoch
// records beside those that count, by groups of the log that had been let go, and
// by anchors, which users raise again.
//
// All records, and all header slots or files with them, are the store as it was:
// nothing in it says that it is not the newest, and what is written then is sealed
// to the old reader key. Users whose anchors are not put back are told; root is by
// a receipt or a ledger alone, which are outside of it.
func TestRecordsFromBeforeARevocationArePutBack(t *testing.T) {
	rv := newRevoked(t)
	old := rv.old(t)
	both, ended := siegeUsers["both"].id, old.record.Epoch
	was, last := old.all, lastRecord(t, old.all, 'e', rv.index)
	grant := func(epoch uint64, user engine.UserID, kind crypto.GrantKind) string {
		return string(meta.GrantKey(rv.index, epoch, user, byte(kind)))
	}
	for _, c := range []struct {
		name    string
		told    bool
		names   string
		kinds   string            // these are put back,
		changes map[string][]byte // or these are made
	}{
		{"its grants", false, "", "", map[string][]byte{
			grant(ended, both, crypto.GrantRead):  was[grant(ended, both, crypto.GrantRead)],
			grant(ended, both, crypto.GrantWrite): was[grant(ended, both, crypto.GrantWrite)],
		}},
		{"its grants as if of now", false, "", "", map[string][]byte{
			grant(ended+1, both, crypto.GrantRead):  was[grant(ended, both, crypto.GrantRead)],
			grant(ended+1, both, crypto.GrantWrite): was[grant(ended, both, crypto.GrantWrite)],
		}},
		{"root's grant as if of now", true, "grant 1 of user root", "", map[string][]byte{
			grant(ended+1, engine.UserID{}, crypto.GrantRead): was[grant(ended, engine.UserID{}, crypto.GrantRead)],
		}},
		{"the epoch record beside the newest", false, "", "", map[string][]byte{last: was[last]}},
		{"the epoch record as the newest", true, "", "eg", nil},
		{"the epoch record in the newest's place", true, "epoch record", "", map[string][]byte{string(meta.EpochKey(rv.index, ended+1)): was[last]}},
		{"the epoch record behind the newest", true, "epoch record", "", map[string][]byte{string(meta.EpochKey(rv.index, ended+2)): was[last]}},
		{"the manifest", true, "manifest", "m", nil},
		{"the epoch record and the manifest", true, "", "egm", nil},
		{"dead records", true, "dead record", "d", nil},
		{"all but epoch record and grants", true, "manifest", "admsw", nil},
		{"groups of the log that had been let go", false, "", "", map[string][]byte{
			recordsOf(was, 'w', rv.index)[0]: was[recordsOf(was, 'w', rv.index)[0]],
		}},
		{"users' anchors", false, "", "a", nil},
		{"states of files", true, "record of segment", "s", nil},
		{"all of them", true, ".seg", "acdegmsw", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rv.attack(t, c.told, func(mem *vfs.MemFS) {
				if c.kinds != "" {
					rv.put(t, mem, c.kinds)
				} else {
					putRecords(t, mem, c.changes)
				}
			}, c.names)
		})
	}
}

// The anchor is what a user knows of newer epochs: put back whole, but for it, the
// store is told by its user, and so is another epoch that root makes in it, not
// knowing of the first.
func TestAUserIsToldOfAStorePutBackByItsAnchor(t *testing.T) {
	ctx := context.Background()
	rv := newRevoked(t)
	anchors := make(map[string][]byte)
	all := records(t, rv.fs(t))
	for _, k := range recordsOf(all, 'a', rv.index) {
		anchors[k] = all[k]
	}
	back := rv.before.only("reader", "writer")
	keep := func(mem *vfs.MemFS) { putRecords(t, mem, anchors) }
	back.attack(t, true, keep, "epoch record", "has been seen")
	back.attack(t, true, func(mem *vfs.MemFS) {
		db := openAttacked(t, mem)
		ix := got(db.LoadIndex(ctx, "a", back.who("root")...))(t)
		must(t, ix.CreateUserKeys(ctx, userID(9), engine.NewKey(), engine.PermRead, back.keys["root"]))
		closeAttacked(t, db)
		keep(mem)
	}, "epoch record", "is not the one of epoch")
}

// What the revoked user puts back of the segment files. An old slot in the place
// that is free is nothing to those who stay, and the next Open overwrites it again.
// Over the slot that counts it destroys the segment's data key; so does a file from
// before in the place of one: everyone is told which.
func TestHeadersFromBeforeARevocationArePutBack(t *testing.T) {
	rv := newRevoked(t)
	old := rv.old(t)
	path := old.path(old.entry(old.manifest(), true).ID)
	was := slotsOf(old.file(path))
	from := slices.IndexFunc(was, func(b []byte) bool { return b != nil })
	put := func(at ...int) func(*vfs.MemFS) {
		return func(mem *vfs.MemFS) {
			for _, i := range at {
				editFile(t, mem, path, i*slotSize, was[from])
			}
		}
	}
	t.Run("into the free slot", func(t *testing.T) {
		mem := rv.fs(t)
		if s := slots(got(readFile(mem, path))(t)); s[from] != nil {
			t.Fatal("the slot is not free")
		}
		put(from)(mem)
		if errs := rv.outcome(t, "root", mem, true); len(errs) > 0 {
			t.Errorf("root is answered %v", errs)
		}
		closeAttacked(t, openAttacked(t, mem))
		if slots(got(readFile(mem, path))(t))[from] != nil {
			t.Error("Open has not overwritten it")
		}
		rv.attack(t, false, put(from))
	})
	t.Run("over the slot that counts", func(t *testing.T) { rv.attack(t, true, put(1-from), path) })
	t.Run("into both", func(t *testing.T) { rv.attack(t, true, put(0, 1), path) })
	t.Run("with its file", func(t *testing.T) {
		rv.attack(t, true, func(mem *vfs.MemFS) { writeFile(t, mem, path, old.file(path)) }, path)
	})
	// Whoever has no key can put a slot there that names the new reader key: Open,
	// which has none either, overwrites neither of the two.
	t.Run("another into the free slot", func(t *testing.T) {
		reader := got(crypto.ParseReaderPublic(rv.thief(t, rv.fs(t), "root").record.Reader))(t)
		id := segment.Identity{Index: rv.index, Segment: segmentOf(t, path), Epoch: old.record.Epoch + 1}
		for range 2 {
			slot := makeSlot(t, id, reader, crypto.NewSecret())
			rv.only("root").attack(t, false, func(mem *vfs.MemFS) {
				editFile(t, mem, path, from*slotSize, slot)
				closeAttacked(t, openAttacked(t, mem))
			})
			id.Epoch++
		}
	})
	t.Run("with all files", func(t *testing.T) {
		rv.attack(t, true, func(mem *vfs.MemFS) {
			for _, path := range segmentFiles(rv.before.files, rv.index) {
				writeFile(t, mem, path, rv.before.files[path])
			}
		}, ".seg")
	})
}
