package codec

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIntegersAreLittleEndian(t *testing.T) {
	var e Encoder
	e.U8(0x01)
	e.U16(0x0302)
	e.U32(0x07060504)
	e.U64(0x0F0E0D0C0B0A0908)
	e.Raw([]byte{0x10})
	e.Blob([]byte{0xAA, 0xBB})
	want := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 2, 0, 0, 0, 0xAA, 0xBB}
	if !bytes.Equal(e.B, want) {
		t.Errorf("encoded %x, want %x", e.B, want)
	}
}

func TestEncoderAppendsToWhatIsThere(t *testing.T) {
	e := Encoder{B: []byte("head")}
	e.U8('x')
	e.Blob(nil)
	if string(e.B) != "headx\x00\x00\x00\x00" {
		t.Errorf("%q", e.B)
	}
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u8, u16 := rapid.Uint8().Draw(t, "u8"), rapid.Uint16().Draw(t, "u16")
		u32, u64 := rapid.Uint32().Draw(t, "u32"), rapid.Uint64().Draw(t, "u64")
		raw, blob := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "raw"), rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "blob")
		var e Encoder
		e.U8(u8)
		e.U16(u16)
		e.U32(u32)
		e.U64(u64)
		e.Raw(raw)
		e.Raw(raw)
		e.Blob(blob)
		d := NewDecoder(e.B)
		if a, b, c, x := d.U8(), d.U16(), d.U32(), d.U64(); a != u8 || b != u16 || c != u32 || x != u64 {
			t.Errorf("read %d %d %d %d", a, b, c, x)
		}
		if d.Offset() != 15 || d.Remaining() != len(e.B)-15 {
			t.Errorf("at %d, %d remain", d.Offset(), d.Remaining())
		}
		copied := make([]byte, len(raw))
		d.Copy(copied)
		if !bytes.Equal(copied, raw) || !bytes.Equal(d.Raw(len(raw)), raw) || !bytes.Equal(d.Blob(len(blob)), blob) {
			t.Error("byte strings differ")
		}
		if err := d.Done(); err != nil {
			t.Error(err)
		}
	})
}

// TestShortInputIsAnErrorForEveryRead gives each read one byte less than it
// needs.
func TestShortInputIsAnErrorForEveryRead(t *testing.T) {
	for name, c := range map[string]struct {
		in   int
		read func(*Decoder) uint64
	}{
		"u8":   {0, func(d *Decoder) uint64 { return uint64(d.U8()) }},
		"u16":  {1, func(d *Decoder) uint64 { return uint64(d.U16()) }},
		"u32":  {3, func(d *Decoder) uint64 { return uint64(d.U32()) }},
		"u64":  {7, func(d *Decoder) uint64 { return d.U64() }},
		"raw":  {4, func(d *Decoder) uint64 { return uint64(len(d.Raw(5))) }},
		"copy": {4, func(d *Decoder) uint64 { b := make([]byte, 5); d.Copy(b); return uint64(b[0]) }},
		"blob": {3, func(d *Decoder) uint64 { return uint64(len(d.Blob(9))) }},
	} {
		d := NewDecoder(bytes.Repeat([]byte{0xFF}, c.in))
		if got := c.read(d); got != 0 || !errors.Is(d.Err(), ErrShort) || d.Offset() != 0 {
			t.Errorf("%s: read %d, at %d, %v", name, got, d.Offset(), d.Err())
		}
	}
}

func TestFirstErrorStaysAndNothingIsReadBehindIt(t *testing.T) {
	d := NewDecoder([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	d.U8()
	d.Fail("first %d", 1)
	d.Fail("second")
	if d.U8() != 0 || d.U16() != 0 || d.U32() != 0 || d.U64() != 0 || d.Raw(1) != nil || d.Blob(9) != nil || d.Count(1) != 0 {
		t.Error("something was read behind an error")
	}
	if d.Offset() != 1 || d.Err() == nil || d.Err().Error() != "first 1" || d.Done() != d.Err() {
		t.Errorf("at %d, %v, %v", d.Offset(), d.Err(), d.Done())
	}
}

func TestDoneTellsWhatIsLeftOver(t *testing.T) {
	d := NewDecoder([]byte{1, 2, 3})
	d.U8()
	if err := d.Done(); err == nil || !strings.Contains(err.Error(), "2 bytes left over") {
		t.Errorf("%v", err)
	}
}

func TestRawRefusesLengthsThatAreNotThere(t *testing.T) {
	for _, n := range []int{-1, 4, 1 << 40} {
		d := NewDecoder([]byte{1, 2, 3})
		if b := d.Raw(n); b != nil || !errors.Is(d.Err(), ErrShort) {
			t.Errorf("%d bytes: %v, %v", n, b, d.Err())
		}
	}
}

// TestRawAliasesItsInputAndNothingBehind: an append to the result must not
// write into the next field.
func TestRawAliasesItsInputAndNothingBehind(t *testing.T) {
	in := []byte{1, 2, 3, 4}
	d := NewDecoder(in)
	b := d.Raw(2)
	if &b[0] != &in[0] || cap(b) != 2 {
		t.Errorf("capacity %d", cap(b))
	}
	_ = append(b, 9)
	if in[2] != 3 {
		t.Error("an append reached the next field")
	}
}

func TestBlobRefusesMoreThanAllowed(t *testing.T) {
	for _, c := range []struct {
		length byte
		max    int
		ok     bool
	}{{0, 0, true}, {3, 3, true}, {3, 4, true}, {3, 2, false}, {4, 9, false}} {
		d := NewDecoder([]byte{c.length, 0, 0, 0, 7, 7, 7})
		if b := d.Blob(c.max); (d.Err() == nil) != c.ok || c.ok && len(b) != int(c.length) {
			t.Errorf("length %d, at most %d: %v, %v", c.length, c.max, b, d.Err())
		}
	}
}

func TestCountIsHeldAgainstTheInput(t *testing.T) {
	for _, c := range []struct {
		count uint32
		elem  int
		left  int
		ok    bool
	}{
		{0, 1, 0, true}, {3, 2, 6, true}, {3, 2, 5, false}, {1, 1 << 30, 100, false},
		{1<<32 - 1, 1, 100, false}, {1<<32 - 1, 1<<32 - 1, 100, false},
	} {
		var e Encoder
		e.U32(c.count)
		e.Raw(make([]byte, c.left))
		d := NewDecoder(e.B)
		n := d.Count(c.elem)
		if (d.Err() == nil) != c.ok || c.ok && n != int(c.count) || !c.ok && n != 0 {
			t.Errorf("%d of %d bytes in %d: %d, %v", c.count, c.elem, c.left, n, d.Err())
		}
	}
}
