package crash

import (
	"context"
	"path/filepath"
	"time"

	"oubliette/bench/store"

	"oubliette/internal/residue"
)

// recover compares what a store has after it was opened, lets it check itself
// and erase, and searches its files.
func (f *folder) recover(ctx context.Context, s *session) error {
	for _, step := range []func(context.Context, *session) error{f.compare, f.fsck, f.erase, f.account} {
		if err := step(ctx, s); err != nil {
			return f.blame(err)
		}
		if f.broken {
			return nil
		}
	}
	return nil
}

// compare holds a scan, and then a get of all ids, against what has to be there.
func (f *folder) compare(ctx context.Context, s *session) error {
	r, err := f.read(ctx, s, &order{Do: doScan})
	if err != nil {
		return err
	}
	f.findAll(f.oracle.check(r, f.kind.Promises.Atomic))
	var ids []string
	for w := range f.Writers {
		for i := range f.IDs {
			ids = append(ids, writerID(w, i))
		}
	}
	if r, err = f.read(ctx, s, &order{Do: doGet, IDs: ids}); err == nil {
		f.findAll(f.oracle.check(r, f.kind.Promises.Atomic))
	}
	return err
}

// fsck lets the store look for damage in itself.
func (f *folder) fsck(ctx context.Context, s *session) error {
	m, err := s.do(ctx, &order{Do: doCheck}, f.Limit)
	if m.Text != "" {
		return wrong(Damaged, "%s", m.Text)
	}
	return err
}

// erase lets the store erase, and searches all of its files for what it has
// erased.
func (f *folder) erase(ctx context.Context, s *session) error {
	pieces := f.oracle.buried()
	if _, err := s.do(ctx, &order{Do: doErase}, f.Limit); err != nil || len(pieces) == 0 {
		return err
	}
	searcher, err := residue.NewSearcher(pieces)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.path, "store")
	hits, stats, err := f.kind.Search(ctx, store.Setup{Dir: dir, Key: f.key}, searcher)
	if err != nil {
		return err
	}
	f.report.Searches++
	f.report.Bytes += stats.Bytes
	f.report.Files += stats.Files
	f.residues(dir, pieces, hits)
	return nil
}

// buried are all pieces that the next erasure has to leave nothing of, and that
// those before it had.
func (o *oracle) buried() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buryExpired(time.Now().UnixMilli())
	out := make([][]byte, 0, len(o.dead))
	for p := range o.dead {
		out = append(out, []byte(p))
	}
	return out
}

// residues puts what a search has found into the report, a line a file.
func (f *folder) residues(dir string, pieces [][]byte, hits []residue.Hit) {
	type where struct{ pieces, offset int64 }
	files := make(map[string]where)
	seen := make(map[int]bool)
	for _, h := range hits {
		name, err := filepath.Rel(dir, h.Path)
		if err != nil {
			name = h.Path
		}
		w, ok := files[name]
		if !ok {
			w.offset = h.Offset
		}
		w.pieces++
		files[name] = w
		seen[h.Needle] = true
		f.residue[string(pieces[h.Needle])] = true
	}
	if len(seen) > 0 {
		f.report.Residue.Searches++
	}
	for name, w := range files {
		f.report.Residue.Files[pattern(name)]++
		f.find(wrong(Residue, "%d pieces of %d in %s, the first at byte %d", w.pieces, len(pieces), name, w.offset), f.kind.Promises.Erases)
	}
}

// pattern is a file's name with numbers as #, so that files of one kind count
// together.
func pattern(name string) string {
	var out []byte
	for i := range len(name) {
		c := name[i]
		if '0' <= c && c <= '9' {
			if len(out) > 0 && out[len(out)-1] == '#' {
				continue
			}
			c = '#'
		}
		out = append(out, c)
	}
	return filepath.ToSlash(string(out))
}

// accounts is how many of the newest receipts are always asked about; of the
// others one in so many.
const (
	accountNewest = 30
	accountOthers = 20
)

// account asks what has become of deletes. All of them have been erased by now.
func (f *folder) account(ctx context.Context, s *session) error {
	asked := f.oracle.receiptsOf(func(fromEnd int) bool {
		return fromEnd < accountNewest || f.rnd.IntN(accountOthers) == 0
	})
	if len(asked) == 0 {
		return nil
	}
	o := &order{Do: doAccount}
	for _, r := range asked {
		o.Receipts = append(o.Receipts, r.bytes)
	}
	m, err := s.do(ctx, o, f.Limit)
	if err != nil {
		return err
	}
	f.report.Receipts += len(asked)
	for i, a := range m.Accounts {
		r := asked[i]
		switch {
		case a.Err != "":
			f.find(wrong(Miscounted, "of a delete that was acknowledged: %s", a.Err), true)
		case f.kind.Promises.Erases && !a.Erased:
			f.find(wrong(Miscounted, "of a delete that has been erased: it says that it has not"), true)
		case a.Counted && (a.Found < r.least || a.Found > r.most):
			f.find(wrong(Miscounted, "of a delete that has found %d to %d items: it says %d", r.least, r.most, a.Found), true)
		}
	}
	return nil
}

// receiptsOf answers the receipts that are chosen by their place from the end.
func (o *oracle) receiptsOf(chosen func(fromEnd int) bool) (out []receipt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, r := range o.receipts {
		if chosen(len(o.receipts) - 1 - i) {
			out = append(out, r)
		}
	}
	return out
}
