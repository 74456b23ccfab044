package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"oubliette/engine"
)

// A store in a few lines: what Delete has hidden, Purge takes off the disk.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "oubliette-")
	check(err)
	defer os.RemoveAll(dir) // a store to throw away

	db, err := engine.Open(dir, nil)
	check(err)
	key := engine.NewKey() // keep its bytes, key.Reveal(): the store does not
	ix, err := db.CreateIndex(ctx, "people", key, engine.IndexConfig{Dimension: 2})
	check(err)
	check(ix.Upsert(ctx, []engine.Item{
		{ID: "ada", Vector: []float32{1, 0}, Contents: []byte("Ada Lovelace")},
		{ID: "alan", Vector: []float32{0, 1}, Contents: []byte("Alan Turing")},
	}))
	receipt, err := ix.Delete(ctx, []string{"alan"}) // durable and hidden
	check(err)
	certificate, err := ix.Purge(ctx) // or wait for Options.PurgeWithin
	check(err)
	left, err := ix.Get(ctx, []string{"ada", "alan"}, engine.FieldContents)
	check(err)
	check(db.Close())

	fmt.Println(receipt.Count, "deleted,", certificate.Rows, "erased")
	fmt.Printf("left: %s\n", left[0].Contents)
	// Output:
	// 1 deleted, 1 erased
	// left: Ada Lovelace
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
