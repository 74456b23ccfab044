package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"oubliette/crypto"
	"oubliette/internal/residue"
)

func (a *app) residueScanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scan NOTES",
		Short: "Search every byte of every file of the store for noted bytes",
		Long: `Cut what "residue note" has noted into pieces of 16 bytes, and search every byte of
every file below the store's folder for them. It needs no key, goes by no format and
takes no lock: it reads the files as they are, also while the store is open. "-" is
standard input.

It says how many pieces it has searched for, in how many bytes of how many files, and
prints where the parts stand of which something is left: then the exit code is 7. So
does it find all before the delete: a search that does not would show nothing.

It takes memory for some 8 MiB of notes at a time, and reads the files once more for
each 8 MiB. What no file shows it does not see: freed blocks of the disk, snapshots,
copies elsewhere.`,
		Args: oneArgument("the notes' file, or - for standard input"),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return unheeded(cmd, "it needs no key", "index", "key-file", "user", "ledger")
		},
		RunE: a.action(func(ctx context.Context, args []string) error { return a.residueScan(ctx, args[0]) }),
	}
}

// scanStep is how much of the notes is searched for at a time.
var scanStep = 8 << 20

// scan is one search for notes.
type scan struct {
	*app
	dir   string
	notes *noteReader
	sum   scanJSON
}

// scanJSON is what has been searched and found, the last line for machines.
type scanJSON struct {
	Found     bool   `json:"found"`
	IndexID   string `json:"index_id"`
	IndexIn   bool   `json:"index_in_store"` // the store has a folder of that index
	Items     int    `json:"items"`          // noted
	Parts     int    `json:"parts"`
	Sealed    int64  `json:"sealed_bytes"`
	Pieces    int64  `json:"pieces"` // searched for, different ones
	PieceSize int    `json:"piece_bytes"`
	Left      int64  `json:"pieces_found"` // of these, that stand somewhere
	Hits      int64  `json:"hits"`         // places in which they stand
	Files     int    `json:"files"`        // searched, in the last pass
	Bytes     int64  `json:"bytes"`        // of them
	Passes    int    `json:"passes"`
	Vanished  int    `json:"files_vanished"` // removed while the search went on
}

// placeJSON is what is left of one part in one file.
type placeJSON struct {
	Item   int    `json:"item"`
	Part   int    `json:"part"`
	Path   string `json:"path"`
	Offset int64  `json:"offset"` // of the first piece
	Pieces int    `json:"pieces"` // found there
	Of     int    `json:"of"`     // the part has
}

func (a *app) residueScan(ctx context.Context, name string) error {
	a.reading = true
	dir, err := a.existingStore()
	if err != nil {
		return err
	}
	in, err := a.input(ctx, name, "notes")
	if err != nil {
		return err
	}
	defer in.close()
	notes, err := newNoteReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s := &scan{app: a, dir: dir, notes: notes, sum: scanJSON{IndexID: notes.index.String(), PieceSize: pieceSize}}
	if s.sum.IndexIn, err = hasFolder(dir, notes.index); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !s.sum.IndexIn {
		a.warn("the store %s has no index %s, of which the notes are: is it the right store?", dir, notes.index)
	}
	if err := s.tell(); err != nil {
		return err
	}
	if s.sum.Found {
		return fmt.Errorf("%w: %s of %s found", errResidue, number(s.sum.Left), count(s.sum.Pieces, "piece"))
	}
	return nil
}

// hasFolder tells whether the store has an index.
func hasFolder(dir string, index crypto.IndexID) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, "segments", index.String()))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// run searches for the notes, a step at a time. Nothing counts before their end has
// been seen: an error ends it.
func (s *scan) run(ctx context.Context) error {
	for done := false; !done; {
		var parts []*notePart
		for size := 0; size < scanStep; {
			p, err := s.notes.next()
			if errors.Is(err, io.EOF) {
				done = true
				break
			}
			if err != nil {
				return err
			}
			parts, size = append(parts, p), size+len(p.Sealed)
		}
		if len(parts) > 0 {
			if err := s.pass(ctx, parts); err != nil {
				return err
			}
		}
	}
	s.sum.Items, s.sum.Parts, s.sum.Sealed = s.notes.sum.Items, s.notes.sum.Parts, s.notes.sum.Bytes
	return nil
}

