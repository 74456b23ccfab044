package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// stalling is a taker of a backup that stands still when it has had some bytes,
// until it is let go.
type stalling struct {
	bytes.Buffer
	at      int
	once    sync.Once
	reached chan struct{}
	open    chan struct{}
}

func (w *stalling) Write(b []byte) (int, error) {
	if w.Len()+len(b) > w.at {
		w.once.Do(func() {
			close(w.reached)
			<-w.open
		})
	}
	return w.Buffer.Write(b)
}

// underway is a backup that stands still.
type underway struct {
	w    *stalling
	done chan error
}

// stalled begins a backup that stands still after some bytes.
func stalled(t testing.TB, db *engine.DB, at int) *underway {
	t.Helper()
	b := &underway{&stalling{at: at, reached: make(chan struct{}), open: make(chan struct{})}, make(chan error, 1)}
	go func() { b.done <- db.Backup(context.Background(), b.w) }()
	select {
	case <-b.w.reached:
		time.Sleep(20 * time.Millisecond) // what comes next is read ahead; then the copying waits as well
	case err := <-b.done:
		t.Fatalf("the backup ends before %d bytes: %v", at, err)
	}
	return b
}

// goOn lets the backup go on and answers its stream.
func (b *underway) goOn(t testing.TB) []byte {
	t.Helper()
	close(b.w.open)
	must(t, <-b.done)
	return b.w.Bytes()
}

// foundIn is how many of the noted pieces of rows a stream holds.
func (r *residue) foundIn(t testing.TB, stream []byte) int {
	t.Helper()
	mem := vfs.NewMem()
	must(t, mem.MkdirAll(storeDir, 0o700))
	f := got(mem.Create(storeDir+"/stream", vfs.WriteCategoryUnspecified))(t)
	got(f.Write(bytes.Clone(stream)))(t)
	must(t, f.Close())
	return len(r.search(t, mem))
}

// filled is a store with items in two closed segments, and some in an open one.
func filled(t testing.TB, changes ...func(*engine.Options)) (*store, *engine.Index, map[string]engine.Item) {
	t.Helper()
	ctx := context.Background()
	s := newStore(t, changes...)
	ix := s.create("a")
	want := make(map[string]engine.Item)
	for _, prefix := range []string{"p", "q", "r"} {
		var items []engine.Item
		for i := range 40 {
			items = append(items, sizedItem(fmt.Sprint(prefix, i), 1, 4000))
		}
		must(t, ix.Upsert(ctx, items))
		for _, it := range items {
			want[it.ID] = it
		}
		if prefix != "r" {
			must(t, ix.Roll(ctx))
			must(t, ix.SealNow(ctx))
		}
	}
	return s, ix, want
}

// everyThird deletes every third item of want.
func everyThird(t testing.TB, ix *engine.Index, want map[string]engine.Item) (ids []string) {
	t.Helper()
	for _, prefix := range []string{"p", "q", "r"} {
		for i := 0; i < 40; i += 3 {
			ids = append(ids, fmt.Sprint(prefix, i))
			delete(want, ids[len(ids)-1])
		}
	}
	got(ix.Delete(context.Background(), ids))(t)
	return ids
}

// TestErasuresGoOnWhileTheTakerOfABackupStandsStill: they are not held back by
// it; what they overwrite after it has been copied is overwritten in the restored
// store, which can be told to be needed: the stream has it.
func TestErasuresGoOnWhileTheTakerOfABackupStandsStill(t *testing.T) {
	ctx := context.Background()
	defer engine.TailLimit(16 << 10)()
	s, ix, want := filled(t, func(o *engine.Options) { o.PurgeWithin = 100 * time.Millisecond })
	b := stalled(t, s.DB, 300<<10)
	var gone, replaced residue
	gone.note(t, s, ix, []string{"p0", "p3", "q9", "r30"})
	everyThird(t, ix, want)
	receipt := got(ix.Delete(ctx, []string{"q1"}))(t)
	delete(want, "q1")
	cert := got(ix.Purge(ctx))(t)
	if cert.Rows != 43 {
		t.Errorf("the certificate names %d rows", cert.Rows)
	}
	if st := got(ix.Status(ctx, receipt))(t); st.State != engine.Erased || st.ErasedAt.IsZero() || st.Rows != 1 {
		t.Errorf("status: %+v", st)
	}
	gone.wantGone(t, s.fs)
	replaced.note(t, s, ix, []string{"p1", "r1"})
	for _, id := range []string{"p1", "r1"} {
		want[id] = sizedItem(id, 2, 5000)
		must(t, ix.Upsert(ctx, []engine.Item{want[id]}))
	}
	eventually(t, 10*time.Second, "older versions erased in the background", func() bool { return replaced.erased(t, s.fs) })
	wantItems(t, ix, want)
	bytesErased := s.Metrics().Indexes["a"].BytesErased

	stream := b.goOn(t)
	if n := gone.foundIn(t, stream) + replaced.foundIn(t, stream); n == 0 {
		t.Error("the stream has nothing of what was erased: the test does not show what it should")
	}
	eventually(t, 10*time.Second, "nothing is kept listed any more", func() bool { return s.Metrics().Indexes["a"].PendingBytes == 0 })
	if n := s.Metrics().Indexes["a"].BytesErased; n != bytesErased {
		t.Errorf("%d bytes overwritten for a second time", n-bytesErased)
	}
	r := restored(t, stream, s.keys)
	gone.wantGone(t, r.fs) // without a key
	replaced.wantGone(t, r.fs)
	back := r.load("a")
	wantItems(t, back, want)
	if st := got(back.Status(ctx, receipt))(t); st.State != engine.Erased {
		t.Errorf("status in the restored store: %+v", st)
	}
	got(back.Check(ctx))(t)
	got(back.Purge(ctx))(t)
	gone.wantGone(t, r.fs)
	wantItems(t, ix, want)
}

