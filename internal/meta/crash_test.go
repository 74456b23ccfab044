package meta

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/latchfs"
	"oubliette/internal/latchfs/failfs"
)

// whole keeps an image from being taken within a lock or a reuse: MemFS does either in
// two steps, and a clone that comes between them waits for the first and keeps the
// second waiting. taking is held while an image is taken.
type whole struct {
	*vfs.MemFS
	taking *sync.Mutex
}

func (fs whole) Lock(name string) (io.Closer, error) {
	fs.taking.Lock()
	defer fs.taking.Unlock()
	return fs.MemFS.Lock(name)
}

func (fs whole) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.taking.Lock()
	defer fs.taking.Unlock()
	return fs.MemFS.ReuseForWrite(oldname, newname, c)
}

// crasher takes images of a file system before its mutations.
type crasher struct {
	t     testing.TB
	mem   *vfs.MemFS
	rng   *rand.Rand
	every int // how many mutations there are to an image

	mu     sync.Mutex
	images []crashed
	tried  map[string]int
}

type crashed struct {
	fs   *vfs.MemFS
	what string
}

func (c *crasher) wrap() vfs.FS {
	return failfs.New(whole{c.mem, &c.mu}, func(n int, op, path string) failfs.Verdict {
		c.mu.Lock()
		defer c.mu.Unlock()
		identity := strings.HasSuffix(path, identityFile) && (op == "write" || op == "sync")
		if !identity && c.rng.IntN(c.every) > 0 {
			return failfs.Pass
		}
		percent := []int{0, 50, 100}[c.rng.IntN(3)]
		im := crashed{c.take(percent), fmt.Sprintf("before mutation %d, %s %s, %d %% kept", n, op, path, percent)}
		if identity && !strings.Contains(path, creating) {
			c.tear(im.fs, op)
		}
		c.images = append(c.images, im)
		c.tried[op]++
		return failfs.Pass
	})
}

// take makes an image that has some of the blocks, names and removals that were not
// synced. A CrashClone alone brings back all that was removed.
func (c *crasher) take(percent int) *vfs.MemFS {
	image := c.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
	now, err := c.mem.List(dir)
	if err != nil {
		return image // nothing is there yet
	}
	then, _ := image.List(dir)
	for _, name := range then {
		if !slices.Contains(now, name) && c.rng.IntN(100) < percent {
			c.tried["removal"]++
			if err := image.Remove(image.PathJoin(dir, name)); err != nil {
				c.t.Error(err)
			}
		}
	}
	return image
}

// tear spoils the slot of IDENTITY that is about to be written, or has been and is not
// synced: of that one a crash may leave anything.
func (c *crasher) tear(image *vfs.MemFS, op string) {
	path := image.PathJoin(dir, identityFile)
	b, err := newOwned(ordered{latchfs.New(c.mem, nil), true}, dir).readIdentity(path)
	if err != nil {
		c.t.Error(err)
	}
	live, err := decodeIdentity(path, b)
	if err != nil {
		c.t.Error(err)
	}
	if op == "write" {
		live.generation++
	}
	f, err := image.OpenReadWrite(path, "")
	if err == nil {
		_, err = f.WriteAt(noise(live.generation, slotSize), live.slot())
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		c.t.Error(err)
	}
}

// A crash at any moment, whatever it keeps of what was not synced — with logs that are
// used again, logs and manifests removed, and IDENTITY torn as it is written — leaves a
// database that opens, for reading as well, also when opening it crashes.
func TestWhateverACrashLeavesOpens(t *testing.T) {
	every := 12
	if testing.Short() {
		every = 40
	}
	c := &crasher{t: t, mem: vfs.NewCrashableMem(), rng: rand.New(rand.NewPCG(1, 3)), every: every, tried: make(map[string]int)}
	fs := c.wrap()
	db := mustOpen(t, fs, small)
	if r := commitAll(db, workload(50)); r.err != nil {
		t.Fatal(r.err)
	}
	mustClose(t, db)
	mustClose(t, mustOpen(t, fs, small))
	again := 0
	for _, im := range c.images {
		readImage(t, im)
		d := &crasher{t: t, mem: im.fs, rng: c.rng, every: 60, tried: c.tried}
		db, err := Open(d.wrap(), dir, small)
		if err != nil {
			t.Fatalf("%s: %v", im.what, err)
		}
		mustClose(t, db)
		for _, second := range d.images[:min(3, len(d.images))] {
			again++
			mustClose(t, mustOpenImage(t, second, im.what+", then "))
		}
	}
	t.Logf("%d images, %d of their recovery, %v", len(c.images), again, c.tried)
	for _, op := range []string{"write", "sync", "removal"} {
		if c.tried[op] == 0 {
			t.Errorf("no image with a %s", op)
		}
	}
}

// readImage opens an image for reading and reads all of it.
func readImage(t *testing.T, im crashed) {
	t.Helper()
	if names, err := im.fs.List(dir); err != nil || len(names) == 0 {
		return // none has been made yet
	}
	db, err := Open(im.fs, dir, Options{ReadOnly: true})
	if err == nil {
		_, err = contents(db)
		mustClose(t, db)
	}
	if err != nil {
		t.Fatalf("%s: read: %v", im.what, err)
	}
}

func mustOpenImage(t *testing.T, im crashed, before string) *DB {
	t.Helper()
	db, err := Open(im.fs, dir, small)
	if err != nil {
		t.Fatalf("%s%s: %v", before, im.what, err)
	}
	return db
}
