package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/residue"
)

// Search looks for needles in every byte of every file of a store's folder, and where
// the store encrypts whole files, also in what they hold decrypted.
func (k Kind) Search(ctx context.Context, s Setup, needles *residue.Searcher) (hits []residue.Hit, stats residue.Stats, err error) {
	hits, stats, err = needles.Search(ctx, vfs.Default, s.Dir, nil)
	if err != nil || k.Reveal == nil {
		return hits, stats, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(s.Dir), "revealed-")
	if err != nil {
		return nil, stats, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := k.Reveal(s, dir); err != nil {
		return nil, stats, err
	}
	more, _, err := needles.Search(ctx, vfs.Default, dir, nil)
	for _, h := range more {
		h.Path = filepath.Join(s.Dir, filepath.Base(h.Path))
		hits = append(hits, h)
	}
	return hits, stats, err
}
