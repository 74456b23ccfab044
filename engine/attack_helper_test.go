package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/codec"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/tombstone"
	"oubliette/wal"
)

// siege is a store that is attacked: index a with a sealed segment in which rows
// have died, one that is open as a crash leaves it, and a log with rows and
// tombstones of several writers that are not applied.
type siege struct {
	files  map[string][]byte
	keys   map[string]engine.Key // root's and the users', by what they are
	index  crypto.IndexID
	want   map[string]engine.Item
	gone   []string
	openTo []string // who is let in
}

// siegeUsers are the users that a siege may have.
var siegeUsers = map[string]struct {
	id   engine.UserID
	perm engine.Permission
}{
	"root":   {engine.UserID{}, engine.PermRead | engine.PermWrite},
	"reader": {userID(1), engine.PermRead},
	"other":  {userID(2), engine.PermRead},
	"writer": {userID(3), engine.PermWrite},
	"both":   {userID(4), engine.PermRead | engine.PermWrite},
}

// who is what a call of a user brings.
func (sg *siege) who(name string) []engine.OpOption { return as(siegeUsers[name].id, sg.keys[name]) }

// newSiege makes the store; users are those that it has beside root.
func newSiege(t testing.TB, users ...string) *siege {
	t.Helper()
	s := newStore(t)
	ix := s.create("a")
	sg := &siege{keys: map[string]engine.Key{"root": s.keys["a"]}, index: ix.ID(), openTo: append([]string{"root"}, users...)}
	sg.admit(t, ix)
	sg.fill(t, s, ix)
	return sg
}

// admit lets the users in.
func (sg *siege) admit(t testing.TB, ix *engine.Index) {
	t.Helper()
	for _, name := range sg.openTo[1:] {
		if sg.keys[name].IsZero() {
			sg.keys[name] = engine.NewKey()
		}
		u := siegeUsers[name]
		must(t, ix.CreateUserKeys(context.Background(), u.id, sg.keys[name], u.perm, sg.keys["root"]))
	}
}

// fill writes items and deletes some, as root and as whoever may write.
func (sg *siege) fill(t testing.TB, s *store, ix *engine.Index) {
	t.Helper()
	ctx := context.Background()
	by := sg.who("root")
	if slices.Contains(sg.openTo, "writer") {
		by = sg.who("writer")
	}
	items := makeItems("k", 30)
	must(t, ix.Upsert(ctx, items[:20]))
	got(ix.Delete(ctx, []string{"k1", "k2"}))(t)
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	got(ix.Delete(ctx, []string{"k3"}))(t)
	got(ix.Purge(ctx))(t)
	must(t, ix.Upsert(ctx, items[20:], by...))
	must(t, ix.Upsert(ctx, []engine.Item{makeItem("k4", 2)}))
	got(ix.Delete(ctx, []string{"k5", "k25"}, by...))(t)
	sg.gone = []string{"k1", "k2", "k3", "k5", "k25"}
	sg.want = without(byID(items...), sg.gone...)
	sg.want["k4"] = makeItem("k4", 2)
	sg.take(t, s)
}

// take keeps the files as a crash now would leave them.
func (sg *siege) take(t testing.TB, s *store) {
	t.Helper()
	sg.files = readAll(t, s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}))
}

// fs is the files on a file system of its own.
func (sg *siege) fs(t testing.TB) *vfs.MemFS {
	t.Helper()
	mem := vfs.NewMem()
	must(t, mem.MkdirAll(storeDir+"/segments", 0o700))
	for path, b := range sg.files {
		must(t, mem.MkdirAll(mem.PathDir(path), 0o700))
		writeFile(t, mem, path, b)
	}
	return mem
}

// only is the siege as some of those see it who are let in.
func (sg *siege) only(names ...string) *siege {
	some := *sg
	some.openTo = names
	return &some
}

