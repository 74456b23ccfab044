package main

import (
	"context"
	"fmt"

	"oubliette/bench/store"
	"oubliette/internal/residue"
)

const (
	pieceSize  = 32   // bytes of a piece; sealed ones do not come twice by chance
	notedItems = 1000 // at most, of those that one call deletes
)

// evidence is how items stand in a store's files, cut into pieces, to be searched
// for when they should be gone. Every run of 63 bytes that is left holds a piece.
type evidence struct {
	items    int
	pieces   int // different ones
	searcher *residue.Searcher
}

// noteSealed notes the sealed bytes of items before they are deleted: of all, or of
// the first thousand.
func noteSealed(ctx context.Context, e *entrant, ids []string) (*evidence, error) {
	s, ok := e.Store.(store.Sealer)
	if !ok {
		return nil, fmt.Errorf("%s cannot say how its items stand in its files", e.Name)
	}
	ids = ids[:min(len(ids), notedItems)]
	runs, err := s.SealedBytes(ctx, ids)
	if err != nil {
		return nil, err
	}
	var pieces [][]byte
	for _, b := range runs {
		pieces = append(pieces, residue.Pieces(b, pieceSize)...)
	}
	searcher, err := residue.NewSearcher(pieces)
	if err != nil {
		return nil, err
	}
	return &evidence{len(ids), searcher.Needles(), searcher}, nil
}

// search reads every byte of every file of a store and answers how many pieces it
// has found, each counted once.
func (v *evidence) search(ctx context.Context, e *entrant) (int, error) {
	hits, _, err := e.Search(ctx, e.setup, v.searcher)
	found := make(map[int]bool)
	for _, h := range hits {
		found[h.Needle] = true
	}
	return len(found), err
}
