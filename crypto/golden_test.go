package crypto

import (
	"bytes"
	"fmt"
	"testing"

	"oubliette/internal/golden"
)

func epochFields(r *EpochRecord) []golden.Field {
	f := []golden.Field{
		{Name: "magic", Size: 8}, {Name: "version", Size: 2}, {Name: "index", Size: 16}, {Name: "epoch", Size: 8},
		{Name: "length of name", Size: 4}, {Name: "name", Size: len(r.Name)}, {Name: "dimension", Size: 4},
		{Name: "root", Size: 32}, {Name: "reader key", Size: ReaderPublicSize}, {Name: "previous", Size: 32},
		{Name: "length of map key link", Size: 4}, {Name: "map key link", Size: len(r.MapLink)},
		{Name: "pin: group", Size: 8}, {Name: "pin: sequence number", Size: 8}, {Name: "pin: head", Size: 32},
		{Name: "pin: manifest", Size: 32}, {Name: "number of segments", Size: 4},
	}
	for i := range r.Pin.Segments {
		p := fmt.Sprintf("segment %d: ", i)
		f = append(f, golden.Field{Name: p + "id", Size: 16}, golden.Field{Name: p + "commitment to its data key", Size: 32})
	}
	f = append(f, golden.Field{Name: "number of users", Size: 4})
	for i := range r.Users {
		p := fmt.Sprintf("user %d: ", i)
		f = append(f, golden.Field{Name: p + "id", Size: 16}, golden.Field{Name: p + "permissions", Size: 1},
			golden.Field{Name: p + "signing key", Size: 32}, golden.Field{Name: p + "KEM key", Size: ReaderPublicSize},
			golden.Field{Name: p + "hash of read grant", Size: 32}, golden.Field{Name: p + "hash of write grant", Size: 32},
			golden.Field{Name: p + "listing", Size: 64})
	}
	return append(f, golden.Field{Name: "succession", Size: 64}, golden.Field{Name: "signature", Size: 64})
}

func TestEpochPageShowsTheBytes(t *testing.T) {
	v := load[epochVectors](t, "epoch.json")
	root, before := epochKeys(t)
	first, second := decodeEpoch(t, v.First), decodeEpoch(t, v.Second)
	golden.Check(t, "epoch.md", "first", sign(t, first, before, nil), epochFields(first))
	golden.Check(t, "epoch.md", "second", sign(t, second, root, before), epochFields(second))
}

func TestGrantPageShowsTheBytes(t *testing.T) {
	v := loadSealed(t)
	c := &v.Grants[0]
	g := Grant{secret(t, c.IDKey), secret(t, c.MapKey), secret(t, c.Third)}
	golden.Check(t, "grant.md", "grant", g.encode(), []golden.Field{
		{Name: "version", Size: 1}, {Name: "id key", Size: KeySize}, {Name: "map key", Size: KeySize}, {Name: "third key", Size: KeySize},
	})
	sealed := func(plain int) []golden.Field {
		return []golden.Field{
			{Name: "ML-KEM-768 ciphertext", Size: 1088}, {Name: "X25519 share", Size: 32},
			{Name: "sealed", Size: plain}, {Name: "tag", Size: Overhead},
		}
	}
	golden.Check(t, "grant.md", "sealed grant", c.Sealed, sealed(grantSize))
	golden.Check(t, "grant.md", "sealed data key", v.DEKSealed, sealed(KeySize))
	link := LinkMapKey(secret(t, v.MapKey), secret(t, v.PreviousMapKey), IndexID(v.Index), v.Epoch)
	golden.Check(t, "grant.md", "map key link", link, []golden.Field{{Name: "sealed", Size: KeySize}, {Name: "tag", Size: Overhead}})
	info := v.grantInfo(c).bytes()
	golden.Check(t, "grant.md", "info of a grant", info, []golden.Field{
		{Name: "length of label", Size: 4}, {Name: "label", Size: len(labelGrantInfo)},
		{Name: "length of index", Size: 4}, {Name: "index", Size: 16}, {Name: "length of epoch", Size: 4}, {Name: "epoch", Size: 8},
		{Name: "length of user", Size: 4}, {Name: "user", Size: 16}, {Name: "length of kind", Size: 4}, {Name: "kind", Size: 1},
	})
	info = v.dekInfo().bytes()
	golden.Check(t, "grant.md", "info of a data key", info, []golden.Field{
		{Name: "length of label", Size: 4}, {Name: "label", Size: len(labelDEKInfo)},
		{Name: "length of index", Size: 4}, {Name: "index", Size: 16}, {Name: "length of segment", Size: 4}, {Name: "segment", Size: 16},
		{Name: "length of epoch", Size: 4}, {Name: "epoch", Size: 8},
	})
}

func TestAnchorPageShowsTheBytes(t *testing.T) {
	v := load[anchorVectors](t, "anchor.json")
	c := &v.Cases[0]
	golden.Check(t, "grant.md", "anchor", c.Plain, []golden.Field{
		{Name: "version", Size: 1}, {Name: "root's key", Size: 32}, {Name: "epoch", Size: 8}, {Name: "SHA-256 of its record", Size: 32},
	})
	sealed := sealAnchor(secret(t, c.Key), IndexID(v.Index), UserID(c.User), bytes.Clone(c.Salt), c.Plain)
	golden.Check(t, "grant.md", "sealed anchor", sealed, []golden.Field{
		{Name: "salt", Size: anchorSalt}, {Name: "sealed", Size: anchorPlain}, {Name: "tag", Size: Overhead},
	})
}