// attack lets f change the files and holds the store against what it should
// hold, as everyone who is let in sees it, reading and writing. No answer may
// change. told: everyone is told, by a first error that has every part. Else
// nobody is: there is no error at all.
func (sg *siege) attack(t testing.TB, told bool, f func(*vfs.MemFS), parts ...string) {
	t.Helper()
	mem := sg.fs(t)
	f(mem)
	after := *sg
	after.files = readAll(t, mem)
	for _, name := range sg.openTo {
		for _, mode := range []string{"reading", "writing"} {
			errs := after.outcome(t, name, after.fs(t), mode == "reading")
			if told != (len(errs) > 0) {
				t.Errorf("%s, %s: told=%v, and the errors are %.300v", name, mode, told, errs)
			}
			for _, p := range parts {
				if told && len(errs) > 0 && !strings.Contains(errs[0].Error(), p) {
					t.Errorf("%s, %s: %v does not name %q", name, mode, errs[0], p)
				}
			}
		}
	}
}

// outcome is the errors of all calls of one user. A wrong answer fails the test,
// and so does an error that does not say what is corrupt and where.
func (sg *siege) outcome(t testing.TB, name string, mem vfs.FS, reading bool) (errs []error) {
	t.Helper()
	ctx := context.Background()
	note := func(call string, err error) bool {
		if err == nil {
			return false
		}
		var c *engine.CorruptionError
		if !errors.As(err, &c) || c.Path == "" || c.Err == nil || !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: %s answers %v, which is no CorruptionError with a path", name, call, err)
		}
		errs = append(errs, err)
		return true
	}
	db, err := engine.Open(storeDir, &engine.Options{FS: mem, ReadOnly: reading})
	if note("Open", err) {
		return errs
	}
	defer func() { note("Close", untilAKey(db.Close())) }()
	ix, err := db.LoadIndex(ctx, "a", sg.who(name)...)
	if note("LoadIndex", err) {
		return errs
	}
	perm := siegeUsers[name].perm
	if perm&engine.PermRead != 0 {
		sg.read(t, name, ix, note)
	}
	_, err = ix.Check(ctx)
	note("Check", err)
	if reading || perm&engine.PermWrite == 0 {
		return errs
	}
	_, err = ix.Purge(ctx)
	note("Purge", err)
	if perm&engine.PermRead == 0 {
		return errs
	}
	note("Compact", ix.Compact(ctx))
	sg.read(t, name, ix, note)
	return errs
}

// read holds every read's answer against what the index holds.
func (sg *siege) read(t testing.TB, name string, ix *engine.Index, note func(string, error) bool) {
	t.Helper()
	ctx := context.Background()
	n, err := ix.Count(ctx)
	if !note("Count", err) && n != len(sg.want) {
		t.Errorf("%s: Count answers %d, not %d", name, n, len(sg.want))
	}
	have, failed := make(map[string]engine.Item), false
	for it, err := range ix.Items(ctx, engine.AllFields) {
		if failed = note("Items", err); !failed {
			have[it.ID] = it
		}
	}
	if !failed && len(have) != len(sg.want) {
		t.Errorf("%s: Items yields %d, not %d", name, len(have), len(sg.want))
	}
	for id, it := range have {
		if want, ok := sg.want[id]; !ok || !equal(it, want) {
			t.Errorf("%s: Items yields %q as %.80v", name, id, it)
		}
	}
	for _, id := range append(slices.Sorted(maps.Keys(sg.want)), sg.gone...) {
		items, err := ix.Get(ctx, []string{id}, engine.AllFields)
		if note("Get", err) {
			continue
		}
		want, lives := sg.want[id]
		if lives != (len(items) == 1) || lives && !equal(items[0], want) {
			t.Errorf("%s: Get of %q answers %.80v", name, id, items)
		}
	}
}

// openAttacked opens a store that may wait for a key when it is closed, which says
// nothing here.
func openAttacked(t testing.TB, mem vfs.FS, changes ...func(*engine.Options)) *engine.DB {
	t.Helper()
	opts := engine.Options{FS: mem}
	for _, change := range changes {
		change(&opts)
	}
	db := got(engine.Open(storeDir, &opts))(t)
	t.Cleanup(func() { closeAttacked(t, db) })
	return db
}

