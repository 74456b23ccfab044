package segment

import (
	"slices"
	"strings"
	"testing"

	"oubliette/internal/codec"
)

func TestPointerOfARowThatExpiresComesBack(t *testing.T) {
	for _, at := range []uint64{0, 1, 1_900_000_000_000, MaxExpiry} {
		p := fixedEntry().Pointer
		p.Expires = at
		var e codec.Encoder
		p.Append(&e)
		if want := map[bool]int{true: 61, false: 53}[at != 0]; len(e.B) != want {
			t.Errorf("expiry %d: %d bytes, want %d: a row that does not expire pays nothing", at, len(e.B), want)
		}
		d := codec.NewDecoder(e.B)
		got := DecodePointer(d)
		if err := d.Done(); err != nil {
			t.Errorf("expiry %d: %v", at, err)
		}
		wantEqual(t, "pointer", got, p)
	}
}

func TestPointerRefusesExpiriesThatNoWriterMakes(t *testing.T) {
	var e codec.Encoder
	fixedEntry().Append(&e)
	with := func(change func(b []byte)) []byte {
		b := slices.Clone(e.B)
		change(b)
		return b
	}
	tests := map[string]struct {
		b    []byte
		want string
	}{
		"present and 0":      {with(func(b []byte) { clear(b[53:]) }), "an expiry is present and 0"},
		"beyond the limit":   {with(func(b []byte) { b[60] = 1 }), "at most 253402300799999"},
		"cut":                {e.B[:60], "offset 53"},
		"a bit that is none": {with(func(b []byte) { b[12] |= 16 }), "presence 0x1d"},
		"not announced":      {with(func(b []byte) { b[12] &^= 8 }), "8 bytes left over"},
	}
	for name, tt := range tests {
		d := codec.NewDecoder(tt.b)
		DecodePointer(d)
		if err := d.Done(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
}

func TestExpiredFromItsMillisecondOn(t *testing.T) {
	p := Pointer{Expires: 1000}
	for now, want := range map[int64]bool{-5: false, 0: false, 999: false, 1000: true, 1001: true} {
		if p.Expired(now) != want {
			t.Errorf("at %d: %v", now, !want)
		}
	}
	if p.Expires = 0; p.Expired(1 << 62) {
		t.Error("what never expires has expired")
	}
}

// What the table says of each block is what is in it, so that who looks for what
// has expired may pass by the others.
func TestTableKnowsTheEarliestExpiryOfEachBlock(t *testing.T) {
	rng := seeded(t)
	c := manyEntries(t, rng, 1000)
	for i := range c.in.Entries { // two blocks without any
		if i/blockEntries == 3 || i/blockEntries == 7 {
			c.in.Entries[i].Expires = 0
		}
	}
	c.write(t)
	tab := c.table(t, c.open(t, c.in.DEK))
	expires := tab.Expiries()
	if len(expires) != 16 || expires[3] != 0 || expires[7] != 0 {
		t.Fatalf("expiries %d", expires)
	}
	var want, got []Entry
	for n, at := range expires {
		in := c.in.Entries[n*blockEntries : min((n+1)*blockEntries, 1000)]
		if at != earliest(in) {
			t.Errorf("block %d: %d, its entries say %d", n, at, earliest(in))
		}
		if n%3 == 0 {
			want = append(want, in...)
			if err := tab.Block(n, func(e Entry) { got = append(got, e) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantEqual(t, "entries of some blocks", got, want)
	for i := range c.in.Entries {
		c.in.Entries[i].Expires = 0
	}
	c.write(t)
	if x := c.table(t, c.open(t, c.in.DEK)).Expiries(); x != nil {
		t.Errorf("a segment in which nothing expires keeps %d expiries", len(x))
	}
}
