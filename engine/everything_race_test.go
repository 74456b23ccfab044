package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// melee is a store of two indexes in which everybody does everything: all calls there
// are, by many, with a Close in the middle of them.
type melee struct {
	t    *testing.T
	fs   *vfs.MemFS
	disk vfs.FS // of the ledger
	db   *engine.DB

	mu   sync.Mutex // below
	keys map[string]engine.Key
	dead map[string]bool // ids that came once, and have been deleted
	last map[string]engine.Receipt
	note *crashNotes

	closing atomic.Bool
	serial  atomic.Int64
	calls   [meleeCalls]atomic.Int64
}

// meleeCalls is how many kinds of calls there are.
const meleeCalls = 12

func (m *melee) key(name string) engine.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keys[name]
}

func (m *melee) open() {
	o := engine.Options{
		FS: m.fs, PurgeWithin: 20 * time.Millisecond, SegmentSize: 64 << 10, MemoryLimit: 64 << 10,
		Ledger: engine.LedgerFile(m.disk, "/l"),
	}
	m.closing.Store(false)
	m.db = got(engine.Open(storeDir, &o))(m.t)
	have := got(m.db.ListIndexes())(m.t)
	for _, name := range []string{"a", "b"} {
		if !slices.Contains(have, name) { // a removal was overtaken by Close
			m.keys[name] = engine.NewKey()
			_, err := m.db.CreateIndex(context.Background(), name, m.keys[name], engine.IndexConfig{})
			must(m.t, err)
		}
	}
}

// may tells whether a call among all that may answer an error: the store closes, keys
// change, the index goes, a backup is under way, a row is not erased yet.
func (m *melee) may(err error) bool {
	for _, e := range []error{engine.ErrIndexNotFound, engine.ErrWrongKey, engine.ErrIndexExists, engine.ErrBackup, engine.ErrNotErased} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err == nil || m.closing.Load() && errors.Is(err, engine.ErrClosed)
}

// one does one call of one kind.
func (m *melee) one(r *rand.Rand, kind int) error {
	name := []string{"a", "b"}[r.IntN(2)]
	ctx := context.Background()
	ix, err := m.db.LoadIndex(ctx, name, engine.WithIndexKey(m.key(name)))
	if err != nil {
		return err
	}
	defer ix.Close()
	switch kind {
	case 0, 1:
		return m.upsert(r, ix)
	case 2:
		return m.comesAndGoes(r, ix, name)
	case 3:
		_, err = ix.Purge(ctx)
	case 4:
		_, err = ix.Purge(ctx, engine.WithRewrite())
	case 5:
		err = ix.Compact(ctx)
	case 6:
		err = m.asks(ix, name)
	case 7:
		err = m.backup(r)
	case 8:
		err = m.scan(r, ix)
	case 9:
		err = m.changes(r, ix, name)
	case 10:
		err = m.again(r, name)
	case 11:
		_, err = ix.Check(ctx)
	}
	return err
}

func (m *melee) upsert(r *rand.Rand, ix *engine.Index) error {
	n := int(m.serial.Add(1))
	it := sizedItem(fmt.Sprint("k", r.IntN(80)), n, 3000)
	if r.IntN(3) == 0 {
		it.ExpiresAt = time.Now().Add(time.Duration(r.IntN(60)) * time.Millisecond)
	}
	return ix.Upsert(context.Background(), []engine.Item{it, sizedItem(fmt.Sprint("x", r.IntN(80)), n, 1000)})
}

// comesAndGoes upserts an id that comes this once, notes its sealed bytes and deletes it.
func (m *melee) comesAndGoes(r *rand.Rand, ix *engine.Index, name string) error {
	ctx := context.Background()
	id := fmt.Sprint("once", m.serial.Add(1))
	if err := ix.Upsert(ctx, []engine.Item{sizedItem(id, 1, 200+r.IntN(2000))}); err != nil {
		return err
	}
	rows, noted := ix.SealedRows(ctx, []string{id})
	receipt, err := ix.Delete(ctx, []string{id, fmt.Sprint("k", r.IntN(80))})
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.last[name] = receipt
	if m.dead[id] = true; noted == nil { // else moved, or key changed, between look-up and reading
		m.note.add(crashVersion{index: name, id: id}, rows[0].Bytes)
	}
	m.mu.Unlock()
	if have, err := ix.Get(ctx, []string{id}, 0); err != nil || len(have) > 0 {
		if err == nil {
			err = fmt.Errorf("%s is deleted and shown", id)
		}
		return err
	}
	return nil
}

