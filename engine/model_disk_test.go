package engine_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/internal/latchfs/failfs"
)

// modelDisk is the disk of a model's store. It takes an image, as a crash would leave
// it, before one mutation of one's choice.
type modelDisk struct {
	*failfs.FS
	mem *vfs.MemFS

	mu    sync.Mutex
	armed bool
	left  int // mutations until the image
	crash modelCrash
	image *vfs.MemFS
}

// modelCrash is what a crash keeps.
type modelCrash struct {
	percent int // of what has not been synced
	seed    uint64
}

func newModelDisk(mem *vfs.MemFS) *modelDisk {
	d := &modelDisk{mem: mem}
	d.FS = failfs.New(mem, func(_ int, op, _ string) failfs.Verdict {
		// Neither a close nor a stat changes what a crash leaves.
		if op != "close" && op != "preallocate" && !strings.HasPrefix(op, "stat") {
			d.before()
		}
		return failfs.Pass
	})
	return d
}

func (d *modelDisk) before() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.armed {
		return
	}
	if d.left--; d.left < 0 {
		d.image, d.armed = d.clone(d.crash), false
	}
}

// clone is what a crash now would leave.
func (d *modelDisk) clone(c modelCrash) *vfs.MemFS {
	return d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: rand.New(rand.NewPCG(c.seed, 7))})
}

// arm has an image taken after so many mutations; disarm answers it, or nil when
// there have not been as many.
func (d *modelDisk) arm(left int, c modelCrash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.left, d.crash, d.image = true, left, c, nil
}

func (d *modelDisk) disarm() *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = false
	return d.image
}

// Lock keeps images away: MemFS locks a file in two steps, and a clone between them
// would wait for the first and keep the second waiting.
func (d *modelDisk) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.FS.Lock(name)
}