func closeAttacked(t testing.TB, db *engine.DB) {
	t.Helper()
	var p *engine.PendingError
	if err := db.Close(); err != nil && !errors.As(err, &p) && !errors.Is(err, engine.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}

// database opens the records of a store for f. Who changes them leaves no file
// CLEAN that would tell.
func database(t testing.TB, mem vfs.FS, f func(*meta.DB)) {
	t.Helper()
	db := got(meta.Open(mem, storeDir+"/pebble", meta.Options{}))(t)
	f(db)
	must(t, db.Close())
	if err := mem.Remove(storeDir + "/CLEAN"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// putRecords writes records; nil removes one.
func putRecords(t testing.TB, mem vfs.FS, changes map[string][]byte) {
	t.Helper()
	database(t, mem, func(db *meta.DB) {
		b := db.NewBatch()
		for key, value := range changes {
			if value == nil {
				b.Delete([]byte(key))
			} else {
				b.Set([]byte(key), value)
			}
		}
		must(t, db.Commit(b))
	})
}

// recordsOf are the keys of an index's records of one kind, in order.
func recordsOf(all map[string][]byte, kind byte, index crypto.IndexID) (keys []string) {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if k[0] == kind && strings.HasPrefix(k[1:], string(index[:])) {
			keys = append(keys, k)
		}
	}
	return keys
}

// lastRecord is the key of the last of them.
func lastRecord(t testing.TB, all map[string][]byte, kind byte, index crypto.IndexID) string {
	t.Helper()
	keys := recordsOf(all, kind, index)
	if len(keys) == 0 {
		t.Fatalf("no record of kind %q", kind)
	}
	return keys[len(keys)-1]
}

// grantOf is what stands in the key of a grant.
func grantOf(key string) crypto.GrantInfo {
	return crypto.GrantInfo{
		Index: crypto.IndexID([]byte(key[1:17])), Epoch: binary.BigEndian.Uint64([]byte(key[17:25])),
		User: crypto.UserID([]byte(key[25:41])), Kind: crypto.GrantKind(key[41]),
	}
}

// segmentFiles are the files of an index's segments, in order.
func segmentFiles(files map[string][]byte, index crypto.IndexID) (paths []string) {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(path, ".seg") && strings.Contains(path, index.String()) {
			paths = append(paths, path)
		}
	}
	return paths
}

// segmentOf reads the id in the name of a segment's file.
func segmentOf(t testing.TB, path string) crypto.SegmentID {
	t.Helper()
	name := strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".seg")
	return crypto.SegmentID(got(hex.DecodeString(name))(t))
}

// thief is somebody with the files and the key of one user: what that user's
// grants give is all that it works with.
type thief struct {
	testing.TB
	mem    *vfs.MemFS
	all    map[string][]byte // the records when it came
	index  crypto.IndexID
	record *crypto.EpochRecord // the newest
	user   crypto.UserID
	grants map[crypto.GrantKind]crypto.Grant
	reader crypto.ReaderKey // zero: it may not read
	signer *crypto.Signer   // nil: it has no signing key of the grants'
}

// steal opens what the key of a user opens in the files.
func steal(t testing.TB, mem *vfs.MemFS, index crypto.IndexID, user crypto.UserID, key crypto.Secret) *thief {
	t.Helper()
	th := &thief{TB: t, mem: mem, all: records(t, mem), index: index, user: user, grants: make(map[crypto.GrantKind]crypto.Grant)}
	th.record = got(crypto.DecodeEpochRecord(th.all[lastRecord(t, th.all, 'e', index)]))(t)
	p := got(crypto.DerivePrincipal(key, index, user))(t)
	for _, kind := range []crypto.GrantKind{crypto.GrantRead, crypto.GrantWrite} {
		sealed, ok := th.all[string(meta.GrantKey(index, th.record.Epoch, user, byte(kind)))]
		if !ok {
			continue
		}
		info := crypto.GrantInfo{Index: index, Epoch: th.record.Epoch, User: user, Kind: kind}
		th.grants[kind] = got(crypto.OpenGrant(p, info, sealed))(t)
	}
	if g, ok := th.grants[crypto.GrantRead]; ok {
		th.reader = got(crypto.NewReaderKey(g.Third))(t)
	}
	if g, ok := th.grants[crypto.GrantWrite]; ok {
		th.signer = crypto.NewSigner(user, g.Third)
	}
	return th
}