// asks what has become of a delete.
func (m *melee) asks(ix *engine.Index, name string) error {
	m.mu.Lock()
	r, ok := m.last[name]
	m.mu.Unlock()
	if !ok || r.Index != ix.ID() {
		return nil
	}
	_, err := ix.Status(context.Background(), r)
	if err == nil {
		_, err = ix.Certify(context.Background(), r)
	}
	return err
}

func (m *melee) backup(r *rand.Rand) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if r.IntN(3) == 0 {
		time.AfterFunc(time.Duration(r.IntN(5))*time.Millisecond, cancel)
	}
	var b bytes.Buffer
	err := m.db.Backup(ctx, &b)
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case err != nil || r.IntN(4) > 0:
		return err
	}
	return engine.RestoreWith(context.Background(), &b, "/restored", &engine.Options{FS: vfs.NewMem()})
}

func (m *melee) scan(r *rand.Rand, ix *engine.Index) error {
	ctx := context.Background()
	for it, err := range ix.Items(ctx, engine.AllFields) {
		if err == nil && r.IntN(4) == 0 {
			_, err = ix.Get(ctx, []string{it.ID}, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// changes lets a user in and another out, or gives root another key.
func (m *melee) changes(r *rand.Rand, ix *engine.Index, name string) error {
	ctx := context.Background()
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.IntN(3) == 0 {
		next := engine.NewKey()
		err := ix.RotateKey(ctx, m.keys[name], next)
		if err == nil {
			m.keys[name] = next
		}
		return err
	}
	id := func() engine.UserID { return userID(byte(1 + r.IntN(5))) }
	err := ix.CreateUserKeys(ctx, id(), engine.NewKey(), engine.PermRead, m.keys[name])
	if err == nil {
		err = ix.DeleteUserKeys(ctx, id(), m.keys[name])
	}
	return err
}

// again deletes index b and makes another one of that name.
func (m *melee) again(r *rand.Rand, name string) error {
	if r.IntN(4) > 0 || name != "b" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.db.DeleteIndex(context.Background(), name, m.keys[name]); err != nil {
		return err
	}
	_, err := m.db.CreateIndex(context.Background(), name, m.keys[name], engine.IndexConfig{})
	return err
}

// round opens the store, lets all do everything, and closes it among that.
func (m *melee) round(rng *rand.Rand, lasts time.Duration) {
	m.open()
	var wg sync.WaitGroup
	for range 7 {
		r := rand.New(rand.NewPCG(rng.Uint64(), 1))
		wg.Go(func() {
			for first := true; first || !m.closing.Load(); first = false {
				kind := r.IntN(meleeCalls)
				m.calls[kind].Add(1)
				if err := m.one(r, kind); !m.may(err) {
					m.t.Errorf("call of kind %d: %v", kind, err)
					return
				}
			}
		})
	}
	time.Sleep(lasts)
	crashTimed(m.t, time.Minute, "Close among everything", func() {
		m.closing.Store(true)
		if err := m.db.Close(); err != nil {
			m.t.Errorf("Close: %v", err)
		}
		wg.Wait()
	})
}

// TestEveryCallAtOnceAndACloseAmongThem lets seven callers do everything there is in a
// store with a ledger and a deadline of 20 ms, closes it in the middle, and goes on
// with what is left. No call answers what it may not, nothing hangs, Close erases all,
// and in the end no byte is left of what came once and was deleted.
//
// It runs for a second; OUBLIETTE_LONG=1 for two minutes.
func TestEveryCallAtOnceAndACloseAmongThem(t *testing.T) {
	rng := newRand(t)
	lasts := 800 * time.Millisecond
	if crashLong() {
		lasts = 2 * time.Minute
	}
	m := &melee{
		t: t, fs: vfs.NewCrashableMem(), disk: vfs.NewMem(), keys: make(map[string]engine.Key),
		dead: make(map[string]bool), last: make(map[string]engine.Receipt), note: newCrashNotes(),
	}
	rounds := 0
	for end := time.Now().Add(lasts); time.Now().Before(end) && !t.Failed(); rounds++ {
		m.round(rng, time.Duration(rng.IntN(500))*time.Millisecond)
		must(t, m.note.residue(m.fs, func(v crashVersion) bool { return m.dead[v.id] }))
	}
	m.open()
	for name, key := range m.keys {
		ix := got(m.db.LoadIndex(context.Background(), name, engine.WithIndexKey(key)))(t)
		for id := range collect(t, ix) {
			if m.dead[id] {
				t.Errorf("%s is back", id)
			}
		}
		got(ix.Check(context.Background()))(t)
	}
	must(t, m.db.Close())
	counts := make([]int64, meleeCalls)
	for i := range counts {
		counts[i] = m.calls[i].Load()
	}
	t.Logf("%d rounds, calls by kind %v, %d items deleted and searched for", rounds, counts, len(m.dead))
}
