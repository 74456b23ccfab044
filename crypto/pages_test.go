package crypto

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pageVectors are known answers for constructions of the packages above, whose
// labels stand there. Those packages' tests hold the blocks of the format pages
// and their code together; here the blocks, and this package, are held against
// what another implementation made of the pages' words.
type pageVectors struct {
	Seals []struct {
		Name                                  string
		Secret, Salt                          hexBytes // the key is derived from it, unless it stands here
		Label                                 string
		Context                               []hexBytes
		Key, Nonce, Associated, Plain, Sealed hexBytes
	}
	Signatures []struct {
		Name            string
		Seed, Public    hexBytes
		Domain          Domain
		Body, Signature hexBytes
	}
	Hashes, Commitments []struct {
		Name     string
		Of, Want hexBytes
	}
	Blocks []struct {
		Page, Block string
		Bytes       hexBytes
	}
}

var pageVectorFiles = []string{"log.json", "segment.json", "manifest.json"}

func eachPageVectors(t *testing.T, f func(t *testing.T, v *pageVectors)) {
	for _, name := range pageVectorFiles {
		t.Run(name, func(t *testing.T) {
			v := load[pageVectors](t, name)
			if len(v.Seals)+len(v.Signatures)+len(v.Blocks) == 0 {
				t.Fatal("no vectors")
			}
			f(t, &v)
		})
	}
}

func TestSealsOfTheFormatPagesGiveTheVectors(t *testing.T) {
	eachPageVectors(t, func(t *testing.T, v *pageVectors) {
		for _, c := range v.Seals {
			key := secret(t, c.Key)
			if c.Secret != nil {
				d := deriveCase{Context: c.Context}
				key = Derive(secret(t, c.Secret), c.Salt, c.Label, d.context()...)
			}
			if !bytes.Equal(key.Reveal(), c.Key) {
				t.Errorf("%s: key %x, want %x", c.Name, key.Reveal(), c.Key)
			}
			if got := NewAEAD(key).Seal(nil, c.Nonce, c.Plain, c.Associated); !bytes.Equal(got, c.Sealed) {
				t.Errorf("%s: %x, want %x", c.Name, got, c.Sealed)
			}
		}
	})
}

func TestSignaturesOfTheFormatPagesGiveTheVectors(t *testing.T) {
	eachPageVectors(t, func(t *testing.T, v *pageVectors) {
		for _, c := range v.Signatures {
			s := NewSigner(UserID{}, secret(t, c.Seed))
			pub, sig := s.Public(), s.Sign(c.Domain, c.Body)
			if !bytes.Equal(pub[:], c.Public) || !bytes.Equal(sig[:], c.Signature) {
				t.Errorf("%s: key %x and signature %x, want %x and %x", c.Name, pub, sig, c.Public, c.Signature)
			}
		}
	})
}

func TestHashesAndCommitmentsOfTheFormatPagesGiveTheVectors(t *testing.T) {
	eachPageVectors(t, func(t *testing.T, v *pageVectors) {
		for _, c := range v.Hashes {
			if got := Sum(c.Of); !bytes.Equal(got[:], c.Want) {
				t.Errorf("hash %s: %s, want %x", c.Name, got, c.Want)
			}
		}
		for _, c := range v.Commitments {
			if got := Commit(c.Of); !bytes.Equal(got[:], c.Want) {
				t.Errorf("commitment to the %s: %x, want %x", c.Name, got, c.Want)
			}
		}
	})
}

func TestBlocksOfTheFormatPagesAreTheVectors(t *testing.T) {
	eachPageVectors(t, func(t *testing.T, v *pageVectors) {
		for _, c := range v.Blocks {
			if err := blockHolds(c.Page, c.Block, c.Bytes); err != nil {
				t.Errorf("%s, block %q: %v", c.Page, c.Block, err)
			}
		}
	})
}

// blockHolds tells whether a golden block shows whole, line by line.
func blockHolds(page, block string, whole []byte) error {
	text, err := os.ReadFile(filepath.Join("..", "docs", "format", page))
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(string(text), "```golden "+block+"\noffset  size  hex  name\n")
	body, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		return fmt.Errorf("no such block")
	}
	at := 0
	for line := range strings.Lines(body) {
		var off, size int
		if _, err := fmt.Sscanf(line, "%d  %d", &off, &size); err != nil || off != at || off+size > len(whole) {
			return fmt.Errorf("%q does not fit into %d bytes", strings.TrimSpace(line), len(whole))
		}
		b := whole[off : off+size]
		short := fmt.Sprintf("%x… sha256:%x", b[:min(16, size)], sha256.Sum256(b))
		if hex := strings.SplitN(line, "  ", 4)[2]; hex != fmt.Sprintf("%x", b) && hex != short {
			return fmt.Errorf("%q, want %x", strings.TrimSpace(line), b)
		}
		at = off + size
	}
	if at != len(whole) {
		return fmt.Errorf("ends at byte %d of %d", at, len(whole))
	}
	return nil
}
