package items

import (
	"fmt"

	"oubliette/bench/store"
)

// gathered are the items of a file, of which the first are kept.
type gathered struct {
	max       int
	items     []store.Item
	count     int // with those that are not kept
	dimension int // of the vectors so far; 0: there was none
	seen      map[string]struct{}
}

func (g *gathered) add(it store.Item) error {
	if _, twice := g.seen[it.ID]; twice {
		return fmt.Errorf("the id %q has come before", it.ID)
	}
	if n := len(it.Vector); n > 0 && g.dimension > 0 && n != g.dimension {
		return fmt.Errorf("a vector of %d dimensions, those before have %d", n, g.dimension)
	}
	if g.seen == nil {
		g.seen = make(map[string]struct{})
	}
	g.seen[it.ID] = struct{}{}
	g.dimension = max(g.dimension, len(it.Vector))
	if g.count++; len(g.items) < g.max {
		g.items = append(g.items, it)
	}
	return nil
}
