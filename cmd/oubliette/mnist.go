package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"oubliette/engine"
)

// The files of the MNIST test set (Y. LeCun, C. Cortes, C. Burges) in the IDX
// format: big-endian magic, one 32-bit length a dimension, then bytes.
const (
	mnistImages = "t10k-images-idx3-ubyte.gz"
	mnistLabels = "t10k-labels-idx1-ubyte.gz"

	idxImages = 0x0803 // unsigned bytes, three dimensions
	idxLabels = 0x0801 // unsigned bytes, one

	maxIDXCount  = 100_000
	maxIDXPixels = 4096 // rows times columns
)

// mnist are images as items: the pixels divided by 255 as the vector, the
// pixels themselves as the contents, the label in the metadata.
type mnist struct {
	dir    string
	pixels int // of an image
	images []byte
	labels []byte
}

func loadMNIST(dir string) (*mnist, error) {
	images, dims, err := readIDX(filepath.Join(dir, mnistImages), idxImages, 3)
	if err != nil {
		return nil, err
	}
	labels, ldims, err := readIDX(filepath.Join(dir, mnistLabels), idxLabels, 1)
	if err != nil {
		return nil, err
	}
	if dims[0] != ldims[0] {
		return nil, fmt.Errorf("%s: %w: %d images, but %d labels", dir, errInput, dims[0], ldims[0])
	}
	return &mnist{dir: dir, pixels: dims[1] * dims[2], images: images, labels: labels}, nil
}

// readIDX reads a gzipped IDX file. Memory grows with what has been read, not
// with what the header says.
func readIDX(path string, magic uint32, dimensions int) (data []byte, dims []int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %w", errInput, err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		data, dims, err = parseIDX(z, magic, dimensions)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %w", path, errInput, err)
	}
	return data, dims, nil
}

func parseIDX(r io.Reader, magic uint32, dimensions int) (data []byte, dims []int, err error) {
	header := make([]byte, 4+4*dimensions)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, nil, fmt.Errorf("IDX header of %d bytes: %w", len(header), err)
	}
	if got := binary.BigEndian.Uint32(header); got != magic {
		return nil, nil, fmt.Errorf("IDX magic 0x%08x, wanted is 0x%08x", got, magic)
	}
	each := 1
	for k := range dimensions {
		n := binary.BigEndian.Uint32(header[4+4*k:])
		limit := uint32(maxIDXPixels)
		if k == 0 {
			limit = maxIDXCount
		}
		if n == 0 || n > limit {
			return nil, nil, fmt.Errorf("IDX dimension %d is %d, allowed are 1 to %d", k, n, limit)
		}
		if dims = append(dims, int(n)); k > 0 {
			each *= int(n)
		}
	}
	if each > maxIDXPixels {
		return nil, nil, fmt.Errorf("IDX elements of %d bytes, at most %d", each, maxIDXPixels)
	}
	want := dims[0] * each
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(r, int64(want)+1)); err != nil {
		return nil, nil, err
	}
	if b.Len() != want {
		return nil, nil, fmt.Errorf("IDX header says %d bytes, %d or more are there", want, b.Len())
	}
	return b.Bytes(), dims, nil
}

func (m *mnist) describe() string { return "MNIST test images from " + m.dir }

func (m *mnist) item(i int) engine.Item {
	pixels := m.images[i*m.pixels : (i+1)*m.pixels]
	v := make([]float32, len(pixels))
	for k, p := range pixels {
		v[k] = float32(p) / 255
	}
	return engine.Item{
		ID:       fmt.Sprintf("mnist-%05d", i),
		Vector:   v,
		Contents: pixels,
		Metadata: fmt.Appendf(nil, `{"label": %d, "set": "t10k"}`, m.labels[i]),
	}
}
