package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// withVectors are lines with vectors of these dimensions; 0 is none.
func withVectors(dimensions ...int) string {
	var b strings.Builder
	for i, n := range dimensions {
		vector := ""
		if n > 0 {
			vector = `, "vector": [1` + strings.Repeat(", 1", n-1) + `]`
		}
		fmt.Fprintf(&b, "{\"id\": \"%d\"%s}\n", i, vector)
	}
	return b.String()
}

func TestALineWithAVectorOfAnotherDimensionIsNamed(t *testing.T) {
	c := newCLI(t)
	c.ok("init", "--generate-key", c.path("key"), "--dimension", "2")
	// Against the first of the run, in its batch and in a later one.
	c.fails(c.keyed(withVectors(2, 2, 0, 2, 3, 2), "upsert"), exitUsage, "line 5: bad input: vector of 3 dimensions, those before have 2 (committed before it: 0 items)")
	c.fails(c.keyed(withVectors(2, 2, 0, 2, 3, 2), "upsert", "--batch", "2"), exitUsage, "line 5: bad input: vector of 3 dimensions, those before have 2 (committed before it: 4 items)")
	// Against the index, which only the store knows.
	c.fails(c.keyed(withVectors(0, 0, 0, 3, 3, 3), "upsert", "--batch", "2"), exitUsage, "line 4: vectors of 3 dimensions", "in the batch of lines 3 to 4", "committed before it: 2 items")
	c.fails(c.keyed("\n"+withVectors(1), "upsert"), exitUsage, "line 2: vectors of 1 dimension")
	r := c.keyed("\n\n"+withVectors(0, 3), "upsert", "--json")
	if f := decode[failure](t, r.err); f.Line != 4 || r.code != exitUsage {
		t.Errorf("%+v", r)
	}
	c.keyedOK("", "check")
}

func TestABatchThatTheStoreCannotWriteIsNamedByItsLines(t *testing.T) {
	c := initialised(t)
	c.fullDisk(".seg", 0)
	c.fails(c.keyed("\n"+withVectors(2, 2, 2), "upsert", "--batch", "2"), exitFailure, "batch of lines 2 to 3: ", "no space left", "committed before it: 0 items")
	c.fs = vfs.Default
	c.keyedOK("", "check")
}
