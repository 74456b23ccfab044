package crypto

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"oubliette/internal/corpus"
)

// TestSeeds holds the corpora in testdata against the formats of today.
func TestSeeds(t *testing.T) {
	corpus.Hold(t, "FuzzParsePEM", pemSeeds(), func(s corpus.Seed) error {
		_, err := ParsePEM(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzDecodeEpochRecord", epochSeeds(t), func(s corpus.Seed) error {
		_, err := DecodeEpochRecord(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzDecodeGrant", grantSeeds(t), func(s corpus.Seed) error {
		_, err := decodeGrant(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzParseSecret", secretSeeds(), func(s corpus.Seed) error {
		_, err := ParseSecret(s.Values[0].(string))
		return err
	})
	corpus.Hold(t, "FuzzParseReaderPublic", readerSeeds(t), func(s corpus.Seed) error {
		_, err := ParseReaderPublic(s.Bytes(0))
		return err
	})
	corpus.Hold(t, "FuzzOpenAnchor", anchorSeeds(t), func(s corpus.Seed) error {
		key := NewSecret()
		_, err := OpenAnchor(key, IndexID{}, UserID{}, sealAnchor(key, IndexID{}, UserID{}, make([]byte, anchorSalt), s.Bytes(0)))
		return err
	})
	opens := sealedOpeners(t)
	corpus.Hold(t, "FuzzOpenSealed", sealedSeeds(opens), func(s corpus.Seed) error {
		return opens[s.Values[1].(byte)].open(s.Bytes(0))
	})
}

// cutAndLonger are near misses of what is taken.
func cutAndLonger(name string, b []byte) []corpus.Seed {
	return []corpus.Seed{corpus.Hostile(name+"-cut", b[:len(b)-1]), corpus.Hostile(name+"-longer", append(bytes.Clone(b), 0))}
}

func pemSeeds() []corpus.Seed {
	return []corpus.Seed{
		corpus.Valid("openssl", []byte(keyPEM)), corpus.Valid("line-ends", []byte(strings.ReplaceAll(keyPEM, "\n", "\r\n"))),
		corpus.Hostile("cut", []byte(keyPEM[:70])), corpus.Hostile("small-order", VerifyKey{1}.PEM()), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("header", []byte(strings.Replace(keyPEM, "KEY-----\n", "KEY-----\na: b\n\n", 1))),
	}
}

func epochSeeds(t testing.TB) []corpus.Seed {
	v := load[epochVectors](t, "epoch.json")
	root, _ := epochKeys(t)
	unlisted, misplaced := decodeEpoch(t, v.Second), decodeEpoch(t, v.Second)
	unlisted.Users[2].Listing, misplaced.Users[1].Listing = Signature{}, Signature{1}
	newer := bytes.Clone(v.Second)
	newer[8]++
	return append(cutAndLonger("second", v.Second),
		corpus.Valid("first", []byte(v.First)), corpus.Valid("second", []byte(v.Second)), corpus.Hostile("newer", newer),
		corpus.Hostile("unlisted", forge(unlisted, root)), corpus.Hostile("misplaced-listing", forge(misplaced, root)),
		corpus.Hostile("half", []byte(v.First[:len(v.First)/2])), corpus.Hostile("empty", []byte{}), corpus.Hostile("magic", []byte(epochMagic)),
		corpus.Hostile("length-bomb", binary.LittleEndian.AppendUint32(bytes.Clone(v.Second[:1461]), 1<<31)))
}

func grantSeeds(t testing.TB) []corpus.Seed {
	c := &loadSealed(t).Grants[0]
	whole := Grant{secret(t, c.IDKey), secret(t, c.MapKey), secret(t, c.Third)}.encode()
	return append(cutAndLonger("whole", whole), corpus.Valid("whole", whole), corpus.Hostile("empty", []byte{}),
		corpus.Hostile("newer", append([]byte{grantVersion + 1}, whole[1:]...)), corpus.Hostile("zeros", make([]byte, grantSize)),
		corpus.Hostile("keys-of-zeros", append([]byte{grantVersion}, make([]byte, grantSize-1)...)))
}

func secretSeeds() []corpus.Seed {
	digits := strings.Repeat("0123456789abcdef", 4)
	return []corpus.Seed{
		corpus.Valid("lower", digits), corpus.Valid("upper", strings.ToUpper(digits)), corpus.Hostile("empty", ""),
		corpus.Hostile("cut", digits[1:]), corpus.Hostile("longer", digits+"0"), corpus.Hostile("zeros", strings.Repeat("0", 64)),
		corpus.Hostile("no-digit", digits[:63]+"g"), corpus.Hostile("line-end", digits[:63]+"\n"), corpus.Hostile("wide", strings.Repeat("é", 32)),
	}
}

func readerSeeds(t testing.TB) []corpus.Seed {
	public := []byte(loadSealed(t).ReaderPublic)
	beyond := bytes.Clone(public) // coefficients that are no residues
	copy(beyond, bytes.Repeat([]byte{0xFF}, 100))
	return append(cutAndLonger("vector", public), corpus.Valid("vector", public), corpus.Hostile("no-residues", beyond), corpus.Hostile("empty", []byte{}))
}

func anchorSeeds(t testing.TB) []corpus.Seed {
	plain := []byte(load[anchorVectors](t, "anchor.json").Cases[0].Plain)
	return append(cutAndLonger("vector", plain), corpus.Valid("vector", plain), corpus.Hostile("newer", append([]byte{anchorVersion + 1}, plain[1:]...)))
}

func sealedSeeds(opens []opener) (out []corpus.Seed) {
	for i, o := range opens {
		changed := bytes.Clone(o.sealed)
		changed[len(changed)/2] ^= 1
		out = append(out, corpus.Valid(o.name, bytes.Clone(o.sealed), byte(i)), corpus.Hostile(o.name+"-changed", changed, byte(i)),
			corpus.Hostile(o.name+"-elsewhere", bytes.Clone(o.sealed), byte((i+1)%len(opens))))
	}
	return out
}
