package engine

import "fmt"

// dimension is what the vectors of an index have in common. With none fixed at
// creation, the first committed vector fixes it; until then concurrent calls
// claim one together, and a claim that comes to nothing is given up.
type dimension struct {
	value  uint32
	fixed  bool
	claims int
}

// claim asks for vectors of dimension d (0: the call has none).
func (dim *dimension) claim(d uint32) error {
	switch {
	case d == 0:
		return nil
	case dim.value == 0:
		dim.value = d
	case dim.value != d:
		return fmt.Errorf("vectors of %d dimensions in an index of %d: %w", d, dim.value, ErrDimension)
	}
	dim.claims++
	return nil
}

// settle ends a claim.
func (dim *dimension) settle(d uint32, committed bool) {
	if d == 0 {
		return
	}
	dim.claims--
	dim.fixed = dim.fixed || committed
	if !dim.fixed && dim.claims == 0 {
		dim.value = 0
	}
}

// fix sets what disk says; it reports a contradiction.
func (dim *dimension) fix(d uint32) bool {
	if d == 0 {
		return true
	}
	ok := dim.value == 0 || dim.value == d
	dim.value, dim.fixed = d, true
	return ok
}
