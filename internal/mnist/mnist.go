// Package mnist reads the MNIST test set (Y. LeCun, C. Cortes, C. Burges) as items:
// real input for the demo and for the bench. Its errors name the file and what is
// wrong in it, and memory grows with what has been read, not with what a header says.
package mnist

import (
	"fmt"
	"path/filepath"
)

// The files of the test set, in the IDX format.
const (
	Images = "t10k-images-idx3-ubyte.gz"
	Labels = "t10k-labels-idx1-ubyte.gz"
)

// Set is the images with their labels.
type Set struct {
	Pixels int // of an image
	images []byte
	labels []byte
}

// Load reads both files of a folder.
func Load(dir string) (*Set, error) {
	imagesPath, labelsPath := filepath.Join(dir, Images), filepath.Join(dir, Labels)
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
	return &Set{Pixels: dims[1] * dims[2], images: images, labels: labels}, nil
}

// Len is how many images there are.
func (s *Set) Len() int { return len(s.labels) }

// Item is an image as an item: the pixels divided by 255 as the vector, the pixels
// themselves, which are the set's, as the contents, the label in the metadata.
func (s *Set) Item(i int) (id string, vector []float32, contents, metadata []byte) {
	pixels := s.images[i*s.Pixels : (i+1)*s.Pixels]
	vector = make([]float32, len(pixels))
	for k, p := range pixels {
		vector[k] = float32(p) / 255
	}
	return fmt.Sprintf("mnist-%05d", i), vector, pixels, fmt.Appendf(nil, `{"label": %d, "set": "t10k"}`, s.labels[i])
}