// thief is a user of the siege who has turned one.
func (sg *siege) thief(t testing.TB, mem *vfs.MemFS, name string) *thief {
	t.Helper()
	return steal(t, mem, sg.index, siegeUsers[name].id, sg.keys[name])
}

// grant is whichever grant opens: id key and map key stand in each.
func (th *thief) grant() crypto.Grant {
	th.Helper()
	for _, g := range th.grants {
		return g
	}
	th.Fatal("no grant opens")
	return crypto.Grant{}
}

func (th *thief) mapKey() crypto.Secret { return th.grant().Map }

func (th *thief) token(id string) crypto.Token { return crypto.NewTokenizer(th.grant().ID).Token(id) }

func (th *thief) listed(user crypto.UserID, epoch uint64) (crypto.VerifyKey, bool) {
	key, ok := th.record.Writer(user)
	return key, ok && epoch == th.record.Epoch
}

// replay reads the log as it stands with the thief's map key, and answers its end.
func (th *thief) replay(fn func(wal.Replayed)) (at wal.Position) {
	th.Helper()
	database(th.TB, th.mem, func(db *meta.DB) {
		src := wal.Source{DB: db, Index: th.index, Writer: th.listed, MapKey: func(epoch uint64) (crypto.Secret, bool) {
			return th.mapKey(), epoch == th.record.Epoch
		}}
		var err error
		at, err = wal.Replay(src, th.manifest().Start, func(_ wal.Position, rs []wal.Replayed) error {
			for _, r := range rs {
				fn(r)
			}
			return nil
		})
		must(th.TB, err)
	})
	return at
}

// tail is the end of the log. It follows from what stands in the clear.
func (th *thief) tail() wal.Position {
	th.Helper()
	return th.replay(func(wal.Replayed) {})
}

// log writes a group with one record and answers its key.
func (th *thief) log(at wal.Position, epoch uint64, mapKey crypto.Secret, kind wal.Kind, payload []byte, s *crypto.Signer) string {
	th.Helper()
	database(th.TB, th.mem, func(db *meta.DB) {
		l := wal.New(wal.Config{DB: db, Index: th.index, Epoch: epoch, MapKey: mapKey, Publish: func(wal.Position, int, []*wal.Entry) {}}, at)
		must(th.TB, l.Append(context.Background(), &wal.Entry{Kind: kind, Signer: s, Payload: payload}))
	})
	return string(meta.GroupKey(th.index, at.Group+1))
}

// append is log at the end of the log, in the epoch of the thief.
func (th *thief) append(kind wal.Kind, payload []byte, s *crypto.Signer) string {
	th.Helper()
	return th.log(th.tail(), th.record.Epoch, th.mapKey(), kind, payload, s)
}

// tombstone is a log record that deletes.
func (th *thief) tombstone(ids ...string) []byte {
	tokens := make([]crypto.Token, len(ids))
	for i, id := range ids {
		tokens[i] = th.token(id)
	}
	return tombstone.AppendRecord(nil, tombstone.Sort(tokens))
}

func (th *thief) manifest() *compaction.Manifest {
	th.Helper()
	return got(compaction.DecodeManifest(th.all[string(meta.ManifestKey(th.index))], th.index, th.listed))(th.TB)
}

// sign puts a manifest in the place of the one that is there.
func (th *thief) sign(m *compaction.Manifest, s *crypto.Signer) string {
	th.Helper()
	m.Version++
	key := string(meta.ManifestKey(th.index))
	putRecords(th.TB, th.mem, map[string][]byte{key: m.Sign(s)})
	return key
}

// entry is the manifest's entry of the first segment with an index, or without.
func (th *thief) entry(m *compaction.Manifest, sealed bool) *compaction.Segment {
	th.Helper()
	for i := range m.Segments {
		if m.Segments[i].Sealed == sealed {
			return &m.Segments[i]
		}
	}
	th.Fatalf("no segment with sealed=%v", sealed)
	return nil
}

