package main

import (
	"errors"
	"fmt"

	"oubliette/bench/items"
)

// realStock is items of a file. There are no more than it has: none comes twice.
type realStock struct {
	items  []Item
	size   int // bytes of an item, on average
	source string
}

func (r *realStock) id(n int) string      { return r.items[n].ID }
func (r *realStock) fill(it *Item, n int) { *it = r.items[n] }
func (r *realStock) bytes() int           { return r.size }
func (r *realStock) String() string       { return r.source }

// realFiles are the flags that name real items.
func (s *settings) realFiles() []realFile {
	return []realFile{
		{"--mnist", "of the MNIST test set in", s.MNIST, items.MNIST},
		{"--fvecs", "vectors of", s.FVecs, items.FVecs},
		{"--jsonl", "items of", s.JSONL, items.JSONLines},
	}
}

// realFile is a flag that names real items, and how they are read.
type realFile struct {
	flag, what, path string
	read             func(path string, max int) ([]Item, error)
}

// readItems reads real items, if a flag names some: as many as a run has items, or all
// that there are.
func (s *settings) readItems() error {
	for _, f := range s.realFiles() {
		if f.path == "" {
			continue
		}
		all, err := f.read(f.path, s.Items)
		if err != nil {
			return fmt.Errorf("%s: %w", f.flag, err)
		}
		if len(all) < minItems {
			return fmt.Errorf("%s: %s has %d items, at least %d are needed", f.flag, f.path, len(all), minItems)
		}
		s.real = newRealStock(all, f.what+" "+f.path)
	}
	return nil
}

func newRealStock(all []Item, source string) *realStock {
	size := 0
	for _, it := range all {
		size += 4*len(it.Vector) + len(it.Contents) + len(it.Metadata)
	}
	return &realStock{all, size / len(all), source}
}

// oneSource refuses more than one flag that names real items.
func (s *settings) oneSource() error {
	var given []string
	for _, f := range s.realFiles() {
		if f.path != "" {
			given = append(given, f.flag)
		}
	}
	if len(given) > 1 {
		return errors.New("both " + given[0] + " and " + given[1] + ": a run takes items of one kind")
	}
	return nil
}
