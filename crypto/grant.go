package crypto

import (
	"errors"
	"fmt"

	"oubliette/internal/codec"
)

// GrantKind tells a read grant from a write grant.
type GrantKind uint8

// The kinds of grants. Root holds a read grant: its signing key is derived.
const (
	GrantRead  GrantKind = 1 // id key, map key, reader key
	GrantWrite GrantKind = 2 // id key, map key, signing key
)

// GrantInfo is what a sealed grant is bound to.
type GrantInfo struct {
	Index IndexID
	Epoch uint64
	User  UserID
	Kind  GrantKind
}

func (i GrantInfo) bytes() []byte {
	return bind(labelGrantInfo, i.Index[:], le64(i.Epoch), i.User[:], []byte{byte(i.Kind)})
}

// Grant is the keys of one kind for one principal and epoch. Third is the seed
// of the reader key in a read grant and of the user's signing key in a write
// grant.
type Grant struct {
	ID    Secret
	Map   Secret
	Third Secret
}

const (
	grantVersion = 1
	grantSize    = 1 + 3*KeySize
	// SealedGrantSize is the length of a sealed grant in bytes.
	SealedGrantSize = grantSize + hpkeOverhead
)

// SealGrant seals a grant to its principal's public half. HPKE base mode
// authenticates no sender: a grant counts only when its hash stands in the
// root-signed epoch record.
func SealGrant(pub ReaderPublic, info GrantInfo, g Grant) ([]byte, error) {
	if g.ID.IsZero() || g.Map.IsZero() || g.Third.IsZero() {
		return nil, errors.New("grant with a key missing")
	}
	b := g.encode()
	defer clear(b)
	return sealTo(pub, info.bytes(), b)
}

func (g Grant) encode() []byte {
	e := codec.Encoder{B: make([]byte, 0, grantSize)} // no growing: that would leave a copy
	e.U8(grantVersion)
	for _, s := range []Secret{g.ID, g.Map, g.Third} {
		e.Raw(s.Reveal())
	}
	return e.B
}

// OpenGrant opens a grant with what the caller's key derives.
func OpenGrant(p Principal, info GrantInfo, sealed []byte) (Grant, error) {
	b, err := openWith(p.kem, info.bytes(), sealed, grantSize)
	if err != nil {
		return Grant{}, err
	}
	defer clear(b)
	return decodeGrant(b)
}

func decodeGrant(b []byte) (Grant, error) {
	d := codec.NewDecoder(b)
	if v := d.U8(); v != grantVersion {
		d.Fail("grant version %d, this build reads %d", v, grantVersion)
	}
	var g Grant
	for i, key := range []*Secret{&g.ID, &g.Map, &g.Third} {
		raw := d.Raw(KeySize)
		if d.Err() != nil {
			break
		}
		s, err := SecretFromBytes(raw)
		if err != nil {
			d.Fail("key %d: %w", i, err)
		}
		*key = s
	}
	if err := d.Done(); err != nil {
		g.Wipe()
		return Grant{}, fmt.Errorf("grant: %w", err)
	}
	return g, nil
}

// Wipe overwrites the keys.
func (g Grant) Wipe() {
	g.ID.Wipe()
	g.Map.Wipe()
	g.Third.Wipe()
}

// LinkMapKey seals an epoch's predecessor's map key under the epoch's own, so
// that segments indexed in earlier epochs stay readable. The nonce is zero: the
// sealing key is derived for this one message and epoch.
func LinkMapKey(mapKey, previous Secret, index IndexID, epoch uint64) []byte {
	key := Derive(mapKey, nil, labelMapLink, index[:], le64(epoch))
	defer key.Wipe()
	nonce := CounterNonce(0)
	return NewAEAD(key).Seal(nil, nonce[:], previous.Reveal(), bind(labelMapLink, index[:], le64(epoch)))
}

// FollowMapKey opens what LinkMapKey sealed.
func FollowMapKey(mapKey Secret, index IndexID, epoch uint64, sealed []byte) (Secret, error) {
	key := Derive(mapKey, nil, labelMapLink, index[:], le64(epoch))
	defer key.Wipe()
	nonce := CounterNonce(0)
	b, err := NewAEAD(key).Open(nil, nonce[:], sealed, bind(labelMapLink, index[:], le64(epoch)))
	if err != nil {
		return Secret{}, errUnsealed
	}
	defer clear(b)
	return SecretFromBytes(b)
}
