package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/internal/meta"
	"oubliette/segment"
	"oubliette/wal"
)

// What a user can try who may only write, and somebody with the files and no key
// at all, beside what attack_test.go and damaged_records_test.go try.

// A user who may only write has an id key, a map key and a signing key. With the
// files in hand it sees tokens and places, and can tell whether an id that it
// names is there. No key that it can derive opens a data key or a field, so it
// reads no id that it cannot guess. (It may have had the data key of a segment that
// its own process has made: docs/crypto.md.)
func TestAWriteOnlyUserOpensNoRow(t *testing.T) {
	sg := newSiege(t, "reader", "writer")
	mem := sg.fs(t)
	th, reader := sg.thief(t, mem, "writer"), sg.thief(t, mem, "reader")
	if _, ok := th.grants[crypto.GrantRead]; ok {
		t.Fatal("the user has a read grant")
	}
	secrets := th.derived(sg.keys["writer"])
	m := th.manifest()
	fields := 0
	for i := range m.Segments {
		seg := &m.Segments[i]
		b, dek := th.file(th.path(seg.ID)), reader.dek(seg.ID)
		for n, secret := range secrets {
			key := got(crypto.NewReaderKey(secret))(t)
			for _, slot := range slots(b) {
				if slot == nil {
					continue
				}
				if _, err := openSlot(slot, key); err == nil {
					t.Errorf("secret %d opens a header slot of %s", n, seg.ID)
				}
			}
		}
		for _, e := range th.placed(seg) {
			for f := range segment.Field(segment.NumFields) {
				x := fieldOf(e.Pointer, f)
				sealed := b[x.Off:x.End()]
				if _, err := openField(dek, seg.ID, e.Row, f, sealed); err != nil {
					continue // erased
				}
				fields++
				for n, secret := range secrets {
					if _, err := openField(secret, seg.ID, e.Row, f, sealed); err == nil {
						t.Errorf("secret %d opens the %v of row %d of %s", n, f, e.Row, seg.ID)
					}
				}
			}
		}
	}
	if fields < 3*len(sg.want) {
		t.Errorf("%d fields were tried, %d items live", fields, len(sg.want))
	}
}

// derived is every secret that a user gets from its own key, its grants and the
// files.
func (th *thief) derived(own crypto.Secret) []crypto.Secret {
	th.Helper()
	epoch := binary.LittleEndian.AppendUint64(nil, th.record.Epoch)
	out := []crypto.Secret{
		own, crypto.Derive(own, nil, "oubliette/grant-kem/v1", th.index[:], th.user[:]),
		crypto.Derive(th.mapKey(), nil, "oubliette/map-key-link/v1", th.index[:], epoch),
	}
	for _, g := range th.grants {
		out = append(out, g.ID, g.Map, g.Third)
	}
	sessions := make(map[crypto.SessionID]bool)
	th.replay(func(r wal.Replayed) { sessions[r.Session] = true })
	for id := range sessions {
		out = append(out, crypto.Derive(th.mapKey(), id[:], "oubliette/log-session/v1", th.index[:], epoch))
	}
	return out
}

// The calls refuse as well, also while the process holds what a reader has opened.
func TestAWriteOnlyUserMayNotRead(t *testing.T) {
	ctx := context.Background()
	sg := newSiege(t, "reader", "writer")
	s := openStore(t, sg.fs(t), map[string]engine.Key{"a": sg.keys["root"]})
	for range 2 {
		ix := got(s.LoadIndex(ctx, "a", sg.who("writer")...))(t)
		keyless := got(s.LoadIndex(ctx, "a"))(t)
		for _, op := range operations() {
			if op.writes || op.name == "Check" || op.name == "Status" {
				continue
			}
			wantError(t, op.run(ix), engine.ErrPermission)
			wantError(t, op.run(keyless, sg.who("writer")...), engine.ErrPermission)
		}
		_, err := ix.SealedBytes(ctx, []string{"k9"})
		wantError(t, err, engine.ErrPermission)
		wantItems(t, got(s.LoadIndex(ctx, "a", sg.who("reader")...))(t), sg.want, sg.gone...)
	}
}

