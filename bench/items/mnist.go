package items

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"oubliette/bench/store"
)

// The files of the MNIST test set (Y. LeCun, C. Cortes, C. Burges) in the IDX
// format: a big-endian magic, a 32-bit length for each dimension, then bytes.
const (
	mnistImages = "t10k-images-idx3-ubyte.gz"
	mnistLabels = "t10k-labels-idx1-ubyte.gz"

	idxImages = 0x0803 // unsigned bytes, three dimensions
	idxLabels = 0x0801 // unsigned bytes, one

	maxIDXCount = 100_000
	maxIDXSide  = 4096 // and of an element in bytes
)

// MNIST reads the images of the test set as items, as "oubliette demo" does: the
// pixels divided by 255 as the vector, the pixels as the contents, the label in the
// metadata. dir has the gzipped IDX files. It answers the first max.
func MNIST(dir string, max int) ([]store.Item, error) {
	imagesPath, labelsPath := filepath.Join(dir, mnistImages), filepath.Join(dir, mnistLabels)
	images, dims, err := readIDX(imagesPath, idxImages, 3)
	if err != nil {
		return nil, err
	}
	labels, labelDims, err := readIDX(labelsPath, idxLabels, 1)
	if err != nil {
		return nil, err
	}
	if dims[0] != labelDims[0] {
		return nil, fmt.Errorf("%s has %d images, %s has %d labels", imagesPath, dims[0], labelsPath, labelDims[0])
	}
	out := make([]store.Item, min(max, dims[0]))
	for i := range out {
		out[i] = mnistItem(i, images[i*dims[1]*dims[2]:(i+1)*dims[1]*dims[2]], labels[i])
	}
	return out, nil
}

func mnistItem(i int, pixels []byte, label byte) store.Item {
	v := make([]float32, len(pixels))
	for k, p := range pixels {
		v[k] = float32(p) / 255
	}
	return store.Item{
		ID:       fmt.Sprintf("mnist-%05d", i),
		Vector:   v,
		Contents: pixels,
		Metadata: fmt.Appendf(nil, `{"label": %d, "set": "t10k"}`, label),
	}
}

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
