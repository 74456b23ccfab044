package items

import (
	"oubliette/bench/store"
	"oubliette/internal/mnist"
)

// MNIST reads the first max images of the test set as items, as "oubliette demo" does.
// dir has the gzipped IDX files.
func MNIST(dir string, max int) ([]store.Item, error) {
	set, err := mnist.Load(dir)
	if err != nil {
		return nil, err
	}
	out := make([]store.Item, min(max, set.Len()))
	for i := range out {
		it := &out[i]
		it.ID, it.Vector, it.Contents, it.Metadata = set.Item(i)
	}
	return out, nil
}