// A grant opens for its user alone, and as nothing but what it is.
func TestAGrantOpensForItsUserAlone(t *testing.T) {
	sg := newSiege(t, "reader", "other", "writer", "both")
	all := records(t, sg.fs(t))
	opened := 0
	for name, key := range sg.keys {
		p := got(crypto.DerivePrincipal(key, sg.index, siegeUsers[name].id))(t)
		for _, k := range recordsOf(all, 'g', sg.index) {
			for other := range sg.keys {
				for _, kind := range []crypto.GrantKind{crypto.GrantRead, crypto.GrantWrite} {
					info := crypto.GrantInfo{Index: sg.index, Epoch: grantOf(k).Epoch, User: siegeUsers[other].id, Kind: kind}
					if _, err := crypto.OpenGrant(p, info, all[k]); err != nil {
						continue
					}
					if opened++; info != grantOf(k) || name != other {
						t.Errorf("%s opens the grant %v as %v", name, grantOf(k), info)
					}
				}
			}
		}
	}
	if opened != 6 { // root's, three of users with one permission, two of both
		t.Errorf("%d grants open in all, want 6", opened)
	}
}

// Everybody can seal a data key to the reader key's public half. It is not the
// one that the manifest commits to.
func TestAnotherDataKeyInAHeaderIsTold(t *testing.T) {
	sg := newSiege(t, "reader", "writer")
	all := records(t, sg.fs(t))
	record := got(crypto.DecodeEpochRecord(all[lastRecord(t, all, 'e', sg.index)]))(t)
	reader := got(crypto.ParseReaderPublic(record.Reader))(t)
	for _, path := range segmentFiles(sg.files, sg.index) {
		for _, epoch := range []uint64{record.Epoch, record.Epoch + 1} {
			id := segment.Identity{Index: sg.index, Segment: segmentOf(t, path), Epoch: epoch}
			slot := makeSlot(t, id, reader, crypto.NewSecret())
			sg.only("root", "reader").attack(t, true, func(mem *vfs.MemFS) { editFile(t, mem, path, 0, slot) }, path)
			sg.attack(t, false, func(mem *vfs.MemFS) { editFile(t, mem, path, slotSize, slot) }) // which is free
		}
	}
}

// newTwins is a siege with an index b beside a: the same users with the same keys,
// the same items, another root key.
func newTwins(t testing.TB) (a, b *siege) {
	t.Helper()
	s := newStore(t)
	users := map[string]engine.Key{"reader": engine.NewKey(), "writer": engine.NewKey()}
	for _, name := range []string{"a", "b"} {
		ix := s.create(name)
		sg := &siege{keys: maps.Clone(users), index: ix.ID(), openTo: []string{"root", "reader", "writer"}}
		sg.keys["root"] = s.keys[name]
		sg.admit(t, ix)
		sg.fill(t, s, ix)
		a, b = b, sg
	}
	a.files = b.files // both stand in them
	return a, b
}

// moved is what a record of one index would be as another's.
func moved(key string, to crypto.IndexID) string { return key[:1] + string(to[:]) + key[17:] }

// A record, or a file, of one index in the place of the same of another is told,
// also where users and their keys are the same.
func TestRecordsOfAnotherIndexAreTold(t *testing.T) {
	a, b := newTwins(t)
	all := records(t, a.fs(t))
	for _, kind := range []byte("degmw") {
		t.Run(string(kind), func(t *testing.T) {
			theirs := recordsOf(all, kind, b.index)
			for i, key := range recordsOf(all, kind, a.index) {
				a.attack(t, true, func(mem *vfs.MemFS) { putRecords(t, mem, map[string][]byte{key: all[theirs[i]]}) })
			}
		})
	}
	for _, kinds := range []string{"e", "eg", "egm", "md", "mdw", "w", "egmdw"} {
		t.Run("all of "+kinds, func(t *testing.T) {
			a.attack(t, true, func(mem *vfs.MemFS) {
				changes := make(map[string][]byte)
				for _, kind := range []byte(kinds) {
					for _, key := range recordsOf(all, kind, a.index) {
						changes[key] = nil
					}
					for _, key := range recordsOf(all, kind, b.index) {
						changes[moved(key, a.index)] = all[key]
					}
				}
				putRecords(t, mem, changes)
			})
		})
	}
	t.Run("segments", func(t *testing.T) {
		theirs := segmentFiles(a.files, b.index)
		a.attack(t, true, func(mem *vfs.MemFS) {
			for i, path := range segmentFiles(a.files, a.index) {
				writeFile(t, mem, path, a.files[theirs[i]])
			}
		}, ".seg")
	})
}