// TestWhatHappensToAnIndexWhileABackupStandsStill: the restored store is of the
// moment at the end.
func TestWhatHappensToAnIndexWhileABackupStandsStill(t *testing.T) {
	ctx := context.Background()
	user := engine.NewKey()
	for _, c := range []struct {
		name string
		do   func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index // nil: the index goes
	}{
		{"nothing", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index { return ix }},
		{"segments closed", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index {
			must(s, ix.Roll(ctx))
			must(s, ix.SealNow(ctx))
			want["more"] = makeItem("more", 1)
			must(s, ix.Upsert(ctx, []engine.Item{want["more"]}))
			return ix
		}},
		{"compaction", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index {
			everyThird(s, ix, want)
			must(s, ix.Compact(ctx))
			return ix
		}},
		{"a purge that rewrites", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index {
			everyThird(s, ix, want)
			got(ix.Purge(ctx, engine.WithRewrite()))(s)
			return ix
		}},
		{"another key", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index {
			everyThird(s, ix, want)
			next := engine.NewKey()
			must(s, ix.RotateKey(ctx, s.keys["a"], next))
			s.keys["a"] = next
			return s.load("a")
		}},
		{"a user out", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index {
			must(s, ix.CreateUserKeys(ctx, userID(1), user, engine.PermRead, s.keys["a"]))
			must(s, ix.DeleteUserKeys(ctx, userID(1), s.keys["a"]))
			must(s, ix.Upsert(ctx, []engine.Item{makeItem("p0", 3)}))
			want["p0"] = makeItem("p0", 3)
			return ix
		}},
		{"its deletion", func(s *store, ix *engine.Index, want map[string]engine.Item) *engine.Index {
			must(s, s.DeleteIndex(ctx, "a", s.keys["a"]))
			delete(s.keys, "a")
			s.create("b")
			return nil
		}},
		{"a new one of its name", func(s *store, _ *engine.Index, want map[string]engine.Item) *engine.Index {
			must(s, s.DeleteIndex(ctx, "a", s.keys["a"]))
			clear(want)
			want["new"] = makeItem("new", 1)
			ix := s.create("a")
			must(s, ix.Upsert(ctx, []engine.Item{want["new"]}))
			return ix
		}},
	} {
		for _, at := range []int{100, 150 << 10, 250 << 10} {
			t.Run(fmt.Sprintf("%s, at %d", c.name, at), func(t *testing.T) {
				defer engine.TailLimit(16 << 10)()
				s, ix, want := filled(t)
				b := stalled(t, s.DB, at)
				ix = c.do(s, ix, want)
				stream := b.goOn(t)
				r := restored(t, stream, s.keys)
				if ix == nil {
					_, err := r.LoadIndex(ctx, "a")
					wantError(t, err, engine.ErrIndexNotFound)
				} else {
					wantItems(t, r.load("a"), want)
					got(r.load("a").Check(ctx))(t)
					must(t, r.load("a").Compact(ctx))
					wantItems(t, r.load("a"), want)
				}
				r.reopen()
				known := 0
				for path := range readAll(t, r.fs) {
					if n := len(path); path[n-4:] == ".seg" {
						known++
					}
				}
				if ix == nil && known > 0 {
					t.Errorf("%d files of an index that was deleted", known)
				}
				s.reopen()
			})
		}
	}
}

