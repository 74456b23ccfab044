package crash

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// folder is one store with all that belongs to it:
//
//	store/   the store's own files, the only ones that are searched
//	aside/   what the store's user keeps apart from it
//	calls    every call, as the child has announced and acknowledged it
//	stderr   what the last child has printed
type folder struct {
	*run
	path   string
	key    [32]byte
	oracle *oracle
	calls  *os.File
	log    *bufio.Writer
	opened bool   // at least once
	phase  string // that the last kill has hit
	broken bool
	// residue are the pieces that have been found after an erasure, each once.
	residue map[string]bool
}

func newFolder(r *run) (*folder, error) {
	path, err := os.MkdirTemp(r.Dir, "crash-"+r.kind.Name+"-")
	if err != nil {
		return nil, err
	}
	f := &folder{run: r, path: path, phase: "none yet", residue: make(map[string]bool)}
	for i := range 4 {
		binary.LittleEndian.PutUint64(f.key[8*i:], r.rnd.Uint64())
	}
	for _, sub := range []string{"store", "aside"} {
		if err := os.Mkdir(filepath.Join(path, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if f.calls, err = os.Create(filepath.Join(path, "calls")); err != nil {
		return nil, err
	}
	f.log = bufio.NewWriter(f.calls)
	f.oracle = newOracle(f.log, r.report)
	return f, nil
}

// end closes what is the parent's own and adds up the residue.
func (f *folder) end() error {
	f.oracle.mu.Lock()
	defer f.oracle.mu.Unlock()
	f.report.Residue.Pieces += len(f.oracle.dead)
	f.report.Residue.Found += len(f.residue)
	return errors.Join(f.log.Flush(), f.calls.Close())
}

func (f *folder) setup() *setup {
	return &setup{Kind: f.kind.Name, Dir: filepath.Join(f.path, "store"), Aside: filepath.Join(f.path, "aside"), Key: f.key}
}

func (f *folder) start() (*session, error) {
	return start(filepath.Join(f.path, "stderr"), f.spans, f.oracle.hear)
}

// find adds what is wrong to the report.
func (f *folder) find(m *misstep, breaks bool) {
	f.broken = f.broken || breaks
	f.report.find(Finding{Kill: f.report.Kills, Phase: f.phase, Verdict: m.verdict, Text: m.text, Breaks: breaks})
}

// blame takes the error of something that was asked of a child: what the store
// has done wrong goes into the report, everything else is the run's own.
func (f *folder) blame(err error) error {
	for _, m := range missteps(err) {
		f.find(m, true)
	}
	if len(missteps(err)) > 0 {
		return nil
	}
	return err
}

// missteps are those in an error that may join several.
func missteps(err error) (out []*misstep) {
	if m, ok := err.(*misstep); ok {
		return []*misstep{m}
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range j.Unwrap() {
			out = append(out, missteps(e)...)
		}
	}
	return out
}

// rounds kills until the folder has had its share, then opens the store twice
// more, with a close in good order between.
func (f *folder) rounds(ctx context.Context) error {
	for range f.FolderKills {
		if f.report.Kills >= f.Kills || f.broken {
			break
		}
		if err := f.round(ctx); err != nil {
			return err
		}
		f.progress()
	}
	for range 2 {
		if f.broken {
			return nil
		}
		if err := f.last(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round opens what the last kill has left and kills the child that does so:
// while it opens the store, or later.
func (f *folder) round(ctx context.Context) error {
	aim := f.aim()
	if aim != Opening && f.opened && f.kind.OpenReadOnly != nil && f.rnd.IntN(4) == 0 {
		if err := f.peek(ctx); err != nil || f.broken {
			return err
		}
	}
	s, err := f.start()
	if err != nil {
		return err
	}
	defer s.kill() // where something has gone wrong; else it is dead already
	if aim == Opening {
		if late, err := f.killOpening(ctx, s); err != nil || !late {
			return err
		}
		aim = Writing
	} else if _, err := s.do(ctx, &order{Do: doOpen, Setup: f.setup()}, f.Limit); err != nil {
		return f.blame(err)
	}
	f.opened = true
	if err := f.recover(ctx, s); err != nil || f.broken {
		return err
	}
	return f.killWorking(ctx, s, aim)
}

// aim draws the phase that the next kill is meant for.
func (f *folder) aim() string {
	all := f.Aims
	if len(all) == 0 {
		all = append(append(all, aims...), f.spans.chores()...)
	}
	return all[f.rnd.IntN(len(all))]
}

// last opens the store, compares, erases and searches; lets it be used for a
// while and does so again without opening it anew; and closes it.
func (f *folder) last(ctx context.Context) error {
	s, err := f.start()
	if err != nil {
		return err
	}
	defer s.kill()
	if _, err := s.do(ctx, &order{Do: doOpen, Setup: f.setup()}, f.Limit); err != nil {
		return f.blame(err)
	}
	if err := f.recover(ctx, s); err != nil || f.broken {
		return err
	}
	if err := f.use(ctx, s); err != nil || f.broken {
		return err
	}
	if _, err := s.do(ctx, &order{Do: doClose}, f.Limit); err != nil {
		return f.blame(err)
	}
	f.phase = "closed in good order"
	return f.blame(s.finish())
}

// use lets a child work and stop by itself. A log that was in use until the
// erasure is searched here; after a kill it is a new one.
func (f *folder) use(ctx context.Context, s *session) error {
	f.phase = "used and not killed"
	if _, err := s.do(ctx, f.workOrder(Writing), f.Limit); err != nil {
		return f.blame(err)
	}
	f.rest(ctx, s, f.Pace)
	_, err := s.do(ctx, &order{Do: doStop}, f.Limit)
	f.told()
	if err != nil {
		return f.blame(err)
	}
	if f.broken {
		return nil
	}
	return f.recover(ctx, s)
}

// peek lets somebody look who opens the store for reading only.
func (f *folder) peek(ctx context.Context) error {
	s, err := f.start()
	if err != nil {
		return err
	}
	defer s.kill()
	if _, err := s.do(ctx, &order{Do: doPeek, Setup: f.setup()}, f.Limit); err != nil {
		return f.blame(err)
	}
	r, err := f.read(ctx, s, &order{Do: doScan})
	if err != nil {
		return f.blame(err)
	}
	f.report.Peeks++
	f.findAll(f.oracle.peek(r, f.kind.Promises.Atomic))
	if _, err := s.do(ctx, &order{Do: doClose}, f.Limit); err != nil {
		return f.blame(err)
	}
	return f.blame(s.finish())
}

func (f *folder) findAll(list []misstep) {
	for i := range list {
		f.find(&list[i], true)
	}
}

// read answers what a scan or a get finds, and when that was.
func (f *folder) read(ctx context.Context, s *session, o *order) (*reading, error) {
	from := time.Now().UnixMilli()
	items, err := s.items(ctx, o, f.Limit)
	return &reading{items, from, time.Now().UnixMilli()}, err
}
