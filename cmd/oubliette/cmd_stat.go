package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) statCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stat",
		Short: "Show what a store holds and how large it is",
		Long: `Show the store's indexes and files, which needs no key; with a key at hand, the
figures of the index, too. It changes nothing.`,
		Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.stat(ctx) }),
	}
}

// statJSON is what stat shows.
type statJSON struct {
	Store   string     `json:"store"`
	Indexes []string   `json:"indexes"`
	Files   usage      `json:"files"`
	Index   *indexStat `json:"index"` // null: no key at hand
}

// indexStat is what an index looks like; sizes are in bytes.
type indexStat struct {
	Name         string `json:"name"`
	ID           string `json:"id"`
	Items        int    `json:"items"`
	Segments     int    `json:"segments"`
	OpenSegments int    `json:"open_segments"`
	Rows         int    `json:"rows"`
	DataBytes    uint64 `json:"data_bytes"`
	DeadBytes    uint64 `json:"dead_bytes"`
	PendingBytes uint64 `json:"pending_bytes"`
	Tombstones   int    `json:"tombstones"`
	Memory       int64  `json:"memory_bytes"`
	Waiting      bool   `json:"waiting"`
}

func (a *app) stat(ctx context.Context) error {
	s := statJSON{}
	var err error
	if s.Store, err = a.existingStore(); err != nil {
		return err
	}
	if a.keyFile == "" && a.getenv(envKey) == "" {
		err = a.withStore(reading, func(db *engine.DB) (err error) {
			s.Indexes, err = db.ListIndexes()
			return err
		})
	} else {
		err = a.withIndex(ctx, reading, func(db *engine.DB, ix *engine.Index) (err error) {
			if s.Indexes, err = db.ListIndexes(); err != nil {
				return err
			}
			s.Index, err = figures(ctx, db, ix)
			return err
		})
	}
	if err != nil {
		return err
	}
	if s.Files, err = a.usage(); err != nil {
		return err
	}
	return a.printStat(&s)
}

func figures(ctx context.Context, db *engine.DB, ix *engine.Index) (*indexStat, error) {
	n, err := ix.Count(ctx)
	if err != nil {
		return nil, err
	}
	all := db.Metrics()
	m := all.Indexes[ix.Name()]
	return &indexStat{
		Name: ix.Name(), ID: ix.ID().String(), Items: n, Segments: m.Segments, OpenSegments: m.OpenSegments,
		Rows: m.Rows, DataBytes: m.DataBytes, DeadBytes: m.DeadBytes, PendingBytes: m.PendingBytes,
		Tombstones: m.Tombstones, Memory: m.Memory, Waiting: m.Waiting,
	}, errors.Join(all.Failed, m.Err)
}

func (a *app) printStat(s *statJSON) error {
	if a.json {
		return writeJSON(a.stdout, s)
	}
	total := s.Files.total()
	errs := []error{
		line(a.stdout, "store", "%s, %s in %s", s.Store, size(total.Bytes), count(total.Files, "file")),
		line(a.stdout, "  segments", "%s in %s", size(s.Files.Segments.Bytes), count(s.Files.Segments.Files, "file")),
		line(a.stdout, "  log", "%s in %s", size(s.Files.Log.Bytes), count(s.Files.Log.Files, "file")),
	}
	for _, name := range s.Indexes {
		errs = append(errs, line(a.stdout, "index", "%s", formatID(name)))
		if i := s.Index; i != nil && i.Name == name {
			errs = append(errs, a.printIndexStat(i))
		}
	}
	return errors.Join(errs...)
}

func (a *app) printIndexStat(i *indexStat) error {
	waiting := ""
	if i.Waiting {
		waiting = " (waits for a command that writes)"
	}
	return errors.Join(
		line(a.stdout, "  id", "%s", i.ID),
		line(a.stdout, "  items", "%s", number(i.Items)),
		line(a.stdout, "  segments", "%d closed, %d open", i.Segments, i.OpenSegments),
		line(a.stdout, "  rows", "%s of data, %s of it dead", size(i.DataBytes), size(i.DeadBytes)),
		line(a.stdout, "  to erase", "%s, %s to apply%s", count(i.PendingBytes, "byte"), count(i.Tombstones, "tombstone"), waiting),
	)
}
