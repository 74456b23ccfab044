package segment

import (
	"crypto/cipher"
	"fmt"
	"sort"
	"sync"

	"oubliette/crypto"
	"oubliette/internal/fault"
)

// Table is the sealed index of a closed segment. Filter and fence are in
// memory, entry blocks are read when needed. It is safe for concurrent use and
// lives as long as its File, of which it holds no reference.
type Table struct {
	f    *File
	ref  FooterRef
	foot *footer
	aead cipher.AEAD
	fuse filter
	top  []crypto.Token
	// expires is the earliest expiry in each entry block, 0 where there is none;
	// nil when nothing in the segment expires.
	expires []uint64
}

// OpenTable opens the index that ref, from a signed record, points to. verify
// answers the key with which a user signed in an epoch, and false for whom the
// epoch does not list. mapKey is the map key of the epoch in which the index
// was written. Everything that does not fit is a CorruptionError.
func OpenTable(f *File, ref FooterRef, mapKey crypto.Secret, dek crypto.Hash, verify func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) (*Table, error) {
	if err := f.inside(ref.extent()); err != nil {
		return nil, err
	}
	b := make([]byte, ref.Len)
	if err := f.readAt(b, ref.Off); err != nil {
		return nil, err
	}
	if crypto.Sum(b) != ref.Hash {
		return nil, fault.Corrupt(f.path, int64(ref.Off), "footer does not fit its recorded hash: %w", fault.ErrDamaged)
	}
	foot, body, sig, err := decodeFooter(b, ref.Off)
	if err != nil {
		return nil, fault.Corrupt(f.path, int64(ref.Off), "%w", err)
	}
	if err := foot.authentic(f, dek, body, sig, verify); err != nil {
		return nil, fault.Corrupt(f.path, int64(ref.Off), "footer: %w: %w", err, fault.ErrDamaged)
	}
	t := &Table{f: f, ref: ref, foot: foot, aead: indexKey(mapKey, foot.salt, foot.id)}
	if err := t.load(); err != nil {
		return nil, err
	}
	return t, nil
}

// authentic tells whether the footer is this segment's and signed by somebody
// whom its epoch lists.
func (foot *footer) authentic(f *File, dek crypto.Hash, body []byte, sig crypto.Signature, verify func(crypto.UserID, uint64) (crypto.VerifyKey, bool)) error {
	switch {
	case foot.id.Index != f.index || foot.id.Segment != f.segment:
		return fmt.Errorf("of segment %v of index %v", foot.id.Segment, foot.id.Index)
	case foot.dek != dek:
		return fmt.Errorf("commits to another data key")
	}
	key, ok := verify(foot.signer, foot.id.Epoch)
	if !ok {
		return fmt.Errorf("signer %v is not listed in epoch %d", foot.signer, foot.id.Epoch)
	}
	if !key.Verify(crypto.DomainFooter, body, sig) {
		return fmt.Errorf("signature of %v does not fit", foot.signer)
	}
	return nil
}

// load brings filter and fence into memory.
func (t *Table) load() error {
	plain, err := t.openPart(t.foot.filter, numberFilter, kindFilter, nil)
	if err != nil {
		return err
	}
	if t.fuse, err = decodeFilter(plain); err != nil {
		return t.damaged(t.foot.filter.Off, err)
	}
	if plain, err = t.openPart(t.foot.top, numberTop, kindTop, nil); err != nil {
		return err
	}
	if t.top, t.expires, err = decodeTop(plain, len(t.foot.blocks)); err != nil {
		return t.damaged(t.foot.top.Off, err)
	}
	return nil
}

func (t *Table) damaged(off uint64, err error) error {
	return fault.Corrupt(t.f.path, int64(off), "index: %w: %w", err, fault.ErrDamaged)
}

// openPart reads a part into buf, holds it against its hash and opens it in
// place.
func (t *Table) openPart(p part, number uint64, kind uint8, buf []byte) ([]byte, error) {
	if err := t.f.inside(p.Extent); err != nil {
		return nil, err
	}
	sealed := sized(buf, int(p.Len))
	if err := t.f.readAt(sealed, p.Off); err != nil {
		return nil, err
	}
	if crypto.Sum(sealed) != p.hash {
		return nil, fault.Corrupt(t.f.path, int64(p.Off), "part of the index does not fit its hash in the footer: %w", fault.ErrDamaged)
	}
	s := sealers.Get().(*sealer)
	defer sealers.Put(s)
	plain, err := s.openIndex(t.aead, t.f.segment, number, kind, sealed)
	if err != nil {
		return nil, fault.Corrupt(t.f.path, int64(p.Off), "seal of a part of the index does not open: %w", fault.ErrDamaged)
	}
	return plain, nil
}

// Epoch is the epoch in which the index was written.
func (t *Table) Epoch() uint64 { return t.foot.id.Epoch }

// Rows is how many row numbers were reserved in the segment.
func (t *Table) Rows() uint32 { return t.foot.rows }

// Entries is how many rows the index holds.
func (t *Table) Entries() int { return int(t.foot.entries) }

// DataEnd is where the row area ends: it is [DataStart, DataEnd).
func (t *Table) DataEnd() uint64 { return t.foot.dataEnd }

// Memory is what the table itself keeps in memory, in bytes.
func (t *Table) Memory() int64 {
	return t.fuse.memory() + int64(len(t.top)*16+len(t.expires)*8+len(t.foot.blocks)*32)
}

// Expiries answers the earliest expiry in each entry block, 0 where none of its
// rows expires; nil when none of the segment's does. The caller must not change
// it.
func (t *Table) Expiries() []uint64 { return t.expires }

// MayContain is false when no row has the token. It is wrongly true once in
// 65,536.
func (t *Table) MayContain(tok crypto.Token) bool { return t.fuse.mayContain(tok) }