// Groups are numbered: two that change places are told, and so is one
// that stands twice.
func TestGroupsOfTheLogKeepTheirPlaces(t *testing.T) {
	sg := newSiege(t, "reader", "writer")
	all := records(t, sg.fs(t))
	groups := recordsOf(all, 'w', sg.index)
	if len(groups) < 2 {
		t.Fatalf("%d groups", len(groups))
	}
	for i, a := range groups {
		for _, b := range groups[:i] {
			sg.attack(t, true, func(mem *vfs.MemFS) { putRecords(t, mem, map[string][]byte{a: all[b], b: all[a]}) }, "log of index")
			sg.attack(t, true, func(mem *vfs.MemFS) { putRecords(t, mem, map[string][]byte{a: all[b]}) }, "log of index")
		}
	}
	last := groups[len(groups)-1]
	_, n, _ := meta.ParseGroupKey([]byte(last))
	sg.attack(t, true, func(mem *vfs.MemFS) {
		putRecords(t, mem, map[string][]byte{string(meta.GroupKey(sg.index, n+1)): all[last]})
	}, "log of index")
}

// The chain tells one continuation of the log from another: a group that somebody
// has kept does not go on from another one than that which it was written behind,
// though its number fits and its writer has signed it.
func TestAGroupGoesOnFromItsOwnPredecessor(t *testing.T) {
	ctx := context.Background()
	sg := newSiege(t, "reader", "writer")
	all := records(t, sg.fs(t))
	groups := recordsOf(all, 'w', sg.index)
	last, before := groups[len(groups)-1], groups[len(groups)-2]
	mem := sg.fs(t)
	putRecords(t, mem, map[string][]byte{last: nil, before: nil})
	s := openAttacked(t, mem)
	got(got(s.LoadIndex(ctx, "a", sg.who("root")...))(t).Delete(ctx, []string{"unknown"}))(t)
	forked := *sg
	forked.files = readAll(t, mem) // as they stand before Close applies it
	other := records(t, forked.fs(t))[before]
	if len(other) == 0 || bytes.Equal(other, all[before]) {
		t.Fatal("there is no other continuation")
	}
	sg.attack(t, true, func(mem *vfs.MemFS) { putRecords(t, mem, map[string][]byte{before: other}) }, "does not continue the chain")
}

// The log's end can be cut off where the manifest says nothing of it yet. After a
// crash that is not told from an end that the crash has torn off: the store is as
// it was before the last calls, and is nothing else. In a store that was closed the
// file CLEAN tells, which whoever cuts can remove. What tells for certain is
// outside: the receipt of a delete that is gone, for its sequence number goes to
// another call then, whose head is another; and a ledger, which has the group.
func TestACutLogIsTheStoreOfBefore(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 10)))
	sg := &siege{keys: map[string]engine.Key{"root": s.keys["a"]}, index: ix.ID(), openTo: []string{"root"}, want: byID(makeItems("k", 10)...)}
	receipt := got(ix.Delete(ctx, []string{"k3"}))(t)
	sg.take(t, s)
	cut := func(mem *vfs.MemFS) {
		putRecords(t, mem, map[string][]byte{lastRecord(t, records(t, mem), 'w', sg.index): nil})
	}
	sg.attack(t, false, cut)

	mem := sg.fs(t)
	cut(mem)
	again := got(got(openAttacked(t, mem).LoadIndex(ctx, "a", sg.who("root")...))(t).Delete(ctx, []string{"k3"}))(t)
	if again.Seq != receipt.Seq || again.Head == receipt.Head || again.Session == receipt.Session {
		t.Errorf("the receipt of the delete that was cut off and the next one's are %+v and %+v", receipt, again)
	}
}

// The catalogue says which id a name has; epoch records bind both. With rows of two
// indexes exchanged neither opens, with neither root's key and no user's, so there
// is no handle on which to let anybody in or to rotate a key; nothing is deleted,
// and when the rows are put back nothing has changed.
func TestExchangedNamesOpenNothing(t *testing.T) {
	ctx := context.Background()
	a, b := newTwins(t)
	mem := a.fs(t)
	putRecords(t, mem, map[string][]byte{"ca": b.index[:], "cb": a.index[:]})
	before := records(t, mem)
	s := openAttacked(t, mem)
	for _, name := range []string{"a", "b"} {
		for _, opts := range [][]engine.OpOption{nil, a.who("root"), b.who("root"), a.who("reader"), a.who("writer")} {
			ix, err := s.LoadIndex(ctx, name, opts...)
			if wantError(t, err, engine.ErrCorrupt, fmt.Sprintf("epoch record of index %q", name)); ix != nil {
				t.Errorf("%s: a handle", name)
			}
		}
		for _, sg := range []*siege{a, b} {
			wantError(t, s.DeleteIndex(ctx, name, sg.keys["root"]), engine.ErrCorrupt)
			_, err := s.CreateIndex(ctx, name, sg.keys["root"], engine.IndexConfig{})
			wantError(t, err, engine.ErrIndexExists)
		}
	}
	closeAttacked(t, s)
	if !maps.EqualFunc(records(t, mem), before, bytes.Equal) {
		t.Error("records have changed")
	}
	putRecords(t, mem, map[string][]byte{"ca": a.index[:], "cb": b.index[:]})
	if errs := a.outcome(t, "root", mem, false); len(errs) > 0 {
		t.Errorf("put back: %v", errs)
	}
}

