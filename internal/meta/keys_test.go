package meta

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"oubliette/crypto"
	"oubliette/internal/golden"
)

func countUp(from byte) (id [16]byte) {
	for i := range id {
		id[i] = from + byte(i)
	}
	return id
}

func TestKeysAreAsDocumented(t *testing.T) {
	index, segment, user := crypto.IndexID(countUp(0xA0)), crypto.SegmentID(countUp(0xB0)), crypto.UserID(countUp(0xC0))
	tag, idx, seg := golden.Field{Name: "tag", Size: 1}, golden.Field{Name: "index id", Size: 16}, golden.Field{Name: "segment id", Size: 16}
	epoch := golden.Field{Name: "epoch, big-endian", Size: 8}
	for _, c := range []struct {
		block  string
		key    []byte
		fields []golden.Field
	}{
		{"anchor", AnchorKey(index, user), []golden.Field{tag, idx, {Name: "user id", Size: 16}}},
		{"catalogue", CatalogueKey("docs"), []golden.Field{tag, {Name: "name", Size: 4}}},
		{"dead", DeadKey(index, segment), []golden.Field{tag, idx, seg}},
		{"epoch", EpochKey(index, 258), []golden.Field{tag, idx, epoch}},
		{"grant", GrantKey(index, 258, user, 2), []golden.Field{tag, idx, epoch, {Name: "user id", Size: 16}, {Name: "kind", Size: 1}}},
		{"ledger", LedgerKey(), []golden.Field{tag}},
		{"manifest", ManifestKey(index), []golden.Field{tag, idx}},
		{"outcome", OutcomeKey(index, 1, 258, 66051), []golden.Field{tag, idx, {Name: "kind", Size: 1}, {Name: "last sequence number, big-endian", Size: 8}, {Name: "manifest's number, big-endian", Size: 8}}},
		{"moved", MovedKey(index, 3, segment), []golden.Field{tag, idx, {Name: "kind", Size: 1}, seg}},
		{"segment", SegmentKey(index, segment), []golden.Field{tag, idx, seg}},
		{"group", GroupKey(index, 66051), []golden.Field{tag, idx, {Name: "group, big-endian", Size: 8}}},
	} {
		t.Run(c.block, func(t *testing.T) { golden.Check(t, "database.md", c.block, c.key, c.fields) })
	}
}

func TestKeysReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index := crypto.IndexID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "index"))
		segment := crypto.SegmentID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "segment"))
		n := rapid.Uint64().Draw(t, "number")
		name := rapid.StringN(1, -1, 64).Draw(t, "name")

		if got, ok := ParseCatalogueKey(CatalogueKey(name)); !ok || got != name {
			t.Errorf("name %q: %q %v", name, got, ok)
		}
		if i, e, ok := ParseEpochKey(EpochKey(index, n)); !ok || i != index || e != n {
			t.Errorf("epoch: %v %d %v", i, e, ok)
		}
		if i, g, ok := ParseGroupKey(GroupKey(index, n)); !ok || i != index || g != n {
			t.Errorf("group: %v %d %v", i, g, ok)
		}
		if i, s, ok := ParseSegmentKey(SegmentKey(index, segment)); !ok || i != index || s != segment {
			t.Errorf("segment: %v %v %v", i, s, ok)
		}
		if i, s, ok := ParseDeadKey(DeadKey(index, segment)); !ok || i != index || s != segment {
			t.Errorf("dead: %v %v %v", i, s, ok)
		}
	})
}

func TestPrefixesHoldTheirKeysAlone(t *testing.T) {
	index, segment := crypto.IndexID(countUp(0xF0)), crypto.SegmentID(countUp(0xB0))
	user := crypto.UserID(countUp(0))
	next := index
	next[15]++ // 0xFF wraps to 0: the carry is PrefixEnd's to make
	other := crypto.IndexID(countUp(0x10))
	keys := func(i crypto.IndexID) [][]byte {
		return [][]byte{
			CatalogueKey("docs"), EpochKey(i, 7), GrantKey(i, 7, user, 1), ManifestKey(i),
			GroupKey(i, 7), SegmentKey(i, segment), DeadKey(i, segment), AnchorKey(i, user),
		}
	}
	all := slices.Concat(keys(index), keys(next), keys(other))
	for _, c := range []struct {
		name   string
		prefix []byte
		want   [][]byte
	}{
		{"catalogue", CataloguePrefix(), [][]byte{CatalogueKey("docs")}},
		{"epochs", EpochPrefix(index), [][]byte{EpochKey(index, 7)}},
		{"grants", GrantPrefix(index), [][]byte{GrantKey(index, 7, user, 1)}},
		{"groups", GroupPrefix(index), [][]byte{GroupKey(index, 7)}},
		{"segments", SegmentPrefix(index), [][]byte{SegmentKey(index, segment)}},
		{"every segment", AllSegmentsPrefix(), [][]byte{SegmentKey(other, segment), SegmentKey(next, segment), SegmentKey(index, segment)}},
		{"dead", DeadPrefix(index), [][]byte{DeadKey(index, segment)}},
		{"anchors", AnchorPrefix(index), [][]byte{AnchorKey(index, user)}},
	} {
		end := PrefixEnd(c.prefix)
		var got [][]byte
		for _, k := range all {
			if bytes.Compare(k, c.prefix) >= 0 && bytes.Compare(k, end) < 0 {
				got = append(got, k)
			}
		}
		slices.SortFunc(got, bytes.Compare)
		slices.SortFunc(c.want, bytes.Compare)
		got = slices.CompactFunc(got, bytes.Equal)
		if !slices.EqualFunc(got, c.want, bytes.Equal) {
			t.Errorf("%s: %x, want %x", c.name, got, c.want)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ in, want []byte }{
		{[]byte("a"), []byte("b")},
		{[]byte{1, 0xFF, 0xFF}, []byte{2}},
		{[]byte{0xFF, 0xFF}, nil},
		{nil, nil},
	} {
		in := bytes.Clone(c.in)
		if got := PrefixEnd(in); !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("PrefixEnd(%x) = %x, want %x", c.in, got, c.want)
		}
		if !bytes.Equal(in, c.in) {
			t.Errorf("PrefixEnd changed its argument %x", c.in)
		}
	}
}