func (th *thief) path(id crypto.SegmentID) string {
	return fmt.Sprintf("%s/segments/%s/%s.seg", storeDir, th.index, id)
}

func (th *thief) file(path string) []byte {
	th.Helper()
	return got(readFile(th.mem, path))(th.TB)
}

// editFile changes bytes of a file, which may grow.
func editFile(t testing.TB, mem vfs.FS, path string, at int, with []byte) {
	t.Helper()
	b := got(readFile(mem, path))(t)
	if n := at + len(with); n > len(b) {
		b = append(b, make([]byte, n-len(b))...)
	}
	copy(b[at:], with)
	writeFile(t, mem, path, b)
}

// Of a header slot, where stands what: docs/format/segment.md.
const (
	slotIndex   = 10
	slotSegment = slotIndex + 16
	slotEpoch   = slotSegment + 16
	slotSealed  = slotEpoch + 8 + 32 + 4
	slotSize    = segment.HeaderSlotSize
)

// slots are the header slots of a segment; nil: zeros.
func slots(file []byte) (out [2][]byte) {
	for i := range out {
		if s := file[i*slotSize : (i+1)*slotSize]; !bytes.Equal(s, make([]byte, slotSize)) {
			out[i] = bytes.Clone(s)
		}
	}
	return out
}

// openSlot opens the data key in a header slot.
func openSlot(slot []byte, key crypto.ReaderKey) (crypto.Secret, error) {
	info := crypto.DEKInfo{
		Index: crypto.IndexID(slot[slotIndex:slotSegment]), Segment: crypto.SegmentID(slot[slotSegment:slotEpoch]),
		Epoch: binary.LittleEndian.Uint64(slot[slotEpoch:]),
	}
	return crypto.OpenDEK(key, info, slot[slotSealed:slotSealed+crypto.SealedDEKSize])
}

