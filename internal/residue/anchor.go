package residue

const (
	// windowSize is the bytes of a window: one load.
	windowSize = 8
	// goodWindow is how many different bytes make a window rare enough. Eight
	// random bytes have fewer only once in some thousands of times.
	goodWindow = 6
	// anchorReach is how far into a needle a good run is looked for, in bytes.
	anchorReach = 4096
)

// anchor is where the run of stride windows begins that stands for the needle:
// the first run whose every window is good, else the best one there is.
func anchor(needle []byte, stride int) int {
	run := windowSize + stride - 1
	at, best := 0, -1
	for a := 0; a+run <= min(len(needle), anchorReach); a += stride {
		q := quality(needle[a : a+run])
		if q > best {
			at, best = a, q
		}
		if q >= goodWindow {
			break
		}
	}
	return at
}

// quality is the number of different bytes in the poorest window of a run.
func quality(run []byte) int {
	q := windowSize
	for i := 0; i+windowSize <= len(run); i++ {
		q = min(q, distinct(run[i:i+windowSize]))
	}
	return q
}

// distinct counts the different bytes of a window.
func distinct(w []byte) (n int) {
	for i, b := range w {
		n++
		for _, c := range w[:i] {
			if c == b {
				n--
				break
			}
		}
	}
	return n
}
