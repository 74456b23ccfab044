package corpus

import "testing"

var kept []byte

func TestALengthTakenAtItsWordIsTold(t *testing.T) {
	for _, c := range []struct {
		size, each, make int
		fails            bool
	}{
		{0, 0, 1000, false}, {1 << 20, 4, 4 << 20, false}, {10, 100, 1 << 26, true}, {1 << 20, 1, 4 << 20, true},
	} {
		told := &failing{TB: t}
		func() {
			defer func() { _ = recover() }()
			Bound(told, c.size, c.each, func() { kept = make([]byte, c.make) })
		}()
		if told.failed != c.fails {
			t.Errorf("%d bytes for %d of input, %d each: failed is %v", c.make, c.size, c.each, told.failed)
		}
	}
}

type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(string, ...any) {
	f.failed = true
	panic("ends the test")
}
