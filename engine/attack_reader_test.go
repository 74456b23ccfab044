package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/compaction"
	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
)

// What a user can try who may read, has the id key, the map key and the reader
// key of the epoch, and may write every file. It can seal whatever a writer
// seals; what it lacks is a signing key that root lists.

// forgery makes something in the name of a signer and answers the key of the
// record that carries the signature.
type forgery func(th *thief, s *crypto.Signer) string

// refusesForgery lets a reader make the forgery in everybody's name, and holds
// that nobody believes it. That there is nothing else amiss with it is shown by a
// writer's signature, with which it takes effect.
func refusesForgery(t *testing.T, forge forgery, names string, effect func(*testing.T, *engine.Index)) {
	t.Helper()
	sg := newSiege(t, "reader", "other", "writer", "both")
	mem := sg.fs(t)
	forge(sg.thief(t, mem, "reader"), sg.thief(t, mem, "writer").signer)
	effect(t, got(openAttacked(t, mem, readOnly).LoadIndex(context.Background(), "a", sg.who("root")...))(t))

	for _, c := range []struct {
		name  string
		id    engine.UserID
		spoil func(th *thief, key string, b []byte) []byte // the signature
	}{
		{"as a listed writer", siegeUsers["writer"].id, nil},
		{"as itself", siegeUsers["reader"].id, nil},
		{"as root", engine.UserID{}, nil},
		{"as nobody", userID(99), nil},
		{"without a signature", siegeUsers["writer"].id, func(_ *thief, _ string, b []byte) []byte {
			return append(b[:len(b)-64], make([]byte, 64)...)
		}},
		{"with a signature of something else", siegeUsers["writer"].id, func(th *thief, key string, b []byte) []byte {
			other := th.all[lastRecord(t, th.all, key[0], th.index)]
			return append(b[:len(b)-64], other[len(other)-64:]...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sg.attack(t, true, func(mem *vfs.MemFS) {
				th := sg.thief(t, mem, "reader")
				key := forge(th, crypto.NewSigner(c.id, crypto.NewSecret()))
				if c.spoil != nil {
					putRecords(t, mem, map[string][]byte{key: c.spoil(th, key, records(t, mem)[key])})
				}
			}, names)
		})
	}
}

// hides is the effect of a forgery that makes items disappear.
func hides(ids ...string) func(*testing.T, *engine.Index) {
	return func(t *testing.T, ix *engine.Index) {
		t.Helper()
		if items := got(ix.Get(context.Background(), ids, engine.AllFields))(t); len(items) > 0 {
			t.Errorf("signed by a writer it does not take effect: %v are left", idsOf(items))
		}
	}
}

func TestAReaderCannotForgeATombstone(t *testing.T) {
	refusesForgery(t, func(th *thief, s *crypto.Signer) string {
		return th.append(wal.KindTombstone, th.tombstone("k7", "k26"), s)
	}, "log of index", hides("k7", "k26"))
}

func TestAReaderCannotForgeAnUpsert(t *testing.T) {
	refusesForgery(t, func(th *thief, s *crypto.Signer) string {
		return th.append(wal.KindUpsert, th.row("k8", "forged"), s)
	}, "log of index", func(t *testing.T, ix *engine.Index) {
		items := got(ix.Get(context.Background(), []string{"k8"}, engine.AllFields))(t)
		if len(items) != 1 || string(items[0].Contents) != "forged" {
			t.Errorf("signed by a writer it does not take effect: %v", items)
		}
	})
}

// bury declares every row of the sealed segment dead, and waiting to be
// overwritten; m gets its figures.
func (th *thief) bury(m *compaction.Manifest) {
	th.Helper()
	seg := th.entry(m, true)
	key := string(meta.DeadKey(th.index, seg.ID))
	var deaths []compaction.Death
	for _, e := range th.placed(seg) {
		deaths = append(deaths, compaction.Death{Row: e.Row, Extent: e.Extent(), InIndex: true})
	}
	dead := got(compaction.DecodeDead(th.all[key], th.index, seg.ID))(th.TB).Add(deaths, nil)
	b := got(dead.Encode(th.index, seg.ID))(th.TB)
	seg.Dead, seg.DeadEntries, seg.DeadBytes = crypto.Sum(b), dead.Entries, dead.Bytes
	putRecords(th.TB, th.mem, map[string][]byte{key: b})
}

func TestAReaderCannotForgeADeadRecord(t *testing.T) {
	t.Run("with a manifest", func(t *testing.T) {
		refusesForgery(t, func(th *thief, s *crypto.Signer) string {
			m := th.manifest()
			th.bury(m)
			return th.sign(m, s)
		}, "manifest", hides("k7", "k8", "k9"))
	})
	t.Run("alone", func(t *testing.T) {
		sg := newSiege(t, "reader", "other", "writer", "both")
		sg.attack(t, true, func(mem *vfs.MemFS) {
			th := sg.thief(t, mem, "reader")
			th.bury(th.manifest())
		}, "dead record of segment")
	})
}

// What Open does without a key follows a manifest as a writer has signed it: a
// dead record of a reader's destroys nothing, with a manifest of its own or
// without, and when the records are put back nothing is missing.
func TestOpenErasesNothingThatAReaderCallsDead(t *testing.T) {
	sg := newSiege(t, "reader", "writer")
	for _, withManifest := range []bool{false, true} {
		mem := sg.fs(t)
		th := sg.thief(t, mem, "reader")
		m := th.manifest()
		th.bury(m)
		if withManifest {
			th.sign(m, crypto.NewSigner(siegeUsers["writer"].id, crypto.NewSecret()))
		}
		before := readAll(t, mem)
		closeAttacked(t, openAttacked(t, mem))
		after := readAll(t, mem)
		for _, path := range segmentFiles(before, sg.index) {
			if !bytes.Equal(after[path], before[path]) {
				t.Errorf("manifest=%v: %s has changed", withManifest, path)
			}
		}
		putRecords(t, mem, th.all)
		if errs := sg.outcome(t, "root", mem, false); len(errs) > 0 {
			t.Errorf("manifest=%v: with its records put back the store answers %v", withManifest, errs)
		}
	}
}

func TestAReaderCannotForgeAManifest(t *testing.T) {
	refusesForgery(t, func(th *thief, s *crypto.Signer) string {
		m := th.manifest()
		m.Drop(map[crypto.SegmentID]bool{th.entry(m, true).ID: true})
		return th.sign(m, s)
	}, "manifest", hides("k7", "k8", "k9"))
}

func TestAReaderCannotForgeAnIndex(t *testing.T) {
	t.Run("with a manifest", func(t *testing.T) {
		refusesForgery(t, func(th *thief, s *crypto.Signer) string {
			m := th.manifest()
			th.rewriteIndex(m, "k9", s)
			return th.sign(m, s)
		}, "manifest", hides("k9"))
	})
	t.Run("alone", func(t *testing.T) {
		sg := newSiege(t, "reader", "other", "writer", "both")
		for _, id := range []engine.UserID{siegeUsers["reader"].id, siegeUsers["writer"].id, {}} {
			sg.attack(t, true, func(mem *vfs.MemFS) {
				th := sg.thief(t, mem, "reader")
				th.rewriteIndex(th.manifest(), "k9", crypto.NewSigner(id, crypto.NewSecret()))
			}, ".seg", "footer")
		}
	})
}

// A grant that root has not listed is none: it opens for the reader, who made it,
// and what is signed with the key in it is refused.
func TestAReaderCannotGrantItselfToWrite(t *testing.T) {
	sg := newSiege(t, "reader", "other", "writer", "both")
	grant := func(mem *vfs.MemFS) (*thief, *crypto.Signer) {
		th := sg.thief(t, mem, "reader")
		g := crypto.Grant{ID: th.grant().ID, Map: th.mapKey(), Third: crypto.NewSecret()}
		info := crypto.GrantInfo{Index: th.index, Epoch: th.record.Epoch, User: th.user, Kind: crypto.GrantWrite}
		me, _ := th.record.User(th.user)
		sealed := got(crypto.SealGrant(got(crypto.ParseReaderPublic(me.KEM))(t), info, g))(t)
		putRecords(t, mem, map[string][]byte{string(meta.GrantKey(th.index, th.record.Epoch, th.user, byte(info.Kind))): sealed})
		return th, crypto.NewSigner(th.user, g.Third)
	}
	sg.attack(t, false, func(mem *vfs.MemFS) { grant(mem) })
	sg.attack(t, true, func(mem *vfs.MemFS) {
		th, signer := grant(mem)
		th.append(wal.KindTombstone, th.tombstone("k7"), signer)
	}, "log of index")

	mem := sg.fs(t)
	grant(mem)
	ix := got(openAttacked(t, mem).LoadIndex(context.Background(), "a", sg.who("reader")...))(t)
	for _, op := range operations() {
		if op.writes {
			wantError(t, op.run(ix), engine.ErrPermission)
		}
	}
	wantItems(t, ix, sg.want, sg.gone...)
}

// crown makes an epoch record that a root of the thief's own signs. The thief may
// write in it; everybody's listed public half stays, and everybody has grants,
// with a reader key that the thief has drawn. Every data key is sealed to that,
// the manifest signed anew. Nothing in it is amiss but whose root it is.
func (th *thief) crown(epoch uint64) {
	th.Helper()
	root, seed, r := crypto.NewSigner(engine.UserID{}, crypto.NewSecret()), crypto.NewSecret(), *th.record
	keys := crypto.Grant{ID: th.grant().ID, Map: th.mapKey(), Third: seed}
	reader := got(crypto.NewReaderKey(seed))(th.TB).Public()
	if epoch > r.Epoch {
		keys.Map = crypto.NewSecret()
		r.Previous = crypto.Sum(th.all[string(meta.EpochKey(th.index, r.Epoch))])
		r.MapLink = crypto.LinkMapKey(keys.Map, th.mapKey(), th.index, epoch)
	}
	r.Epoch, r.Root, r.Reader, r.Users = epoch, root.Public(), reader.Bytes(), slices.Clone(r.Users)
	changes := make(map[string][]byte)
	for i := range r.Users {
		th.regrant(changes, &r, &r.Users[i], keys)
	}
	m := th.manifest()
	for i := range m.Segments {
		id := segment.Identity{Index: th.index, Segment: m.Segments[i].ID, Epoch: epoch}
		free := slices.IndexFunc(slotsOf(th.file(th.path(id.Segment))), func(s []byte) bool { return s == nil })
		editFile(th.TB, th.mem, th.path(id.Segment), free*slotSize, makeSlot(th.TB, id, reader, th.dek(id.Segment)))
	}
	m.Epoch = epoch
	m.Version++
	changes[string(meta.ManifestKey(th.index))] = m.Sign(root)
	changes[string(meta.EpochKey(th.index, epoch))] = got(r.Sign(root, nil))(th.TB)
	putRecords(th.TB, th.mem, changes)
}

func slotsOf(file []byte) [][]byte {
	s := slots(file)
	return s[:]
}

// regrant seals keys of the thief's choice to a user.
func (th *thief) regrant(changes map[string][]byte, r *crypto.EpochRecord, u *crypto.EpochUser, keys crypto.Grant) {
	th.Helper()
	pub := got(crypto.ParseReaderPublic(u.KEM))(th.TB)
	seal := func(kind crypto.GrantKind, g crypto.Grant) crypto.Hash {
		b := got(crypto.SealGrant(pub, crypto.GrantInfo{Index: r.Index, Epoch: r.Epoch, User: u.User, Kind: kind}, g))(th.TB)
		changes[string(meta.GrantKey(r.Index, r.Epoch, u.User, byte(kind)))] = b
		return crypto.Sum(b)
	}
	if u.User == th.user {
		u.Perm = engine.PermRead | engine.PermWrite
	}
	u.Read, u.Write = crypto.Hash{}, crypto.Hash{}
	if u.Perm&engine.PermRead != 0 {
		u.Read = seal(crypto.GrantRead, keys)
	}
	if u.Perm&engine.PermWrite != 0 && u.User != (engine.UserID{}) {
		sign := crypto.NewSecret()
		u.Sign = crypto.NewSigner(u.User, sign).Public()
		u.Write = seal(crypto.GrantWrite, crypto.Grant{ID: keys.ID, Map: keys.Map, Third: sign})
	}
}

// Users know root by their anchors and are told. Root knows itself by its key: a
// record that somebody else has signed is to it what a wrong index key is, and so
// is the answer. Nobody is answered an item, and nobody writes a row that the
// thief could read.
func TestAReaderCannotMakeItselfRoot(t *testing.T) {
	ctx := context.Background()
	sg := newSiege(t, "reader", "other", "writer", "both")
	root := sg.keys["root"]
	for _, later := range []uint64{0, 1, 7} {
		crown := func(mem *vfs.MemFS) {
			th := sg.thief(t, mem, "reader")
			th.crown(th.record.Epoch + later)
		}
		sg.only("reader", "other", "writer", "both").attack(t, true, crown, `epoch record of index "a"`)
		for _, reading := range []bool{true, false} {
			mem := sg.fs(t)
			crown(mem)
			s := openAttacked(t, mem, func(o *engine.Options) { o.ReadOnly = reading })
			_, err := s.LoadIndex(ctx, "a", sg.who("root")...)
			wantError(t, err, engine.ErrWrongKey)
			ix := got(s.LoadIndex(ctx, "a"))(t)
			for _, op := range operations() {
				if err := op.run(ix, sg.who("root")...); !errors.Is(err, engine.ErrWrongKey) && !(reading && errors.Is(err, engine.ErrReadOnly)) {
					t.Errorf("root, %s: %v", op.name, err)
				}
			}
			if reading {
				continue
			}
			wantError(t, ix.CreateUserKeys(ctx, userID(9), engine.NewKey(), engine.PermRead, root), engine.ErrWrongKey)
			wantError(t, ix.DeleteUserKeys(ctx, userID(1), root), engine.ErrWrongKey)
			wantError(t, ix.RotateKey(ctx, root, engine.NewKey()), engine.ErrWrongKey)
			wantError(t, s.DeleteIndex(ctx, "a", root), engine.ErrWrongKey)
		}
	}
}

// A forged record of an epoch before is told where the newest names its
// predecessor, and says nothing where it does not.
func TestAReaderCannotForgeTheRecordOfAnEpochBefore(t *testing.T) {
	sg := newSiege(t, "reader", "other", "writer", "both")
	for before, told := range map[uint64]bool{1: true, 2: false} {
		sg.attack(t, told, func(mem *vfs.MemFS) {
			th := sg.thief(t, mem, "reader")
			r, root := *th.record, crypto.NewSigner(engine.UserID{}, crypto.NewSecret())
			r.Epoch -= before
			r.Users, r.Pin.Segments = slices.Clone(r.Users), slices.Clone(r.Pin.Segments)
			putRecords(t, mem, map[string][]byte{string(meta.EpochKey(th.index, r.Epoch)): got(r.Sign(root, root))(t)})
		}, `epoch record of index "a"`)
	}
}

// The epoch record binds name and id: under a second name an index is not opened,
// not changed and not deleted, and under its own it is as it was.
func TestASecondNameOfAnIndexOpensNothing(t *testing.T) {
	ctx := context.Background()
	sg := newSiege(t, "reader", "other", "writer", "both")
	second := func(mem *vfs.MemFS) { putRecords(t, mem, map[string][]byte{"cb": sg.index[:]}) }
	sg.attack(t, false, second)
	mem := sg.fs(t)
	second(mem)
	s := openAttacked(t, mem)
	for _, name := range sg.openTo {
		_, err := s.LoadIndex(ctx, "b", sg.who(name)...)
		wantError(t, err, engine.ErrCorrupt, `epoch record of index "b"`, `"a"`)
	}
	_, err := s.LoadIndex(ctx, "b")
	wantError(t, err, engine.ErrCorrupt)
	wantError(t, s.DeleteIndex(ctx, "b", sg.keys["root"]), engine.ErrCorrupt)
	_, err = s.CreateIndex(ctx, "b", engine.NewKey(), engine.IndexConfig{})
	wantError(t, err, engine.ErrIndexExists)
	wantItems(t, got(s.LoadIndex(ctx, "a", sg.who("root")...))(t), sg.want, sg.gone...)
}

// A reader has the data keys, so it can seal another field in the place of one:
// of the same length, under the same nonce, with a tag that fits. The seal opens;
// the commitment, which a writer has signed, does not fit.
func TestAReaderCannotExchangeAField(t *testing.T) {
	sg := newSiege(t, "reader", "other", "writer", "both")
	for _, sealed := range []bool{true, false} {
		for f := range segment.Field(segment.NumFields) {
			t.Run(fmt.Sprintf("sealed=%v, %v", sealed, f), func(t *testing.T) {
				id := map[bool]string{true: "k9", false: "k29"}[sealed]
				sg.only("root", "other", "both").attack(t, true, func(mem *vfs.MemFS) {
					th := sg.thief(t, mem, "reader")
					th.exchange(th.entry(th.manifest(), sealed), id, f)
				}, ".seg", f.String())
			})
		}
	}
}

// exchange seals another field in the place of an item's.
func (th *thief) exchange(seg *compaction.Segment, id string, f segment.Field) {
	th.Helper()
	dek, path, e := th.dek(seg.ID), th.path(seg.ID), th.find(seg, id)
	x := fieldOf(e.Pointer, f)
	was := th.file(path)[x.Off:x.End()]
	plain := got(openField(dek, seg.ID, e.Row, f, was))(th.TB)[5:]
	plain[len(plain)-1] ^= 1
	with := sealField(dek, seg.ID, e.Row, f, plain)
	if len(with) != len(was) || bytes.Equal(with, was) {
		th.Fatalf("%d bytes in the place of %d", len(with), len(was))
	}
	if opened, err := openField(dek, seg.ID, e.Row, f, with); err != nil || !bytes.Equal(opened[5:], plain) {
		th.Fatalf("what the thief has sealed does not open: %v", err)
	}
	editFile(th.TB, th.mem, path, int(x.Off), with)
}
