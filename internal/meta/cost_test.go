package meta

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/latchfs/failfs"
)

// warnings counts what is logged at level Warn or above.
type warnings struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Level >= slog.LevelWarn {
		w.lines = append(w.lines, r.Message)
	}
	return nil
}

// TestTheLargestGroupsDoNotWaitForAFlush: with every flush held up, groups of
// 24 MiB are committed into a third memtable and beyond.
func TestTheLargestGroupsDoNotWaitForAFlush(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 300 MiB")
	}
	hold, held := make(chan struct{}), make(chan struct{}, 100)
	fs := failfs.New(vfs.NewMem(), func(_ int, op, path string) failfs.Verdict {
		if op == "create" && strings.HasSuffix(path, ".sst") {
			held <- struct{}{}
			<-hold
		}
		return failfs.Pass
	})
	w := &warnings{}
	db := mustOpen(t, fs, Options{Logger: slog.New(w)})
	value := bytes.Repeat([]byte("a group"), 24<<20/7)
	within(t, limit, "a commit", func() {
		for i := range 6 {
			set(t, db, fmt.Sprint("w", i), string(value))
		}
		<-held // a flush has begun
	})
	close(hold)
	mustClose(t, db)
	if len(w.lines) > 0 {
		t.Errorf("logged %q", w.lines)
	}
}

func TestNothingIsCompressed(t *testing.T) {
	o := Options{}.pebble(newOwned(ordered{}, ""), Options{}.logger())
	defer o.Cache.Unref()
	o.EnsureDefaults()
	for i, l := range o.Levels {
		if name := l.Compression().Name; name != pebble.DBCompressionNone.Name {
			t.Errorf("level %d: %s", i, name)
		}
	}
}

func TestCommitLazyDoesNotSync(t *testing.T) {
	var mu sync.Mutex
	syncs := 0
	fs := failfs.New(vfs.NewMem(), func(_ int, op, path string) failfs.Verdict {
		mu.Lock()
		defer mu.Unlock()
		if op == "sync" && strings.HasSuffix(path, ".log") {
			syncs++
		}
		return failfs.Pass
	})
	count := func(commit func(*DB, *Batch) error) int {
		db := mustOpen(t, fs, Options{})
		defer mustClose(t, db)
		mu.Lock()
		before := syncs
		mu.Unlock()
		for i := range 10 {
			b := db.NewBatch()
			b.Set([]byte{byte(i)}, []byte("v"))
			if err := commit(db, b); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return syncs - before
	}
	if n := count((*DB).Commit); n != 10 {
		t.Errorf("Commit: %d syncs of 10", n)
	}
	if n := count((*DB).CommitLazy); n != 0 {
		t.Errorf("CommitLazy: %d syncs", n)
	}
}

// BenchmarkCommit prints what a small synced commit costs on the file system of
// the temporary directory, and one that is not synced.
func BenchmarkCommit(b *testing.B) {
	for name, commit := range map[string]func(*DB, *Batch) error{"sync": (*DB).Commit, "lazy": (*DB).CommitLazy} {
		b.Run(name, func(b *testing.B) {
			db, err := Open(vfs.Default, b.TempDir()+"/pebble", Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer mustClose(b, db)
			value := noise(1, 200)
			for i := 0; b.Loop(); i++ {
				batch := db.NewBatch()
				batch.Set(fmt.Appendf(nil, "w%08d", i), value)
				if err := commit(db, batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
