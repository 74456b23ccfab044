package crash_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"oubliette/bench/store"
)

// fault is what a wrong store does wrong.
type fault string

const (
	faultless   fault = "faultless"
	buffers     fault = "acknowledges before it writes"
	bringsBack  fault = "brings deletes back when it is opened"
	halves      fault = "writes the items of a call one by one"
	neverErases fault = "never erases"
	alters      fault = "alters a byte when it is opened"
	invents     fault = "has an item that nobody has put in"
	forgets     fault = "drops replacements when it is opened"
	panics      fault = "panics when it is opened again"
	hangs       fault = "hangs when it is opened again"
	fails       fault = "fails a call now and then"
	complains   fault = "finds damage in itself"
	miscounts   fault = "counts what it deletes wrongly"
	panicsLater fault = "panics while it works"
)

var faults = []fault{faultless, buffers, bringsBack, halves, neverErases, alters, invents, forgets, panics, hangs, fails, complains, miscounts, panicsLater}

// wrongKinds are one kind a fault. All promise everything.
func wrongKinds() []store.Kind {
	var out []store.Kind
	for _, f := range faults {
		out = append(out, store.Kind{
			Name: string(f),
			Open: func(_ context.Context, s store.Setup) (store.Store, error) {
				p, err := openPlain(s.Dir, f)
				if f == miscounts {
					return counting{p}, err
				}
				return p, err
			},
			Promises: store.Promises{Atomic: true, Erases: true},
		})
	}
	return out
}

// plain is the simplest store there is that keeps its word, where it is
// faultless: a map in memory, and a file that takes each call as one record. It
// seals nothing. It erases by writing what lives to a new file, renamed over the
// old one once it is whole.
type plain struct {
	mu    sync.Mutex
	fault fault
	path  string
	file  *os.File
	out   *bufio.Writer // holds calls back where the fault is that
	rows  map[string]row
	calls int
}

// record is one call, or what lives.
type record struct {
	Put  []row
	Take []string
}

// row is an item. Its vector is bytes: gob would not keep every NaN.
type row struct {
	ID                         string
	Vector, Contents, Metadata []byte
}

func rowOf(it *store.Item) row {
	v, err := binary.Append(nil, binary.LittleEndian, it.Vector)
	if err != nil {
		panic(err) // floats have a size
	}
	return row{it.ID, v, it.Contents, it.Metadata}
}

func (r *row) item() store.Item {
	it := store.Item{ID: r.ID, Vector: make([]float32, len(r.Vector)/4), Contents: r.Contents, Metadata: r.Metadata}
	if _, err := binary.Decode(r.Vector, binary.LittleEndian, it.Vector); err != nil {
		panic(err)
	}
	return it
}

func openPlain(dir string, f fault) (*plain, error) {
	p := &plain{fault: f, path: filepath.Join(dir, "log"), rows: make(map[string]row)}
	if err := os.Remove(p.path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	good, err := p.replay(file)
	if err != nil {
		return nil, err
	}
	if good > 0 {
		p.spoil()
	}
	p.file, p.out = file, bufio.NewWriterSize(file, 1<<20)
	_, err = file.Seek(good, io.SeekStart)
	return p, errors.Join(err, file.Truncate(good)) // what a crash has cut ends the file
}

// replay reads the file and answers where its last whole record ends.
func (p *plain) replay(f *os.File) (good int64, err error) {
	r := bufio.NewReader(f)
	for {
		var rec record
		if gob.NewDecoder(r).Decode(&rec) != nil {
			return good, nil
		}
		p.apply(&rec)
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return 0, err
		}
		good = at - int64(r.Buffered())
	}
}

func (p *plain) apply(rec *record) {
	for _, r := range rec.Put {
		if _, there := p.rows[r.ID]; !there || p.fault != forgets {
			p.rows[r.ID] = r
		}
	}
	for _, id := range rec.Take {
		if p.fault != bringsBack {
			delete(p.rows, id)
		}
	}
}

