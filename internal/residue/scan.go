package residue

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// file searches one file from its first byte to its last.
func (r *run) file(path string) error {
	f, err := r.fs.Open(path, vfs.SequentialReadsOption)
	if errors.Is(err, os.ErrNotExist) {
		r.stats.Vanished++
		return nil
	}
	if err != nil {
		return err
	}
	first := len(r.hits)
	err = r.chunks(f, path)
	slices.SortFunc(r.hits[first:], func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Needle, b.Needle))
	})
	return errors.Join(err, f.Close())
}

// chunks reads the file chunk by chunk. Every chunk begins at a multiple of the
// stride and is read with the bytes that its last window needs of the next.
func (r *run) chunks(f vfs.File, path string) error {
	for base := int64(0); ; base += int64(r.chunk) {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		n, err := readAt(f, r.buf, base)
		if err != nil {
			return fmt.Errorf("residue: read %s at offset %d: %w", path, base, err)
		}
		if err := r.scan(f, path, r.buf[:n], base); err != nil {
			return err
		}
		if n < len(r.buf) {
			r.read(n)
			r.stats.Files++
			return nil
		}
		r.read(r.chunk)
	}
}

// read counts bytes that have been searched.
func (r *run) read(n int) {
	r.stats.Bytes += int64(n)
	if r.progress != nil && n > 0 {
		r.progress(int64(n))
	}
}

// readAt fills b as far as the file goes.
func readAt(f vfs.File, b []byte, off int64) (int, error) {
	for n := 0; ; {
		k, err := f.ReadAt(b[n:], off+int64(n))
		n += k
		switch {
		case n == len(b) || errors.Is(err, io.EOF):
			return n, nil
		case err != nil:
			return n, err
		case k == 0:
			return n, io.ErrNoProgress
		}
	}
}

// scan looks at every stride-th window of b, which stands at base.
func (r *run) scan(f vfs.File, path string, b []byte, base int64) error {
	t := r.table
	filter, shift, stride := t.filter, t.filterShift, r.stride
	for i := 0; i+windowSize <= len(b) && i < r.chunk; i += stride {
		w := windowAt(b[i:])
		h := w * spread
		if want := bitsOf(h); filter[h>>shift]&want != want {
			continue
		}
		for _, c := range t.bucket(w) {
			if c.window != w {
				continue
			}
			if err := r.verify(f, path, b, base, i-int(c.at), int(c.needle)); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify compares a whole needle with the bytes from b[at] on; at may be
// negative, and the needle may end behind b: then the file is read again.
func (r *run) verify(f vfs.File, path string, b []byte, base int64, at, needle int) error {
	want := r.needles[needle]
	off := base + int64(at)
	if off < 0 {
		return nil
	}
	same := false
	if at >= 0 && at+len(want) <= len(b) {
		same = bytes.Equal(b[at:at+len(want)], want)
	} else {
		var err error
		if same, err = r.compareFile(f, off, want); err != nil {
			return fmt.Errorf("residue: read %s at offset %d: %w", path, off, err)
		}
	}
	if same {
		r.hit(Hit{r.number[needle], path, off})
	}
	return nil
}

// compareFile compares the file from off on with want, in small reads that stop
// at the first difference.
func (r *run) compareFile(f vfs.File, off int64, want []byte) (bool, error) {
	if r.compare == nil {
		r.compare = make([]byte, 64<<10)
	}
	for step := 4 << 10; len(want) > 0; step = len(r.compare) {
		n := min(len(want), step)
		got, err := readAt(f, r.compare[:n], off)
		if err != nil || got < n || !bytes.Equal(r.compare[:n], want[:n]) {
			return false, err
		}
		want, off = want[n:], off+int64(n)
	}
	return true, nil
}

func (r *run) hit(h Hit) {
	r.stats.Hits++
	if len(r.hits) < MaxHits {
		r.hits = append(r.hits, h)
	}
}
