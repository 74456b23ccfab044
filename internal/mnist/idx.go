package mnist

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// IDX is a big-endian magic, a 32-bit length for each dimension, then bytes.
const (
	idxImages = 0x0803 // unsigned bytes, three dimensions
	idxLabels = 0x0801 // unsigned bytes, one

	maxIDXCount = 100_000
	maxIDXSide  = 4096 // and of an element in bytes
)

// readIDX reads a gzipped IDX file.
func readIDX(path string, magic uint32, dimensions int) (data []byte, dims []int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		data, dims, err = parseIDX(z, magic, dimensions)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, dims, nil
}

func parseIDX(r io.Reader, magic uint32, dimensions int) (data []byte, dims []int, err error) {
	header := make([]byte, 4+4*dimensions)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, nil, fmt.Errorf("IDX header of %d bytes: %w", len(header), err)
	}
	if got := binary.BigEndian.Uint32(header); got != magic {
		return nil, nil, fmt.Errorf("IDX magic 0x%08x at byte 0, wanted is 0x%08x", got, magic)
	}
	want, limit := 1, uint32(maxIDXCount)
	for at := 4; at < len(header); at += 4 {
		n := binary.BigEndian.Uint32(header[at:])
		if n == 0 || n > limit {
			return nil, nil, fmt.Errorf("IDX dimension at byte %d is %d, allowed are 1 to %d", at, n, limit)
		}
		dims, want, limit = append(dims, int(n)), want*int(n), maxIDXSide
	}
	if each := want / dims[0]; each > maxIDXSide {
		return nil, nil, fmt.Errorf("IDX elements of %d bytes, at most %d", each, maxIDXSide)
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(r, int64(want)+1)); err != nil {
		return nil, nil, fmt.Errorf("behind %d bytes of IDX data: %w", b.Len(), err)
	}
	if b.Len() != want {
		return nil, nil, fmt.Errorf("the IDX header says %d bytes of data, %d or more are there", want, b.Len())
	}
	return b.Bytes(), dims, nil
}