// makeSlot makes a header slot that seals a data key to a public key: whoever
// knows that can.
func makeSlot(t testing.TB, id segment.Identity, to crypto.ReaderPublic, dek crypto.Secret) []byte {
	t.Helper()
	mem := vfs.NewMem()
	w := got(segment.Create(mem, "x", id, to))(t)
	w.File().Release()
	must(t, w.Close())
	b := got(readFile(mem, "x"))(t)[:slotSize]
	copy(b[slotSealed:], got(crypto.SealDEK(to, crypto.DEKInfo{Index: id.Index, Segment: id.Segment, Epoch: id.Epoch}, dek))(t))
	binary.LittleEndian.PutUint32(b[slotSize-4:], crc32.Checksum(b[:slotSize-4], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// dek is the data key of a segment: whoever reads has it.
func (th *thief) dek(id crypto.SegmentID) crypto.Secret {
	th.Helper()
	for _, s := range slots(th.file(th.path(id))) {
		if s == nil {
			continue
		}
		if dek, err := openSlot(s, th.reader); err == nil {
			return dek
		}
	}
	th.Fatalf("no header slot of segment %s opens", id)
	return crypto.Secret{}
}

// sealField seals a field of a row as a writer would, framed and not compressed.
func sealField(dek crypto.Secret, id crypto.SegmentID, row uint32, f segment.Field, plain []byte) []byte {
	frame := append(binary.LittleEndian.AppendUint32([]byte{0}, uint32(len(plain))), plain...)
	nonce, bound := aimField(id, row, f)
	return crypto.NewAEAD(dek).Seal(nil, nonce, frame, bound)
}

// openField opens a sealed field and answers its frame.
func openField(key crypto.Secret, id crypto.SegmentID, row uint32, f segment.Field, sealed []byte) ([]byte, error) {
	nonce, bound := aimField(id, row, f)
	return crypto.NewAEAD(key).Open(nil, nonce, sealed, bound)
}

func aimField(id crypto.SegmentID, row uint32, f segment.Field) (nonce, bound []byte) {
	n := binary.LittleEndian.AppendUint32(nil, row)
	bound = append([]byte("oubliette/segment/row/v1"), id[:]...)
	bound = append(append(bound, n...), byte(f))
	return append(append(n, byte(f)), make([]byte, 7)...), bound
}

// fieldOf is where a field of a row stands.
func fieldOf(p segment.Pointer, f segment.Field) segment.Extent {
	x := segment.Extent{Off: p.Offset, Len: uint64(p.Len[f])}
	for k := range f {
		x.Off += uint64(p.Len[k])
	}
	return x
}

// forgedHead is the head of a row without metadata.
func forgedHead(id string) []byte {
	return append(append(binary.LittleEndian.AppendUint16(nil, uint16(len(id))), id...), 0)
}

// row writes a row of the thief's behind the rows of the open segment and answers
// a log record that places it.
func (th *thief) row(id, contents string) []byte {
	th.Helper()
	seg := th.entry(th.manifest(), false)
	dek, path, p := th.dek(seg.ID), th.path(seg.ID), segment.Pointer{Row: 1000}
	p.Offset = uint64(len(th.file(path)))
	at := int(p.Offset)
	for _, x := range []struct {
		f     segment.Field
		plain []byte
	}{{segment.Contents, []byte(contents)}, {segment.Head, forgedHead(id)}} {
		b := sealField(dek, seg.ID, p.Row, x.f, x.plain)
		p.Len[x.f], p.Commit[x.f] = uint32(len(b)), crypto.Commit(b)
		editFile(th.TB, th.mem, path, at, b)
		at += len(b)
	}
	var e codec.Encoder
	e.U8(1)
	e.U32(0)
	e.U32(1)
	e.Raw(seg.ID[:])
	e.U32(1)
	tok := th.token(id)
	e.Raw(tok[:])
	p.Append(&e)
	return e.B
}

// placed are the rows of a segment, from its index or from the log.
func (th *thief) placed(seg *compaction.Segment) (out []segment.Entry) {
	th.Helper()
	if seg.Sealed {
		f := got(segment.Open(th.mem, th.path(seg.ID), segment.Identity{Index: th.index, Segment: seg.ID}))(th.TB)
		defer f.Release()
		table := got(segment.OpenTable(f, seg.Footer, th.mapKey(), seg.DEK, th.listed))(th.TB)
		must(th.TB, table.All(func(e segment.Entry) error {
			out = append(out, e)
			return nil
		}))
		return out
	}
	th.replay(func(r wal.Replayed) {
		if r.Kind != wal.KindUpsert {
			return
		}
		d := codec.NewDecoder(r.Payload)
		d.U8()
		d.U32()
		for range d.Count(1) {
			id := crypto.SegmentID(d.Raw(16))
			for range d.Count(1) {
				e := segment.Entry{Token: crypto.Token(d.Raw(16)), Seq: r.Seq}
				if e.Pointer = segment.DecodePointer(d); id == seg.ID {
					out = append(out, e)
				}
			}
		}
		must(th.TB, d.Done())
	})
	return out
}

// find is the row of an id in a segment.
func (th *thief) find(seg *compaction.Segment, id string) segment.Entry {
	th.Helper()
	for _, e := range th.placed(seg) {
		if e.Token == th.token(id) {
			return e
		}
	}
	th.Fatalf("no row of %q in segment %s", id, seg.ID)
	return segment.Entry{}
}

// index writes the sealed segment's index anew without one row, and m's entry of
// it.
func (th *thief) rewriteIndex(m *compaction.Manifest, without string, s *crypto.Signer) {
	th.Helper()
	seg := th.entry(m, true)
	tok := th.token(without)
	entries := slices.DeleteFunc(th.placed(seg), func(e segment.Entry) bool { return e.Token == tok })
	in := segment.IndexInput{
		ID:  segment.Identity{Index: th.index, Segment: seg.ID, Epoch: seg.Epoch},
		DEK: seg.DEK, Rows: seg.Rows, DataEnd: seg.DataEnd, Entries: entries,
	}
	seg.Footer = got(segment.WriteIndex(th.mem, th.path(seg.ID), in, th.mapKey(), s))(th.TB)
	seg.Entries = uint32(len(entries))
}
