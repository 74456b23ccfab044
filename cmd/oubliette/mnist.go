package main

import (
	"errors"
	"fmt"
	"io/fs"

	"oubliette/engine"
	"oubliette/internal/mnist"
)

// images are those of the MNIST test set as the demo's items.
type images struct {
	dir string
	*mnist.Set
}

// loadImages reads the set. What is not there, or not as it has to be, is input; what
// cannot be opened is not.
func loadImages(dir string) (*images, error) {
	set, err := mnist.Load(dir)
	if err == nil {
		return &images{dir, set}, nil
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) && path.Op == "open" && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", errInput, err)
}

func (m *images) describe() string { return "MNIST test images from " + m.dir }

func (m *images) item(i int) (it engine.Item) {
	it.ID, it.Vector, it.Contents, it.Metadata = m.Item(i)
	return it
}
