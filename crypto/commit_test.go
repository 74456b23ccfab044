package crypto

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

func TestCommitDEKGivesTheVectors(t *testing.T) {
	v := load[struct {
		Cases []struct{ DEK, Index, Segment, Want hexBytes }
	}](t, "dek_commitment.json")
	seen := map[Hash]int{}
	for i, c := range v.Cases {
		got := CommitDEK(secret(t, c.DEK), IndexID(c.Index), SegmentID(c.Segment))
		if !bytes.Equal(got[:], c.Want) {
			t.Errorf("case %d: %s, want %x", i, got, c.Want)
		}
		if j, ok := seen[got]; ok {
			t.Errorf("cases %d and %d commit alike", i, j)
		}
		seen[got] = i
	}
}

func TestCommitIsSHA256Truncated(t *testing.T) {
	b := []byte("sealed")
	full := sha256.Sum256(b)
	if c := Commit(b); !bytes.Equal(c[:], full[:16]) {
		t.Errorf("%x, want %x", c, full[:16])
	}
	if Sum(b) != full {
		t.Error("Sum is not SHA-256")
	}
}

func TestCommitSeesEveryBit(t *testing.T) {
	b := []byte("sealed bytes of a field")
	want := Commit(b)
	flips(b, func(at int, c []byte) {
		if Commit(c) == want {
			t.Errorf("a bit flipped in byte %d is not seen", at)
		}
	})
}