// pass searches every byte of every file for some parts.
func (s *scan) pass(ctx context.Context, parts []*notePart) error {
	var needles [][]byte
	first := make([]int, len(parts)) // needle of each
	for i, p := range parts {
		first[i] = len(needles)
		needles = append(needles, residue.Pieces(p.Sealed, pieceSize)...)
	}
	searcher, err := residue.NewSearcher(needles)
	if err != nil {
		return err
	}
	use, err := usageOf(s.fs, s.dir)
	if err != nil {
		return err
	}
	bar := s.progress("search", use.total().Bytes, true)
	hits, stats, err := searcher.Search(ctx, s.fs, s.dir, bar.add)
	bar.done()
	if err != nil {
		return err
	}
	s.sum.Pieces += int64(searcher.Needles())
	s.sum.Files, s.sum.Bytes, s.sum.Vanished = stats.Files, stats.Bytes, s.sum.Vanished+stats.Vanished
	s.sum.Hits += stats.Hits
	s.sum.Passes++
	s.sum.Found = s.sum.Found || stats.Hits > 0
	if missed := stats.Hits - int64(len(hits)); missed > 0 {
		s.warn("%s beyond the %s that a search names", count(missed, "hit"), number(residue.MaxHits))
	}
	return s.places(parts, first, len(needles), hits)
}

// places prints where something is left. The hits come file by file.
func (s *scan) places(parts []*notePart, first []int, needles int, hits []residue.Hit) error {
	found := make(map[int]bool, len(hits))
	for len(hits) > 0 {
		path := hits[0].Path
		places := make(map[int]*placeJSON)
		var order []int
		for len(hits) > 0 && hits[0].Path == path {
			h := hits[0]
			hits = hits[1:]
			found[h.Needle] = true
			i, exact := slices.BinarySearch(first, h.Needle)
			if !exact {
				i--
			}
			if places[i] == nil {
				end := needles
				if i+1 < len(first) {
					end = first[i+1]
				}
				places[i] = &placeJSON{parts[i].Item, parts[i].Part, path, h.Offset, 0, end - first[i]}
				order = append(order, i)
			}
			places[i].Pieces++
		}
		for _, i := range order {
			if err := s.printPlace(places[i]); err != nil {
				return err
			}
		}
	}
	s.sum.Left += int64(len(found))
	return nil
}

func (s *scan) printPlace(p *placeJSON) error {
	if s.json {
		return writeJSON(s.stdout, p)
	}
	return s.printLine("left", "of item %d, part %d: %s of %s, the first in %s at offset %d", p.Item, p.Part, number(p.Pieces), count(p.Of, "piece"), p.Path, p.Offset)
}

func (s *scan) tell() error {
	if s.json {
		return writeJSON(s.stdout, &s.sum)
	}
	var p page
	p.line("noted", "%s, %s in %s, of index %s", count(s.sum.Items, "item"), count(s.sum.Sealed, "sealed byte"), count(s.sum.Parts, "part"), s.sum.IndexID)
	p.line("searched", "for %s of %d bytes, in every byte of %s, %s, in %s", count(s.sum.Pieces, "piece"), pieceSize, count(s.sum.Files, "file"), count(s.sum.Bytes, "byte"), count(s.sum.Passes, "pass"))
	if s.sum.Vanished > 0 {
		p.line("", "%s went away meanwhile, unread", count(s.sum.Vanished, "file"))
	}
	p.line("found", "%s of %s", number(s.sum.Left), count(s.sum.Pieces, "piece"))
	return s.print(&p)
}