// What root's key of one index derives for another one opens and signs nothing
// there, and would neither if both had the same key.
func TestARootKeyIsOneIndexs(t *testing.T) {
	a, b := newTwins(t)
	all := records(t, a.fs(t))
	key := a.keys["root"]
	if crypto.RootSigner(key, a.index).Public() == crypto.RootSigner(key, b.index).Public() {
		t.Error("root signs for two indexes with one key")
	}
	for _, at := range []*siege{a, b} {
		p := got(crypto.DerivePrincipal(key, at.index, crypto.UserID{}))(t)
		for _, sg := range []*siege{a, b} {
			for _, k := range recordsOf(all, 'g', sg.index) {
				info := grantOf(k)
				if _, err := crypto.OpenGrant(p, info, all[k]); (err == nil) != (at == a && sg == a && info.User == crypto.UserID{}) {
					t.Errorf("grant of %s in index %s, with what is derived for %s: %v", info.User, info.Index, at.index, err)
				}
			}
		}
	}
}

// An anchor is sealed under its user's own key and bound to index and user. Where
// another stands in its place, or none, its user is told and takes nobody for root;
// to the others it is nothing. Root gives the user another by CreateUserKeys.
func TestAnchorsKeepTheirPlaces(t *testing.T) {
	ctx := context.Background()
	a, b := newTwins(t)
	all := records(t, a.fs(t))
	anchor := func(sg *siege, name string) string { return string(meta.AnchorKey(sg.index, siegeUsers[name].id)) }
	r, w := anchor(a, "reader"), anchor(a, "writer")
	for name, changes := range map[string]map[string][]byte{
		"exchanged":        {r: all[w], w: all[r]},
		"removed":          {r: nil, w: nil},
		"of another index": {r: all[anchor(b, "reader")], w: all[anchor(b, "writer")]},
	} {
		t.Run(name, func(t *testing.T) {
			attack := func(mem *vfs.MemFS) { putRecords(t, mem, changes) }
			a.only("reader", "writer").attack(t, true, attack, "anchor of user")
			a.only("root").attack(t, false, attack)
			mem := a.fs(t)
			attack(mem)
			s := openAttacked(t, mem)
			ix := got(s.LoadIndex(ctx, "a", a.who("root")...))(t)
			must(t, ix.CreateUserKeys(ctx, siegeUsers["reader"].id, a.keys["reader"], engine.PermRead, a.keys["root"]))
			wantItems(t, got(s.LoadIndex(ctx, "a", a.who("reader")...))(t), a.want, a.gone...)
		})
	}
}

