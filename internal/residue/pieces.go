package residue

// Pieces cuts b into pieces of size bytes that cover it: side by side, but for
// the last one, which ends where b ends. What is shorter than size is one
// piece. The pieces alias b. It panics when size is not positive.
func Pieces(b []byte, size int) [][]byte {
	if size <= 0 {
		panic("residue: pieces of no size")
	}
	if len(b) <= size {
		return [][]byte{b}
	}
	out := make([][]byte, 0, (len(b)+size-1)/size)
	for at := 0; at < len(b); at += size {
		start := min(at, len(b)-size)
		out = append(out, b[start:start+size:start+size])
	}
	return out
}