// spoil is done to a store that is opened again.
func (p *plain) spoil() {
	switch p.fault {
	case panics:
		panic("it does not like what it sees")
	case hangs:
		select {}
	case invents:
		p.rows["nobody's"] = row{ID: "nobody's", Contents: []byte("from nowhere")}
	case alters:
		for _, r := range p.rows {
			if len(r.Contents) > 0 {
				r.Contents[len(r.Contents)/2] ^= 1
				return
			}
		}
	}
}

// rewrite makes a new file of what lives.
func (p *plain) rewrite() error {
	f, err := os.Create(p.path + ".new")
	if err != nil {
		return err
	}
	old := p.file
	p.file, p.out = f, bufio.NewWriterSize(f, 1<<20)
	err = p.encode(&record{Put: slices.Collect(maps.Values(p.rows))})
	return errors.Join(err, p.out.Flush(), f.Sync(), os.Rename(p.path+".new", p.path), old.Close())
}

// encode gives each record a stream of its own: reading can begin at any.
func (p *plain) encode(rec *record) error { return gob.NewEncoder(p.out).Encode(rec) }

func (p *plain) write(rec *record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls++; p.calls > 5 && p.fault == fails {
		return errors.New("no more than 5 calls")
	}
	if p.calls > 5 && p.fault == panicsLater {
		panic("no more than 5 calls")
	}
	if p.fault == halves {
		return p.writeHalves(rec)
	}
	err := p.encode(rec)
	if err == nil && p.fault != buffers {
		err = errors.Join(p.out.Flush(), p.file.Sync())
	}
	p.applyNow(rec)
	return err
}

// applyNow is what replay does where nothing is wrong with it.
func (p *plain) applyNow(rec *record) {
	for _, r := range rec.Put {
		p.rows[r.ID] = r
	}
	for _, id := range rec.Take {
		delete(p.rows, id)
	}
}

func (p *plain) writeHalves(rec *record) error {
	for i := range rec.Put {
		if err := p.encode(&record{Put: rec.Put[i : i+1]}); err != nil {
			return err
		}
		if err := p.out.Flush(); err != nil {
			return err
		}
		time.Sleep(200 * time.Microsecond)
	}
	if err := errors.Join(p.encode(&record{Take: rec.Take}), p.out.Flush()); err != nil {
		return err
	}
	p.applyNow(rec)
	return nil
}

func (p *plain) Upsert(_ context.Context, items []store.Item) error {
	var rec record
	for i := range items {
		rec.Put = append(rec.Put, rowOf(&items[i]))
	}
	return p.write(&rec)
}

func (p *plain) Delete(_ context.Context, ids []string) error { return p.write(&record{Take: ids}) }

func (p *plain) Get(_ context.Context, ids []string) (out []store.Item, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if r, ok := p.rows[id]; ok {
			out = append(out, r.item())
		}
	}
	return out, nil
}

func (p *plain) Items(context.Context) iter.Seq2[store.Item, error] {
	p.mu.Lock()
	all := maps.Clone(p.rows)
	p.mu.Unlock()
	return func(yield func(store.Item, error) bool) {
		for _, r := range all {
			if !yield(r.item(), nil) {
				return
			}
		}
	}
}

func (p *plain) Erase(context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == neverErases {
		return 0, nil
	}
	return 0, p.rewrite()
}

func (p *plain) Compact(ctx context.Context) error {
	_, err := p.Erase(ctx)
	return err
}

func (p *plain) Check(context.Context) error {
	if p.fault == complains {
		return errors.New("page 7 is not as it was")
	}
	return nil
}

// Close leaves nothing but what lives.
func (p *plain) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != neverErases {
		if err := p.rewrite(); err != nil {
			return err
		}
	}
	return errors.Join(p.out.Flush(), p.file.Close())
}

// counting is a plain store that answers for its deletes, wrongly.
type counting struct{ *plain }

func (c counting) DeleteFor(ctx context.Context, ids []string) ([]byte, error) {
	return []byte("1000"), c.Delete(ctx, ids)
}

func (c counting) Account(_ context.Context, receipt []byte) (store.Account, error) {
	n, err := strconv.Atoi(string(receipt))
	return store.Account{Erased: true, Counted: true, Found: n}, err
}
