package crypto

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"testing"
)

// sealedVectors were sealed by another implementation of HPKE.
type sealedVectors struct {
	Index, Segment hexBytes
	Epoch          uint64
	ReaderSeed     hexBytes `json:"reader_seed"`
	ReaderPublic   hexBytes `json:"reader_public"`
	DEK            hexBytes
	DEKSealed      hexBytes `json:"dek_sealed"`
	Grants         []grantVector
	MapKey         hexBytes `json:"map_key"`
	PreviousMapKey hexBytes `json:"previous_map_key"`
	MapLink        hexBytes `json:"map_link"`
}

type grantVector struct {
	Key, User hexBytes
	Kind      GrantKind
	IDKey     hexBytes `json:"id_key"`
	MapKey    hexBytes `json:"map_key"`
	Third     hexBytes
	Sealed    hexBytes
}

func (v *sealedVectors) dekInfo() DEKInfo {
	return DEKInfo{Index: IndexID(v.Index), Segment: SegmentID(v.Segment), Epoch: v.Epoch}
}

func (v *sealedVectors) grantInfo(g *grantVector) GrantInfo {
	return GrantInfo{Index: IndexID(v.Index), Epoch: v.Epoch, User: UserID(g.User), Kind: g.Kind}
}

func (v *sealedVectors) principal(t testing.TB, g *grantVector) Principal {
	p, err := DerivePrincipal(secret(t, g.Key), IndexID(v.Index), UserID(g.User))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func loadSealed(t testing.TB) *sealedVectors {
	v := load[sealedVectors](t, "sealed.json")
	return &v
}

func readerKey(t testing.TB, seed Secret) ReaderKey {
	t.Helper()
	k, err := NewReaderKey(seed)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The suite and the sizes are those of the published vectors.
func TestHPKESuiteGivesTheDraftsVector(t *testing.T) {
	v := load[struct{ Private, Public, Enc, Info, AAD, Plaintext, Ciphertext hexBytes }](t, "hpke.json")
	k := readerKey(t, secret(t, v.Private))
	if !bytes.Equal(k.Public().Bytes(), v.Public) || len(v.Public) != ReaderPublicSize {
		t.Error("public key differs")
	}
	r, err := hpke.NewRecipient(v.Enc, *k.v.get(), kdf(), aead(), v.Info)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Open(v.AAD, v.Ciphertext)
	if err != nil || !bytes.Equal(got, v.Plaintext) {
		t.Errorf("%x, %v, want %x", got, err, v.Plaintext)
	}
	if n := len(v.Enc) + len(v.Ciphertext) - len(v.Plaintext); n != hpkeOverhead {
		t.Errorf("overhead %d, not %d", n, hpkeOverhead)
	}
}

func TestPrincipalAndRootGiveTheVectors(t *testing.T) {
	v := load[struct {
		Index      hexBytes
		Roots      []struct{ Key, Public hexBytes }
		Principals []struct{ Key, User, KEM hexBytes }
	}](t, "principal.json")
	for i, r := range v.Roots {
		s := RootSigner(secret(t, r.Key), IndexID(v.Index))
		if pub := s.Public(); !bytes.Equal(pub[:], r.Public) || s.User() != (UserID{}) {
			t.Errorf("root %d: %x of %s, want %x", i, pub, s.User(), r.Public)
		}
	}
	for i, c := range v.Principals {
		p, err := DerivePrincipal(secret(t, c.Key), IndexID(v.Index), UserID(c.User))
		if err != nil || !bytes.Equal(p.Public().Bytes(), c.KEM) {
			t.Errorf("principal %d: %v, or another public key", i, err)
		}
	}
}

func TestPrincipalsOfOneKeyAreUnrelated(t *testing.T) {
	key := NewSecret()
	index, user := NewIndexID(), UserID{1}
	seen := map[string]string{}
	for name, at := range map[string]struct {
		key   Secret
		index IndexID
		user  UserID
	}{
		"itself": {key, index, user}, "another user": {key, index, UserID{2}}, "root": {key, index, UserID{}},
		"another index": {key, NewIndexID(), user}, "another key": {NewSecret(), index, user},
	} {
		p, err := DerivePrincipal(at.key, at.index, at.user)
		if err != nil {
			t.Fatal(err)
		}
		pub := string(p.Public().Bytes())
		if was, ok := seen[pub]; ok {
			t.Errorf("%s and %s have one key pair", was, name)
		}
		seen[pub] = name
	}
	if RootSigner(key, index).Public() == RootSigner(key, NewIndexID()).Public() {
		t.Error("root signs two indexes with one key")
	}
}

func TestSealedVectorsOpen(t *testing.T) {
	v := loadSealed(t)
	k := readerKey(t, secret(t, v.ReaderSeed))
	if !bytes.Equal(k.Public().Bytes(), v.ReaderPublic) {
		t.Error("reader key: another public half")
	}
	dek, err := OpenDEK(k, v.dekInfo(), v.DEKSealed)
	if err != nil || !bytes.Equal(dek.Reveal(), v.DEK) {
		t.Errorf("data key: %v, or another key", err)
	}
	for i := range v.Grants {
		c := &v.Grants[i]
		g, err := OpenGrant(v.principal(t, c), v.grantInfo(c), c.Sealed)
		if err != nil {
			t.Errorf("grant %d: %v", i, err)
			continue
		}
		if !g.ID.Equal(secret(t, c.IDKey)) || !g.Map.Equal(secret(t, c.MapKey)) || !g.Third.Equal(secret(t, c.Third)) {
			t.Errorf("grant %d: other keys", i)
		}
	}
	index, mapKey, previous := IndexID(v.Index), secret(t, v.MapKey), secret(t, v.PreviousMapKey)
	if got := LinkMapKey(mapKey, previous, index, v.Epoch); !bytes.Equal(got, v.MapLink) {
		t.Errorf("map link %x, want %x", got, v.MapLink)
	}
	if got, err := FollowMapKey(mapKey, index, v.Epoch, v.MapLink); err != nil || !got.Equal(previous) {
		t.Errorf("map link: %v, or another key", err)
	}
}

func TestSealingIsRandomised(t *testing.T) {
	v := loadSealed(t)
	pub := readerKey(t, secret(t, v.ReaderSeed)).Public()
	a, err1 := SealDEK(pub, v.dekInfo(), secret(t, v.DEK))
	b, err2 := SealDEK(pub, v.dekInfo(), secret(t, v.DEK))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if len(a) != SealedDEKSize || len(b) != SealedDEKSize {
		t.Errorf("%d and %d bytes, want %d", len(a), len(b), SealedDEKSize)
	}
	if bytes.Equal(a[:1120], b[:1120]) || bytes.Equal(a[1120:], b[1120:]) {
		t.Error("two seals share an encapsulation or a ciphertext")
	}
}

func TestSealedDEKOpensNowhereElse(t *testing.T) {
	v := loadSealed(t)
	k := readerKey(t, secret(t, v.ReaderSeed))
	refused := func(what string, k ReaderKey, info DEKInfo, sealed []byte) {
		t.Helper()
		if s, err := OpenDEK(k, info, sealed); err == nil || !s.IsZero() {
			t.Errorf("%s: opens, error %v", what, err)
		}
	}
	for what, change := range map[string]func(*DEKInfo){
		"another index":   func(i *DEKInfo) { i.Index[15] ^= 1 },
		"another segment": func(i *DEKInfo) { i.Segment[0] ^= 1 },
		"epoch before":    func(i *DEKInfo) { i.Epoch-- },
		"epoch behind":    func(i *DEKInfo) { i.Epoch++ },
		"ids exchanged":   func(i *DEKInfo) { i.Index, i.Segment = IndexID(i.Segment), SegmentID(i.Index) },
	} {
		info := v.dekInfo()
		change(&info)
		refused(what, k, info, v.DEKSealed)
	}
	refused("another key", readerKey(t, NewSecret()), v.dekInfo(), v.DEKSealed)
	refused("no key", ReaderKey{}, v.dekInfo(), v.DEKSealed)
	flips(v.DEKSealed, func(at int, b []byte) { refused(fmt.Sprint("flipped at byte ", at), k, v.dekInfo(), b) })
	for _, n := range []int{0, 1, 1119, 1120, SealedDEKSize - 1} {
		refused("cut", k, v.dekInfo(), v.DEKSealed[:n])
	}
	refused("grown", k, v.dekInfo(), append(bytes.Clone(v.DEKSealed), 0))
	longer, err := sealTo(k.Public(), v.dekInfo().bytes(), append(bytes.Clone(v.DEK), 0))
	if err != nil {
		t.Fatal(err)
	}
	refused("a message of 33 bytes", k, v.dekInfo(), longer)
	zeros, err := sealTo(k.Public(), v.dekInfo().bytes(), make([]byte, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	refused("a key of zeros", k, v.dekInfo(), zeros)
}

func TestGrantOpensNowhereElse(t *testing.T) {
	v := loadSealed(t)
	c := &v.Grants[1]
	p := v.principal(t, c)
	refused := func(what string, p Principal, info GrantInfo, sealed []byte) {
		t.Helper()
		if g, err := OpenGrant(p, info, sealed); err == nil || !g.ID.IsZero() || !g.Map.IsZero() || !g.Third.IsZero() {
			t.Errorf("%s: opens, error %v", what, err)
		}
	}
	for what, change := range map[string]func(*GrantInfo){
		"another index": func(i *GrantInfo) { i.Index[0] ^= 1 },
		"another epoch": func(i *GrantInfo) { i.Epoch++ },
		"another user":  func(i *GrantInfo) { i.User[0] ^= 1 },
		"root":          func(i *GrantInfo) { i.User = UserID{} },
		"another kind":  func(i *GrantInfo) { i.Kind = GrantWrite },
	} {
		info := v.grantInfo(c)
		change(&info)
		refused(what, p, info, c.Sealed)
	}
	refused("another principal", v.principal(t, &v.Grants[0]), v.grantInfo(c), c.Sealed)
	refused("no principal", Principal{}, v.grantInfo(c), c.Sealed)
	refused("a data key in its place", p, v.grantInfo(c), v.DEKSealed)
	flips(c.Sealed, func(at int, b []byte) { refused(fmt.Sprint("flipped at byte ", at), p, v.grantInfo(c), b) })
	for _, n := range []int{0, 1120, SealedGrantSize - 1} {
		refused("cut", p, v.grantInfo(c), c.Sealed[:n])
	}
	refused("grown", p, v.grantInfo(c), append(bytes.Clone(c.Sealed), 0))
}

// A data key sealed with a grant's info, or the other way round, shares nothing
// with it: the labels differ.
func TestInfosOfDataKeysAndGrantsNeverMeet(t *testing.T) {
	index := NewIndexID()
	d := DEKInfo{Index: index, Epoch: 1}.bytes()
	g := GrantInfo{Index: index, Epoch: 1, Kind: GrantRead}.bytes()
	if bytes.HasPrefix(d, g) || bytes.HasPrefix(g, d) {
		t.Error("one info begins as the other")
	}
}

func TestMapLinkOpensNowhereElse(t *testing.T) {
	v := loadSealed(t)
	index, mapKey := IndexID(v.Index), secret(t, v.MapKey)
	other := index
	other[3] ^= 1
	refused := func(what string, key Secret, index IndexID, epoch uint64, sealed []byte) {
		t.Helper()
		if s, err := FollowMapKey(key, index, epoch, sealed); err == nil || !s.IsZero() {
			t.Errorf("%s: opens, error %v", what, err)
		}
	}
	refused("another index", mapKey, other, v.Epoch, v.MapLink)
	refused("another epoch", mapKey, index, v.Epoch+1, v.MapLink)
	refused("another key", NewSecret(), index, v.Epoch, v.MapLink)
	flips(v.MapLink, func(at int, b []byte) { refused(fmt.Sprint("flipped at byte ", at), mapKey, index, v.Epoch, b) })
	for n := range v.MapLink {
		refused("cut", mapKey, index, v.Epoch, v.MapLink[:n])
	}
}

func TestGrantWithAKeyMissingIsNotSealed(t *testing.T) {
	v := loadSealed(t)
	pub := readerKey(t, secret(t, v.ReaderSeed)).Public()
	s := NewSecret()
	wiped := NewSecret()
	wiped.Wipe()
	for i, g := range []Grant{{}, {ID: s, Map: s}, {ID: s, Third: s}, {Map: s, Third: s}, {ID: s, Map: s, Third: wiped}} {
		if b, err := SealGrant(pub, GrantInfo{Kind: GrantRead}, g); err == nil {
			t.Errorf("grant %d sealed in %d bytes", i, len(b))
		}
	}
}

func TestWeakKEMKeysSealNothing(t *testing.T) {
	good := readerKey(t, NewSecret()).Public().Bytes()
	for what, change := range map[string]func(b []byte) []byte{
		"short": func(b []byte) []byte { return b[:len(b)-1] },
		"long":  func(b []byte) []byte { return append(b, 0) },
		"none":  func([]byte) []byte { return nil },
		"ML-KEM coefficient above q": func(b []byte) []byte {
			b[0], b[1] = 0xff, 0xff
			return b
		},
	} {
		if _, err := ParseReaderPublic(change(bytes.Clone(good))); err == nil {
			t.Errorf("%s: is taken for a key", what)
		}
	}
	// X25519 points of small order give a shared secret of zeros, whatever the
	// other side is. crypto/ecdh finds out when it sees the result.
	for _, first := range []byte{0, 1} {
		b := bytes.Clone(good)
		clear(b[1184:])
		b[1184] = first
		p, err := ParseReaderPublic(b)
		if err != nil {
			continue
		}
		if _, err := SealDEK(p, DEKInfo{}, NewSecret()); err == nil {
			t.Errorf("sealed to an X25519 point of small order (%d)", first)
		}
	}
	if _, err := SealDEK(ReaderPublic{}, DEKInfo{}, NewSecret()); err == nil {
		t.Error("sealed to no key")
	}
}

func TestReaderKeyOutlivesItsSeed(t *testing.T) {
	v := loadSealed(t)
	seed := secret(t, v.ReaderSeed)
	k := readerKey(t, seed)
	seed.Wipe()
	if _, err := OpenDEK(k, v.dekInfo(), v.DEKSealed); err != nil {
		t.Errorf("after wiping the seed: %v", err)
	}
}
