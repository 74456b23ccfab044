package corpus

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var every = Seed{"valid-every", []any{
	[]byte("a\x00\xff\n\"`"), []byte{}, "ü\xff\r\n", "", byte(0), byte('\''), byte(0xFF), true, false,
	math.MinInt, int8(-128), int16(-1), int64(math.MinInt64), uint(math.MaxUint), uint16(0xFFFF), uint32(1 << 31), uint64(math.MaxUint64),
}}

func TestASeedComesBackFromItsFile(t *testing.T) {
	b, err := every.encode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := decode(every.Name, b)
	if err != nil || !reflect.DeepEqual(s, every) {
		t.Errorf("%v comes back as %v, %v", every, s, err)
	}
	if _, err := (Seed{"valid-x", []any{1.5}}).encode(); err == nil {
		t.Error("a value of another type is written")
	}
}

// FuzzEvery takes a value of every type that a seed may have, so that Go reads what
// this package writes.
func FuzzEvery(f *testing.F) {
	f.Fuzz(func(t *testing.T, b, empty []byte, s, none string, zero, quote, last byte, yes, no bool,
		i int, i8 int8, i16 int16, i64 int64, u uint, u16 uint16, u32 uint32, u64 uint64) {
		in := Seed{"valid-x", []any{b, empty, s, none, zero, quote, last, yes, no, i, i8, i16, i64, u, u16, u32, u64}}
		file, err := in.encode()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := decode(in.Name, file); err != nil || !reflect.DeepEqual(in, out) {
			t.Fatalf("%v comes back as %v, %v", in, out, err)
		}
	})
}

// FuzzDecode: no file makes the reader of seeds panic, and what it takes is written
// so that it reads the same.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode("found", b)
		if err != nil {
			return
		}
		file, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decode("found", file); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%v comes back as %v, %v", s, again, err)
		}
	})
}

func TestSeeds(t *testing.T) {
	file, err := every.encode()
	if err != nil {
		t.Fatal(err)
	}
	Hold(t, "FuzzEvery", []Seed{every}, func(s Seed) error {
		if !reflect.DeepEqual(s, every) {
			return errors.New("not what was written")
		}
		return nil
	})
	Hold(t, "FuzzDecode", []Seed{
		Valid("every", file), Valid("rune-as-byte", []byte(header+"byte('ÿ')\n")),
		Hostile("empty", []byte{}), Hostile("no-values", []byte(header)), Hostile("cut", file[:len(file)-2]),
		Hostile("no-type", []byte(header+"float32(1)\n")), Hostile("no-literal", []byte(header+"int(f(1))\n")),
		Hostile("two", []byte(header+"int(1, 2)\n")), Hostile("too-big", []byte(header+"uint16(65536)\n")),
		Hostile("wide-byte", []byte(header+"byte('漢')\n")), Hostile("no-number", []byte(header+"int(\"1\")\n")),
		Hostile("qualified", []byte(header+"math.Float32frombits(0x7f800001)\n")),
	}, func(s Seed) error {
		_, err := decode(s.Name, s.Bytes(0))
		return err
	})
}

// letters takes what is made of letters.
func letters(s Seed) error {
	if bytes.ContainsFunc(s.Bytes(0), func(r rune) bool { return r < 'a' || r > 'z' }) {
		return errors.New("no letter")
	}
	return nil
}

func updating(t *testing.T, to bool) {
	was := *update
	*update = to
	t.Cleanup(func() { *update = was })
}

func TestSeedsAreHeldAgainstTheCode(t *testing.T) {
	updating(t, false)
	dir := filepath.Join(t.TempDir(), "FuzzLetters")
	made := []Seed{Valid("one", []byte("a")), Hostile("digit", []byte("1"))}
	want := func(what string, made []Seed, parts ...string) {
		t.Helper()
		err := hold(dir, made, letters)
		if (err == nil) != (len(parts) == 0) {
			t.Errorf("%s: %v", what, err)
		}
		for _, p := range parts {
			if err != nil && !strings.Contains(err.Error(), p) {
				t.Errorf("%s: %v does not say %q", what, err, p)
			}
		}
	}
	want("no folder", made, "no such file")
	t.Run("write", func(t *testing.T) {
		updating(t, true)
		want("written", made)
	})
	want("as written", made)
	want("one more", append(made, Valid("more", []byte("b"))), "no file valid-more")
	want("one less", made[:1], "hostile-digit is of no seed")
	put := func(name string, s Seed) {
		b, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("0123456789abcdef", Seed{"", []any{[]byte("found")}})
	want("a finding", made)
	put("valid-one", Seed{"", []any{[]byte("1")}})
	put("hostile-digit", Seed{"", []any{[]byte("a")}})
	want("changed", made, "valid-one is refused: no letter", "hostile-digit is taken")
	t.Run("write", func(t *testing.T) {
		updating(t, true)
		want("written again, of one", made[:1])
		want("twice", append(made, made[0]), "two seeds")
		want("of no such name", []Seed{{"x", []any{[]byte("a")}}}, "no name")
		want("made again", made)
	})
	if _, err := os.Stat(filepath.Join(dir, "0123456789abcdef")); err != nil {
		t.Errorf("what has found something is gone: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "found"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("no seed", made, "seed found")
}
