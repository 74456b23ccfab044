package crypto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"oubliette/internal/codec"
	"oubliette/internal/fault"
)

type epochVectors struct{ First, Second hexBytes }

func decodeEpoch(t testing.TB, b []byte) *EpochRecord {
	t.Helper()
	r, err := DecodeEpochRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// epochKeys are the keys that signed the vectors: root's, and root's before.
func epochKeys(t testing.TB) (root, before *Signer) {
	v := load[struct {
		Index hexBytes
		Roots []struct{ Key hexBytes }
	}](t, "principal.json")
	index := IndexID(v.Index)
	return RootSigner(secret(t, v.Roots[0].Key), index), RootSigner(secret(t, v.Roots[1].Key), index)
}

func sign(t testing.TB, r *EpochRecord, root, predecessor *Signer) []byte {
	t.Helper()
	b, err := r.Sign(root, predecessor)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forge encodes and signs r as it is, whatever Check would say of it.
func forge(r *EpochRecord, root *Signer) []byte {
	e := codec.Encoder{B: r.body()}
	e.Raw(r.Succession[:])
	sig := root.Sign(DomainEpoch, e.B)
	e.Raw(sig[:])
	return e.B
}

func TestEpochRecordDecodesToWhatTheVectorsHold(t *testing.T) {
	v, s := load[epochVectors](t, "epoch.json"), loadSealed(t)
	first, second := decodeEpoch(t, v.First), decodeEpoch(t, v.Second)
	root, before := epochKeys(t)
	if first.Epoch != 1 || first.Root != before.Public() || len(first.Users) != 1 || len(first.MapLink) != 0 {
		t.Errorf("first record: epoch %d, %d users, link of %d bytes", first.Epoch, len(first.Users), len(first.MapLink))
	}
	want := EpochRecord{
		Index: IndexID(s.Index), Epoch: 2, Name: "letters", Dimension: 768, Root: root.Public(),
		Reader: s.ReaderPublic, Previous: Sum(v.First), MapLink: s.MapLink,
		Pin: EpochPin{
			Group: 17, Seq: 4711, Head: Sum([]byte("head")), Manifest: Sum([]byte("manifest")),
			Segments: []PinnedSegment{
				{SegmentID(s.Segment), CommitDEK(secret(t, s.DEK), IndexID(s.Index), SegmentID(s.Segment))},
				{second.Pin.Segments[1].ID, Sum([]byte("other"))},
			},
		},
		Users:      second.Users,
		Succession: second.Succession, Signature: second.Signature,
	}
	if !reflect.DeepEqual(*second, want) {
		t.Errorf("%+v\nwant %+v", *second, want)
	}
	for i, u := range second.Users {
		g := &s.Grants[i]
		kem := s.principal(t, g).Public().Bytes()
		listed := u.Read
		if g.Kind == GrantWrite {
			listed = u.Write
		}
		if u.User != UserID(g.User) || !bytes.Equal(u.KEM, kem) || listed != Sum(g.Sealed) {
			t.Errorf("user %s: not the principal and grant of the vectors", u.User)
		}
	}
}

func TestEpochRecordSignsToTheVectors(t *testing.T) {
	v := load[epochVectors](t, "epoch.json")
	root, before := epochKeys(t)
	if got := sign(t, decodeEpoch(t, v.First), before, nil); !bytes.Equal(got, v.First) {
		t.Error("epoch 1 encodes otherwise")
	}
	r := decodeEpoch(t, v.Second)
	slices.Reverse(r.Users) // Sign puts them in order
	slices.Reverse(r.Pin.Segments)
	r.Users[2].Sign, r.Root = VerifyKey{}, VerifyKey{} // and fills these in
	r.Users[0].Listing, r.Users[1].Listing, r.Users[2].Listing = Signature{}, Signature{1}, Signature{2}
	if got := sign(t, r, root, before); !bytes.Equal(got, v.Second) {
		t.Error("epoch 2 encodes otherwise")
	}
	if got := sign(t, r, root, nil); bytes.Equal(got, v.Second) || r.Succession != (Signature{}) {
		t.Error("signing without a predecessor keeps the old succession")
	}
}

func TestSuccessionIsThePredecessorsAlone(t *testing.T) {
	v := load[epochVectors](t, "epoch.json")
	root, before := epochKeys(t)
	r := decodeEpoch(t, v.Second)
	if !r.SucceededFrom(before.Public()) {
		t.Error("the predecessor's signature is refused")
	}
	if r.SucceededFrom(root.Public()) || r.SucceededFrom(VerifyKey{}) {
		t.Error("verifies under another key")
	}
	first := decodeEpoch(t, v.First)
	if first.SucceededFrom(before.Public()) || first.SucceededFrom(VerifyKey{}) {
		t.Error("a record without succession has one")
	}
	r.Succession = r.Signature
	if r.SucceededFrom(root.Public()) {
		t.Error("root's own signature passes for a succession")
	}
	r = decodeEpoch(t, v.Second)
	r.Pin.Seq++
	if r.SucceededFrom(before.Public()) {
		t.Error("the succession speaks of another record, too")
	}
}

func TestWriterIsWhoTheRecordLists(t *testing.T) {
	r := decodeEpoch(t, load[epochVectors](t, "epoch.json").Second)
	reader, writer := r.Users[1].User, r.Users[2].User
	if k, ok := r.Writer(UserID{}); !ok || k != r.Root {
		t.Error("root does not write as root")
	}
	if k, ok := r.Writer(writer); !ok || k != r.Users[2].Sign {
		t.Error("the writer is refused")
	}
	for _, id := range []UserID{reader, {0x33}} {
		if k, ok := r.Writer(id); ok || k != (VerifyKey{}) {
			t.Errorf("user %s may write", id)
		}
	}
	if _, ok := r.User(UserID{0x33}); ok {
		t.Error("a user who is not listed is found")
	}
}

func TestEpochRecordRefusesEveryFlippedBit(t *testing.T) {
	b := load[epochVectors](t, "epoch.json").Second
	flips(b, func(at int, c []byte) {
		if _, err := DecodeEpochRecord(c); err == nil {
			t.Errorf("a bit flipped in byte %d goes unseen", at)
		}
	})
}

func TestEpochRecordRefusesEveryCut(t *testing.T) {
	b := load[epochVectors](t, "epoch.json").Second
	for n := range b {
		if _, err := DecodeEpochRecord(b[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes decode", n, len(b))
		}
	}
	_, err := DecodeEpochRecord(append(bytes.Clone(b), 0))
	if !errors.Is(err, fault.ErrDamaged) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestEpochRecordTellsForeignNewerAndDamagedApart(t *testing.T) {
	b := load[epochVectors](t, "epoch.json").Second
	with := func(at int, v ...byte) []byte {
		c := bytes.Clone(b)
		copy(c[at:], v)
		return c
	}
	for what, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":         {nil, fault.ErrForeign},
		"another magic": {with(0, 'X'), fault.ErrForeign},
		"version 2":     {with(8, 2), fault.ErrNewer},
		"version 65535": {with(8, 0xff, 0xff), fault.ErrNewer},
		"version 0":     {with(8, 0), fault.ErrDamaged},
		"no version":    {b[:9], fault.ErrDamaged},
		"name too long": {with(34, 0, 1), fault.ErrDamaged},
		"too long":      {make([]byte, maxEpochRecord+1), fault.ErrDamaged},
	} {
		_, err := DecodeEpochRecord(c.b)
		for _, e := range []error{fault.ErrForeign, fault.ErrNewer, fault.ErrDamaged} {
			if errors.Is(err, e) != (e == c.want) {
				t.Errorf("%s: %v, want %v alone", what, err, c.want)
			}
		}
	}
}

// Each of these is signed by root itself, so the rule alone refuses it.
func TestEpochRecordRefusesWhatBreaksARule(t *testing.T) {
	v := load[epochVectors](t, "epoch.json")
	root, _ := epochKeys(t)
	identity := VerifyKey{1}
	for want, change := range map[string]func(r *EpochRecord){
		"epoch 0":                                      func(r *EpochRecord) { r.Epoch = 0 },
		"epoch 1 with previous":                        func(r *EpochRecord) { r.Epoch = 1 },
		"epoch 2 with previous":                        func(r *EpochRecord) { r.Previous = Hash{} },
		"epoch 1 with a map key link":                  func(r *EpochRecord) { r.Epoch, r.Previous = 1, Hash{} },
		"epoch 2 with a map key link of":               func(r *EpochRecord) { r.MapLink = nil },
		"link of 47":                                   func(r *EpochRecord) { r.MapLink = r.MapLink[:47] },
		"epoch 1 with a succession":                    func(r *EpochRecord) { r.Epoch, r.Previous, r.MapLink = 1, Hash{}, nil },
		"segment c0":                                   func(r *EpochRecord) { r.Pin.Segments[0] = r.Pin.Segments[1] },
		"segment b0":                                   func(r *EpochRecord) { slices.Reverse(r.Pin.Segments) },
		"root is not the first user":                   func(r *EpochRecord) { r.Users = r.Users[1:] },
		"root is not the first":                        func(r *EpochRecord) { r.Users = nil },
		"root's entry is not root's":                   func(r *EpochRecord) { r.Users[0].Sign = r.Users[2].Sign },
		"root's entry is not":                          func(r *EpochRecord) { r.Users[0].Perm = PermRead },
		"user root: write grant":                       func(r *EpochRecord) { r.Users[0].Write = r.Users[2].Write },
		"user root: read grant":                        func(r *EpochRecord) { r.Users[0].Read = Hash{} },
		"user 1111":                                    func(r *EpochRecord) { r.Users[1], r.Users[2] = r.Users[2], r.Users[1] },
		"out of order":                                 func(r *EpochRecord) { r.Users[2] = r.Users[1] },
		"user root out of order":                       func(r *EpochRecord) { r.Users[1] = r.Users[0] },
		"permissions 0x0":                              func(r *EpochRecord) { r.Users[1].Perm = 0 },
		"permissions 0x5":                              func(r *EpochRecord) { r.Users[1].Perm |= 4 },
		"read grant and permission":                    func(r *EpochRecord) { r.Users[1].Read = Hash{} },
		"user 22222222222222222222222222222222: read":  func(r *EpochRecord) { r.Users[2].Read[0] = 1 },
		"user 22222222222222222222222222222222: write": func(r *EpochRecord) { r.Users[2].Write = Hash{} },
		"write grant and permission":                   func(r *EpochRecord) { r.Users[1].Write[0] = 1 },
		"user root: listing and permission":            func(r *EpochRecord) { r.Users[0].Listing = r.Users[2].Listing },
		"user 11111111111111111111111111111111: list":  func(r *EpochRecord) { r.Users[1].Listing = r.Users[2].Listing },
		"user 22222222222222222222222222222222: list":  func(r *EpochRecord) { r.Users[2].Listing = Signature{} },
		"signing key without permission":               func(r *EpochRecord) { r.Users[1].Sign = r.Users[2].Sign },
		"signing key is of small order":                func(r *EpochRecord) { r.Users[2].Sign = identity },
		"key is of small order":                        func(r *EpochRecord) { r.Users[2].Sign = VerifyKey{} },
	} {
		r := decodeEpoch(t, v.Second)
		change(r)
		_, err := DecodeEpochRecord(forge(r, root))
		if !errors.Is(err, fault.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// What these break does not survive encoding, so Check alone sees it.
func TestCheckRefusesWhatCannotBeEncoded(t *testing.T) {
	v := load[epochVectors](t, "epoch.json")
	for want, change := range map[string]func(r *EpochRecord){
		"name of 256 bytes":     func(r *EpochRecord) { r.Name = strings.Repeat("x", 256) },
		"10001 users":           func(r *EpochRecord) { r.Users = make([]EpochUser, MaxUsers+1) },
		"100001 segments":       func(r *EpochRecord) { r.Pin.Segments = make([]PinnedSegment, MaxSegments+1) },
		"reader key of 0 bytes": func(r *EpochRecord) { r.Reader = nil },
		"KEM key of 1215 bytes": func(r *EpochRecord) { r.Users[1].KEM = r.Users[1].KEM[1:] },
		"root's key":            func(r *EpochRecord) { r.Root = VerifyKey{} },
	} {
		r := decodeEpoch(t, v.Second)
		change(r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
	root, _ := epochKeys(t)
	r := decodeEpoch(t, v.Second)
	r.Reader = nil
	if b, err := r.Sign(root, nil); err == nil || b != nil {
		t.Errorf("%d bytes signed, %v", len(b), err)
	}
}

func TestLargestEpochRecordDecodes(t *testing.T) {
	root, _ := epochKeys(t)
	r := decodeEpoch(t, load[epochVectors](t, "epoch.json").Second)
	user := r.Users[2] // has a listing
	for i := range MaxUsers - 1 {
		binary.BigEndian.PutUint32(user.User[:], uint32(i+1))
		r.Users = append(r.Users[:i+1], user)
	}
	r.Pin.Segments = make([]PinnedSegment, MaxSegments)
	for i := range r.Pin.Segments {
		binary.BigEndian.PutUint32(r.Pin.Segments[i].ID[:], uint32(i))
	}
	r.Name = strings.Repeat("n", MaxName)
	b := sign(t, r, root, nil)
	if len(b) > maxEpochRecord {
		t.Fatalf("%d bytes", len(b))
	}
	got := decodeEpoch(t, b)
	if len(got.Users) != MaxUsers || len(got.Pin.Segments) != MaxSegments {
		t.Errorf("%d users, %d segments", len(got.Users), len(got.Pin.Segments))
	}
}

// allocated is how many bytes f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestCountsInAnEpochRecordAllocateNothingUnchecked(t *testing.T) {
	v := load[epochVectors](t, "epoch.json")
	segments := 8 + 2 + 16 + 8 + 4 + 7 + 4 + 32 + ReaderPublicSize + 32 + 4 + 48 + 8 + 8 + 32 + 32
	users := segments + 4 + 2*pinnedSegmentSize
	for what, at := range map[string]int{"segments": segments, "users": users, "map link": segments - 80 - 48 - 4} {
		for _, n := range []uint32{1 << 10, 1 << 24, 1<<32 - 1} {
			b := bytes.Clone(v.Second)
			binary.LittleEndian.PutUint32(b[at:], n)
			var err error
			if got := allocated(func() { _, err = DecodeEpochRecord(b) }); got > 1<<20 {
				t.Errorf("%d %s: %d bytes allocated", n, what, got)
			}
			if !errors.Is(err, fault.ErrDamaged) {
				t.Errorf("%d %s: %v", n, what, err)
			}
		}
	}
}