// span is the range [lo, hi) of blocks that can hold the token: the last block
// that begins below it, and every one that begins with it.
func (t *Table) span(tok crypto.Token) (lo, hi int) {
	lo = sort.Search(len(t.top), func(i int) bool { return compareTokens(t.top[i], tok) >= 0 })
	hi = lo
	for hi < len(t.top) && t.top[hi] == tok {
		hi++
	}
	return max(lo-1, 0), hi
}

// Find answers all entries of a token, in the order of their sequence numbers:
// usually none or one.
func (t *Table) Find(tok crypto.Token, cache *BlockCache) ([]Entry, error) {
	if !t.MayContain(tok) {
		return nil, nil
	}
	var found []Entry
	lo, hi := t.span(tok)
	for n := lo; n < hi; n++ {
		entries, err := t.cached(n, cache)
		if err != nil {
			return nil, err
		}
		for i := firstOf(entries, tok); i < len(entries) && entries[i].Token == tok; i++ {
			found = append(found, entries[i])
		}
	}
	return found, nil
}

// firstOf is the place of the first entry whose token is not below tok.
func firstOf(entries []Entry, tok crypto.Token) int {
	return sort.Search(len(entries), func(i int) bool { return compareTokens(entries[i].Token, tok) >= 0 })
}

// Match calls fn with every entry of every token of sorted, and with the
// token's place in sorted; fn's error ends it. It reads each block at most
// once, in order, and only those that the filter lets through. It uses what
// the cache has but adds nothing, lest one pass push out what reads need.
func (t *Table) Match(sorted []crypto.Token, cache *BlockCache, fn func(i int, e Entry) error) error {
	w := newWalker(t)
	defer w.free()
	for i, tok := range sorted {
		if !t.MayContain(tok) {
			continue
		}
		lo, hi := t.span(tok)
		for n := lo; n < hi; n++ {
			entries, err := w.block(n, cache)
			if err != nil {
				return err
			}
			for k := firstOf(entries, tok); k < len(entries) && entries[k].Token == tok; k++ {
				if err := fn(i, entries[k]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// All calls fn with every entry, in the order of token and sequence number, one
// block in memory at a time. fn's error ends it.
func (t *Table) All(fn func(Entry) error) error {
	w := newWalker(t)
	defer w.free()
	for n := range t.top {
		entries, err := w.block(n, nil)
		if err != nil {
			return err
		}
		for i := range entries {
			if err := fn(entries[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Block calls fn with every entry of one entry block, by its place among them.
func (t *Table) Block(n int, fn func(Entry)) error {
	w := newWalker(t)
	defer w.free()
	entries, err := w.block(n, nil)
	if err != nil {
		return err
	}
	for i := range entries {
		fn(entries[i])
	}
	return nil
}

// cached answers a block's entries, which the caller must not change, and
// leaves them in the cache.
func (t *Table) cached(n int, cache *BlockCache) ([]Entry, error) {
	key := t.blockKey(n)
	if entries, ok := cache.get(key); ok {
		return entries, nil
	}
	s := scratches.Get().(*scratch)
	defer s.free()
	s.out = sized(s.out, blockSize)
	entries, err := t.openBlock(n, s.out, nil)
	if err == nil {
		cache.put(key, entries)
	}
	return entries, err
}

func (t *Table) blockKey(n int) blockKey { return blockKey{t.f.segment, t.ref.Hash, n} }

// openBlock reads block n through buf and decodes it into dst's capacity. The
// fence bounds its tokens on both sides, which orders all blocks, and its expiries:
// who looks for what has expired passes by the blocks that the fence says have none.
func (t *Table) openBlock(n int, buf []byte, dst []Entry) ([]Entry, error) {
	at := t.foot.block(n)
	plain, err := t.openPart(part{at, t.foot.blocks[n]}, uint64(n), kindEntries, buf)
	if err != nil {
		return nil, err
	}
	entries, err := decodeBlock(plain, bounds{t.foot.rows, t.foot.dataEnd}, dst)
	if err != nil {
		return nil, t.damaged(at.Off, err)
	}
	if entries[0].Token != t.top[n] || n+1 < len(t.top) && compareTokens(entries[len(entries)-1].Token, t.top[n+1]) > 0 {
		return nil, t.damaged(at.Off, fmt.Errorf("block %d does not fit the fence", n))
	}
	if got := earliest(entries); t.expires == nil && got != 0 || t.expires != nil && t.expires[n] != got {
		return nil, t.damaged(at.Off, fmt.Errorf("block %d expires at %d first, the fence says otherwise", n, got))
	}
	return entries, nil
}

// walker holds one block at a time while somebody walks over them in order.
type walker struct {
	t       *Table
	at      int // which block entries is; -1: none
	entries []Entry
	own     []Entry // what blocks are decoded into; never the cache's
	buf     []byte
}

var walkers = sync.Pool{New: func() any {
	return &walker{own: make([]Entry, 0, blockEntries), buf: make([]byte, blockSize)}
}}

func newWalker(t *Table) *walker {
	w := walkers.Get().(*walker)
	w.t, w.at, w.entries = t, -1, nil
	return w
}

func (w *walker) free() {
	w.t, w.entries = nil, nil
	walkers.Put(w)
}

func (w *walker) block(n int, cache *BlockCache) (_ []Entry, err error) {
	if w.at == n {
		return w.entries, nil
	}
	w.at = -1
	entries, ok := cache.get(w.t.blockKey(n))
	if !ok {
		if entries, err = w.t.openBlock(n, w.buf, w.own[:0]); err != nil {
			return nil, err
		}
	}
	w.entries, w.at = entries, n
	return entries, nil
}