// TestAnIndexIsUnlockedWhileItIsCopied: a crash has left a segment open, whose
// file is copied to its end; then somebody comes with a key, and its index is
// written there. What was copied of it is copied again.
func TestAnIndexIsUnlockedWhileItIsCopied(t *testing.T) {
	ctx := context.Background()
	defer engine.TailLimit(16 << 10)()
	s, _, want := filled(t)
	for _, at := range []int{100, 200 << 10, 250 << 10} {
		c := openStore(t, s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), s.keys)
		want := byID(func() (all []engine.Item) {
			for _, it := range want {
				all = append(all, it)
			}
			return all
		}()...)
		b := stalled(t, c.DB, at)
		ix := c.load("a")
		everyThird(t, ix, want)
		must(t, ix.SealNow(ctx))
		got(ix.Purge(ctx))(t)
		want["more"] = makeItem("more", 1)
		must(t, ix.Upsert(ctx, []engine.Item{want["more"]}))
		r := restored(t, b.goOn(t), s.keys)
		wantItems(t, r.load("a"), want)
		got(r.load("a").Check(ctx))(t)
	}
}

// TestAnIndexThatNobodyUnlocksIsCopied, with deletes that wait in its log.
func TestAnIndexThatNobodyUnlocksIsCopied(t *testing.T) {
	ctx := context.Background()
	s, ix, want := filled(t)
	var gone residue
	gone.note(t, s, ix, []string{"p0", "r3"})
	everyThird(t, ix, want)
	for _, limit := range []uint64{0, 1 << 30} {
		done := engine.TailLimit(limit)
		for _, readOnly := range []bool{false, true} {
			c := openStore(t, s.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), s.keys, func(o *engine.Options) { o.ReadOnly = readOnly })
			c.noCheck = true
			stream := backedUp(t, c.DB)
			if !readOnly {
				c.closed = true
				must(t, untilAKey(c.DB.Close()))
			}
			r := restored(t, stream, s.keys)
			wantItems(t, r.load("a"), want)
			got(r.load("a").Purge(ctx))(t)
			gone.wantGone(t, r.fs)
		}
		done()
	}
}

// TestCloseAndContextEndABackup, also one whose taker stands still.
func TestCloseAndContextEndABackup(t *testing.T) {
	ctx := context.Background()
	defer engine.TailLimit(16 << 10)()
	s, ix, want := filled(t)
	b := stalled(t, s.DB, 1000)
	wantError(t, s.Backup(ctx, new(bytes.Buffer)), engine.ErrBackup)
	everyThird(t, ix, want)
	s.close() // does not wait
	close(b.w.open)
	wantError(t, <-b.done, engine.ErrClosed, "backup")
	wantError(t, s.Backup(ctx, new(bytes.Buffer)), engine.ErrClosed)
	if err := engine.RestoreWith(ctx, bytes.NewReader(b.w.Bytes()), storeDir, &engine.Options{FS: vfs.NewMem()}); !errors.Is(err, engine.ErrCorrupt) {
		t.Errorf("what was written is restored: %v", err)
	}
	s.open()
	ix = s.load("a")
	wantItems(t, ix, want)

	ended, cancel := context.WithCancel(ctx)
	cancel()
	wantError(t, s.Backup(ended, new(bytes.Buffer)), context.Canceled)
	ended, cancel = context.WithCancel(ctx)
	w := &stalling{at: 200 << 10, reached: make(chan struct{}), open: make(chan struct{})}
	done := make(chan error)
	go func() { done <- s.Backup(ended, w) }()
	<-w.reached
	cancel()
	close(w.open)
	wantError(t, <-done, context.Canceled)
	wantItems(t, restored(t, backedUp(t, s.DB), s.keys).load("a"), want) // there may be another
}

// TestATakerThatFailsEndsTheBackupAndNothingElse, after any number of bytes.
func TestATakerThatFailsEndsTheBackupAndNothingElse(t *testing.T) {
	ctx := context.Background()
	defer engine.TailLimit(16 << 10)()
	s, ix, want := filled(t)
	whole := backedUp(t, s.DB)
	mine := errors.New("mine")
	rng := newRand(t)
	for at := 0; at < len(whole); at += 1 + rng.IntN(len(whole)/40) {
		err := s.Backup(ctx, &failingWriter{left: at, err: mine})
		wantError(t, err, mine)
	}
	wantError(t, s.Backup(ctx, &failingWriter{left: len(whole) - 1, err: mine}), mine)
	func() {
		defer func() { _ = recover() }()
		_ = s.Backup(ctx, panicking{})
	}()
	everyThird(t, ix, want)
	got(ix.Purge(ctx))(t)
	if n := s.Metrics().Indexes["a"].PendingBytes; n != 0 {
		t.Errorf("%d bytes are kept listed", n)
	}
	wantItems(t, restored(t, backedUp(t, s.DB), s.keys).load("a"), want)
}

type failingWriter struct {
	left int
	err  error
}

func (w *failingWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		return w.left, w.err
	}
	w.left -= len(b)
	return len(b), nil
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("taker") }