// An index made again under its name, with the same keys, shares nothing with the
// one that was there: its id is another, and everything is bound to that. What was
// kept of the old one is nothing beside the new one, and does not fit in its place.
// (Put back whole, with its name and a copy of its files, the old one is there
// again. The files themselves have had their header slots overwritten.)
func TestWhatWasKeptOfADeletedIndexOpensNothing(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	key := engine.NewKey()
	create := func(keys map[string]engine.Key) *siege {
		ix := got(s.CreateIndex(ctx, "a", key, engine.IndexConfig{}))(t)
		s.keys["a"] = key
		for name, k := range keys {
			if name != "root" {
				_, err := s.LoadIndex(ctx, "a", as(siegeUsers[name].id, k)...)
				wantError(t, err, engine.ErrWrongKey) // who was let in then is not now
			}
		}
		sg := &siege{keys: maps.Clone(keys), index: ix.ID(), openTo: []string{"root", "reader", "writer"}}
		sg.admit(t, ix)
		sg.fill(t, s, ix)
		return sg
	}
	old := create(map[string]engine.Key{"root": key})
	must(t, s.DeleteIndex(ctx, "a", key))
	now := create(old.keys)
	was, is := records(t, old.fs(t)), records(t, now.fs(t))

	t.Run("keys", func(t *testing.T) {
		then, mem := old.thief(t, old.fs(t), "reader"), now.fs(t)
		if then.token("k9") == now.thief(t, mem, "reader").token("k9") {
			t.Error("an id has the token that it had")
		}
		for _, path := range segmentFiles(now.files, now.index) {
			for _, slot := range slots(now.files[path]) {
				if slot == nil {
					continue
				}
				if _, err := openSlot(slot, then.reader); err == nil {
					t.Errorf("the old reader key opens %s", path)
				}
			}
		}
		for name, key := range old.keys {
			p := got(crypto.DerivePrincipal(key, old.index, siegeUsers[name].id))(t)
			for _, k := range recordsOf(is, 'g', now.index) {
				if _, err := crypto.OpenGrant(p, grantOf(k), is[k]); err == nil {
					t.Errorf("%s of the old index opens %v", name, grantOf(k))
				}
			}
		}
	})
	t.Run("records and files beside", func(t *testing.T) {
		now.attack(t, false, func(mem *vfs.MemFS) {
			beside := maps.Clone(was)
			delete(beside, "ca")
			putRecords(t, mem, beside)
			for _, path := range segmentFiles(old.files, old.index) {
				must(t, mem.MkdirAll(mem.PathDir(path), 0o700))
				writeFile(t, mem, path, old.files[path])
			}
		})
	})
	for _, kind := range []byte("degmw") {
		t.Run("records in the place of "+string(kind), func(t *testing.T) {
			now.attack(t, true, func(mem *vfs.MemFS) {
				theirs := recordsOf(was, kind, old.index)
				changes := map[string][]byte{}
				for i, k := range recordsOf(is, kind, now.index) {
					changes[k] = was[theirs[i]]
				}
				putRecords(t, mem, changes)
			})
		})
	}
	t.Run("anchors", func(t *testing.T) {
		now.only("reader", "writer").attack(t, true, func(mem *vfs.MemFS) {
			for _, k := range recordsOf(was, 'a', old.index) {
				putRecords(t, mem, map[string][]byte{moved(k, now.index): was[k]})
			}
		}, "anchor of user")
	})
	t.Run("segments", func(t *testing.T) {
		theirs := segmentFiles(old.files, old.index)
		now.attack(t, true, func(mem *vfs.MemFS) {
			for i, path := range segmentFiles(now.files, now.index) {
				writeFile(t, mem, path, old.files[theirs[i]])
			}
		}, ".seg")
	})
	t.Run("its name with its records", func(t *testing.T) {
		now.attack(t, true, func(mem *vfs.MemFS) { putRecords(t, mem, was) }, ".seg", "is missing")
	})
}

// A user whom the index does not know, one who has been revoked, and a wrong key of
// one whom it knows: one answer, and the same work, a key pair derived and compared.
// Nothing is cached, for each key comes once. The three take turns, so that what
// else the machine does meets them alike. Their medians differ by some percent; the
// bound is half as much again.
func TestAWrongKeyAndAnUnknownUserAreNotToldApart(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	ix := s.create("a")
	for n := range byte(3) {
		must(t, ix.CreateUserKeys(ctx, userID(n), engine.NewKey(), engine.PermRead|engine.PermWrite, s.keys["a"]))
	}
	must(t, ix.DeleteUserKeys(ctx, userID(2), s.keys["a"]))
	keyless := got(s.LoadIndex(ctx, "a"))(t)
	who := map[string]engine.UserID{"known": userID(1), "unknown": userID(77), "revoked": userID(2)}
	texts, took := make(map[string]bool), make(map[string][]time.Duration)
	for range 300 {
		for name, id := range who { // in whatever order
			key := engine.NewKey()
			began := time.Now()
			_, err := keyless.Count(ctx, as(id, key)...)
			took[name] = append(took[name], time.Since(began))
			wantError(t, err, engine.ErrWrongKey)
			texts[err.Error()] = true
		}
	}
	if len(texts) != 1 {
		t.Errorf("the answers are %q", slices.Collect(maps.Keys(texts)))
	}
	fastest, slowest := time.Hour, time.Duration(0)
	for _, d := range took {
		slices.Sort(d)
		fastest, slowest = min(fastest, d[len(d)/2]), max(slowest, d[len(d)/2])
	}
	if slowest > fastest+fastest/2 {
		t.Errorf("the medians lie between %v and %v", fastest, slowest)
	}
}
