package corpus

import (
	"runtime/metrics"
	"testing"
)

// slack is what a call may allocate whatever it reads, in bytes: the errors it
// makes, what the counter adds late, what a decoder keeps for the next input.
const slack = 1 << 20

// Bound runs a call that reads size bytes from outside and fails the test when it
// has allocated more than each bytes for one of them, and slack: it has taken a
// length at its word. Nothing else that allocates may run meanwhile.
func Bound(t testing.TB, size, each int, call func()) {
	t.Helper()
	before := allocated()
	call()
	if n, most := allocated()-before, uint64(slack+size*each); n > most {
		t.Fatalf("%d bytes were allocated for an input of %d, at most %d may be", n, size, most)
	}
}

// allocated is how many bytes have been allocated since the process began. Small
// ones are counted when their span is full, large ones at once.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
