package engine_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"oubliette/engine"
	"oubliette/internal/latchfs/failfs"
	"oubliette/segment"
)

// What a change of epoch leaves when it is cut short: by a crash, by an I/O
// error, by calls in flight.

// epochChanges are all kinds, one after the other.
func epochChanges() []epochChange {
	return []epochChange{
		epochCreate(epochNew, engine.PermRead),
		epochDelete(epochReader),
		epochDelete(epochWriter),
		epochCreate(epochNew, engine.PermWrite), // takes reading away
		epochRotate(),
		epochDelete(epochBoth),
		epochRotate(),
	}
}

// epochSlots are the header slots that ever were: pieces of their sealed data
// keys, by the reader key that they were sealed to.
type epochSlots struct {
	mu    sync.Mutex
	known map[string]bool
	notes *crashNotes
}

func newEpochSlots() *epochSlots {
	return &epochSlots{known: make(map[string]bool), notes: newCrashNotes()}
}

// A header slot is: magic 8, version 2, index 16, segment 16, epoch 8, hash of
// the reader key 32, length 4, sealed data key.
const (
	epochSlotReader = 8 + 2 + 16 + 16 + 8
	epochSlotSealed = epochSlotReader + 32 + 4
	epochSlotMagic  = "OUBLSEG\x00"
)

// epochHeaders are the header slots of every segment file as they stand. A slot
// of zeros is nil.
func epochHeaders(fs vfs.FS) (map[string][2][]byte, error) {
	out := make(map[string][2][]byte)
	dirs, err := fs.List(storeDir + "/segments")
	if err != nil {
		return out, nil // not there yet
	}
	for _, dir := range dirs {
		names, _ := fs.List(storeDir + "/segments/" + dir)
		for _, name := range names {
			path := storeDir + "/segments/" + dir + "/" + name
			f, err := fs.Open(path)
			if err != nil {
				continue // removed meanwhile
			}
			b := make([]byte, segment.DataStart)
			n, _ := f.ReadAt(b, 0)
			if err := f.Close(); err != nil {
				return nil, err
			}
			var slots [2][]byte
			for i := range slots {
				if s := b[min(n, i*segment.HeaderSlotSize):min(n, (i+1)*segment.HeaderSlotSize)]; len(bytes.Trim(s, "\x00")) > 0 {
					slots[i] = s
				}
			}
			out[path] = slots
		}
	}
	return out, nil
}

func epochSealedTo(slot []byte) string {
	return hex.EncodeToString(slot[epochSlotReader : epochSlotReader+32])
}

// note notes the slots that stand in a file system now.
func (s *epochSlots) note(fs vfs.FS) error {
	headers, err := epochHeaders(fs)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slots := range headers {
		for _, b := range slots {
			if len(b) < segment.HeaderSlotSize || string(b[:8]) != epochSlotMagic || s.known[string(b[:1500])] {
				continue
			}
			s.known[string(b[:1500])] = true
			sealed := bytes.TrimRight(b[epochSlotSealed:segment.HeaderSlotSize-4], "\x00")
			s.notes.add(crashVersion{index: "slot", id: epochSealedTo(b)}, sealed)
		}
	}
	return nil
}

// onlyOf is an error unless no segment file has two header slots, all are sealed to
// the same reader key, and of no slot sealed to another there is a byte in any
// file. reader is that key; empty: any, but one of them.
func (s *epochSlots) onlyOf(fs vfs.FS, reader string) error {
	headers, err := epochHeaders(fs)
	if err != nil {
		return err
	}
	for path, slots := range headers {
		// A file on its way in or out may have none; that a living one has, the rows
		// that are read show.
		if slots[0] != nil && slots[1] != nil {
			return fmt.Errorf("%s: both of its header slots are in use", path)
		}
		for _, b := range slots {
			switch {
			case b == nil:
			case string(b[:8]) != epochSlotMagic: // torn, of a file on its way in
			case reader == "":
				reader = epochSealedTo(b)
			case epochSealedTo(b) != reader:
				return fmt.Errorf("%s: is sealed to reader key %.8s, the epoch's is %.8s", path, epochSealedTo(b), reader)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.notes.search(fs)
	for v, n := range found {
		if v.id != reader {
			return fmt.Errorf("%d pieces of header slots sealed to reader key %.8s are left, the epoch's is %.8s", n, v.id, reader)
		}
	}
	return err
}

// both counts the segment files with something in both header slots.
func epochHalfWay(fs vfs.FS) (n int) {
	headers, _ := epochHeaders(fs)
	for _, slots := range headers {
		if slots[0] != nil && slots[1] != nil {
			n++
		}
	}
	return n
}

// epochImage is a file system as a crash has left it, with what may be expected.
type epochImage struct {
	crashImage
	how     string
	who     *epochState
	whoNext *epochState // nil when no change of epoch was under way
	told    bool        // that something is left to the next Open
	second  int         // which change comes next, from 1 on; 0: any
}

func (im *epochImage) String() string {
	return fmt.Sprintf("crash before mutation %d (%s %s), %s, seed %d, during %q", im.point, im.op, im.path, im.how, im.seed, im.during)
}

// epochWant says what images to take before a mutation, while an epoch is being
// changed or not: how many of the usual kind, how many torn at sectors, and
// whether all tears of a header slot.
type epochWant func(point int, changing bool) (blocks, sectors int, slot bool)

func epochNever(int, bool) (int, int, bool) { return 0, 0, false }

// epochRecorder takes images before mutations.
type epochRecorder struct {
	mem   *vfs.MemFS
	slots *epochSlots // nil: none come that are not known
	want  epochWant
	seed  uint64
	// expect fills in what is to be expected.
	expect func(*epochImage)

	mu     sync.Mutex
	on     bool
	points int
	images []*epochImage
}

func (r *epochRecorder) wrap(fs vfs.FS) vfs.FS {
	return failfs.New(crashWhole{fs, &r.mu}, func(_ int, op, path string) failfs.Verdict {
		r.before(op, path)
		return failfs.Pass
	})
}

// count is how many mutations there have been.
func (r *epochRecorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.points
}

func (r *epochRecorder) before(op, path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if op == "close" || op == "preallocate" || strings.HasPrefix(op, "stat") {
		return
	}
	if r.slots != nil {
		if err := r.slots.note(r.mem); err != nil {
			panic(err) // memory fails no read
		}
	}
	if !r.on {
		return
	}
	var probe epochImage
	r.expect(&probe)
	blocks, sectors, slot := r.want(r.points, probe.whoNext != nil)
	rng := rand.New(rand.NewPCG(r.seed, uint64(r.points)))
	for range blocks {
		r.take(op, path, rng.Uint64(), false)
	}
	for range sectors {
		r.take(op, path, rng.Uint64(), true)
	}
	if slot && op == "sync" && strings.HasSuffix(path, ".seg") {
		for _, fs := range epochTornSlot(r.mem, path, rng) {
			r.keep(op, path, "header slot torn", r.seed, fs)
		}
	}
	r.points++
}

// take takes an image in a way that seed determines.
func (r *epochRecorder) take(op, path string, seed uint64, sectors bool) {
	rng := rand.New(rand.NewPCG(seed, 11))
	percent := []int{0, 0, 100, 20, 50, 80}[rng.IntN(6)]
	switch {
	case sectors:
		r.keep(op, path, fmt.Sprintf("%d%% kept, torn at sectors", percent), seed, epochTorn(r.mem, percent, rng))
	case rng.IntN(8) == 0:
		r.keep(op, path, "process killed", seed, crashKilled(r.mem))
	default:
		r.keep(op, path, fmt.Sprintf("%d%% of the unsynced kept", percent), seed,
			r.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}))
	}
}

func (r *epochRecorder) keep(op, path, how string, seed uint64, fs *vfs.MemFS) {
	im := &epochImage{how: how}
	im.crashImage = crashImage{fs: fs, point: r.points, op: op, path: path, seed: seed}
	r.expect(im)
	r.images = append(r.images, im)
}

// start begins to take images; stop ends it and answers them.
func (r *epochRecorder) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = true
}

func (r *epochRecorder) stop() []*epochImage {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.images
	r.on, r.images = false, nil
	return out
}

// epochSector is what a disk writes whole; vfs.MemFS tears at blocks of 4 KiB.
const epochSector = 512

// epochTorn is a crash after which of what was not synced in segments and log,
// each sector is there or not.
func epochTorn(live *vfs.MemFS, percent int, rng *rand.Rand) *vfs.MemFS {
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 7))}
	synced, full := live.CrashClone(vfs.CrashCloneCfg{}), live.CrashClone(all)
	out := live.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	for _, path := range crashNames(out, "/", nil) {
		if !strings.HasSuffix(path, ".seg") && !strings.HasSuffix(path, ".log") {
			continue
		}
		from, err1 := epochFile(synced, path)
		to, err2 := epochFile(full, path)
		if err1 != nil || err2 != nil || bytes.Equal(from, to) {
			continue // under another name in one of them
		}
		epochPut(out, path, epochMix(from, to, func(int) bool { return rng.IntN(2) == 0 }))
	}
	return out.CrashClone(all)
}

// epochMix is from with those sectors of to that keep names.
func epochMix(from, to []byte, keep func(sector int) bool) []byte {
	out := bytes.Clone(from)
	for i := 0; i*epochSector < len(to); i++ {
		at, end := i*epochSector, min((i+1)*epochSector, len(to))
		if (end <= len(from) && bytes.Equal(from[at:end], to[at:end])) || !keep(i) {
			continue
		}
		if len(out) < end {
			out = append(out, make([]byte, end-len(out))...)
		}
		copy(out[at:end], to[at:end])
	}
	return out
}

func epochFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		return nil, err
	}
	return b, nil
}

// epochPut replaces a file.
func epochPut(fs vfs.FS, path string, b []byte) {
	f, err := fs.Create(path, "test")
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		panic(err) // memory fails no write
	}
}

// epochTornSlot is a crash in each way in which a header that is not synced can
// be torn: any of its sectors that differ is there or not. The rest of what was
// not synced is not.
func epochTornSlot(live *vfs.MemFS, path string, rng *rand.Rand) (out []*vfs.MemFS) {
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 7))}
	synced, full := live.CrashClone(vfs.CrashCloneCfg{}), live.CrashClone(all)
	from, err1 := epochFile(synced, path)
	to, err2 := epochFile(full, path)
	if err1 != nil || err2 != nil || len(from) < segment.DataStart {
		return nil // a file that is being made
	}
	to = to[:segment.DataStart]
	var differ []int
	for at := 0; at < segment.DataStart; at += epochSector {
		if !bytes.Equal(from[at:at+epochSector], to[at:at+epochSector]) {
			differ = append(differ, at/epochSector)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	subsets := rng.Perm(1 << len(differ))
	if !crashLong() {
		subsets = subsets[:min(3, len(subsets))]
	}
	for _, subset := range subsets {
		fs := synced.CrashClone(all)
		epochPut(fs, path, epochMix(from, to, func(i int) bool {
			at := slices.Index(differ, i)
			return at >= 0 && subset&(1<<at) != 0
		}))
		out = append(out, fs.CrashClone(all))
	}
	return out
}

// epochWorld runs a workload with changes of epoch, and keeps what is to be
// expected beside it.
type epochWorld struct {
	*crashWorld
	er    *epochRecorder
	slots *epochSlots
	ever  []epochLogin // every key that ever opened something

	who, whoNext *epochState // guarded by er.mu
}

// newEpochWorld makes a store with one index of several segments and four users.
func newEpochWorld(t testing.TB, seed uint64, want epochWant) *epochWorld {
	mem := vfs.NewCrashableMem()
	rec, fs := newCrashRecorder(mem, seed, crashNever)
	w := &epochWorld{slots: newEpochSlots(), who: newEpochState()}
	w.er = &epochRecorder{mem: mem, slots: w.slots, want: want, seed: seed}
	w.er.expect = func(im *epochImage) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		im.now, im.next, im.during = rec.now.toAnybody(), rec.next.toAnybody(), rec.during // who is told apart by the epoch
		im.who, im.whoNext = w.who, w.whoNext
	}
	w.crashWorld = newCrashWorld(t, rec, w.er.wrap(fs))
	w.open()
	w.keys["a"] = w.who.root
	w.create("a")
	w.upsert("a", crashIDs("s", 0, 12)...)
	w.upsert("a", crashIDs("L", 0, 33)...)
	w.ever = w.who.logins()
	w.change(epochCreate(epochReader, engine.PermRead))
	w.change(epochCreate(epochWriter, engine.PermWrite))
	w.upsert("a", crashIDs("L", 33, 66)...)
	w.change(epochCreate(epochBoth, readWrite))
	w.change(epochCreate(epochStays, engine.PermRead))
	return w
}

// churn gives a change of epoch something to do: an open segment, deletes that
// are not applied, some that are applied and not erased at the last change.
func (w *epochWorld) churn(round int) {
	at := 3 * round
	w.upsert("a", crashIDs("L", at, at+22)...)
	w.delete("a", append(crashIDs("L", at+2, at+6), crashIDs("s", round, round+1)...)...)
	if round%2 == 0 {
		w.purge("a")
	}
	w.upsert("a", crashIDs("L", 60+at, 63+at)...)
	w.delete("a", crashIDs("L", at+8, at+10)...)
}

// change runs a change of epoch with images on; end is the moment at which it
// is acknowledged.
func (w *epochWorld) change(c epochChange) {
	w.t.Helper()
	next := c.next(w.who)
	items := w.rec.now.with("a", func(map[string]int) {})
	w.rec.begin(c.what, items)
	w.er.mu.Lock()
	w.whoNext = next
	w.er.mu.Unlock()
	if err := c.run(w.ix["a"], w.who, next); err != nil {
		w.t.Fatalf("%s: %v", c.what, err)
	}
	w.er.mu.Lock()
	w.rec.end(items)
	w.who, w.whoNext = next, nil
	w.er.mu.Unlock()
	w.er.before("sync", "after "+c.what)
	must(w.t, w.slots.note(w.rec.mem))
	headers, err := epochHeaders(w.rec.mem)
	must(w.t, err)
	for _, s := range headers {
		for _, b := range s {
			if b != nil {
				next.reader = epochSealedTo(b)
			}
		}
	}
	must(w.t, w.slots.onlyOf(w.rec.mem, next.reader))
	w.ever = append(w.ever, next.logins()...)
	w.keys["a"] = next.root
	w.ix["a"], err = w.db.LoadIndex(context.Background(), "a", engine.WithIndexKey(next.root))
	must(w.t, err)
	w.noteAll()
}

// epochVerifier holds images against what is expected.
type epochVerifier struct {
	slots *epochSlots
	notes *crashNotes
	ever  []epochLogin

	images, before, after, halfWay, torn, again, blind atomic.Int64
}

func (w *epochWorld) verifier() *epochVerifier {
	return &epochVerifier{slots: w.slots, notes: w.notes, ever: w.ever}
}

// all verifies images on both cores and reports the first few that do not fit.
func (v *epochVerifier) all(t *testing.T, images []*epochImage) {
	t.Helper()
	var wg sync.WaitGroup
	var failures atomic.Int64
	work := make(chan *epochImage)
	for range 2 {
		wg.Go(func() {
			for im := range work {
				if err := v.verify(im); err != nil && failures.Add(1) <= 5 {
					t.Errorf("%v:\n%v", im, err)
				}
				im.fs = nil // large
			}
		})
	}
	for _, im := range images {
		work <- im
	}
	close(work)
	wg.Wait()
	if n := failures.Load(); n > 0 {
		t.Errorf("%d of %d images do not fit", n, len(images))
	}
}

func (v *epochVerifier) log(t *testing.T) {
	t.Logf("%d images (%d torn at sectors): %d are in the epoch before, %d in the one after; %d had segments with two slots; a second change after %d, after %d of them with the first one's slots left",
		v.images.Load(), v.torn.Load(), v.before.Load(), v.after.Load(), v.halfWay.Load(), v.again.Load(), v.blind.Load())
}

// verify opens an image without a key, for reading only, and with keys. Then it
// changes the epoch once more; and in another clone at once, with a disk on which
// Open could not take away the slots of the first change.
func (v *epochVerifier) verify(im *epochImage) error {
	v.images.Add(1)
	if strings.Contains(im.how, "torn") {
		v.torn.Add(1)
	}
	if im.whoNext == nil && !im.told {
		if err := v.slots.onlyOf(im.fs, im.who.reader); err != nil {
			return fmt.Errorf("the change is acknowledged and nobody has opened the store since: %w", err)
		}
	}
	half := epochHalfWay(im.fs)
	raw := im.fs.CrashClone(vfs.CrashCloneCfg{})
	items := &crashVerifier{notes: v.notes}
	if err := items.keyless(&im.crashImage); err != nil {
		return fmt.Errorf("opened without a key: %w", err)
	}
	recovered := im.fs.CrashClone(vfs.CrashCloneCfg{}) // of a crash after that recovery
	is, err := v.reading(im, recovered)
	if err != nil {
		return fmt.Errorf("opened for reading only: %w", err)
	}
	if err := v.slots.onlyOf(recovered, is.reader); err != nil {
		return fmt.Errorf("after an Open without a key: %w", err)
	}
	if is == im.who {
		v.before.Add(1)
	} else {
		v.after.Add(1)
	}
	rng := rand.New(rand.NewPCG(im.seed, uint64(im.point)))
	if err := v.using(im, im.fs, is, rng); err != nil {
		return fmt.Errorf("opened with keys: %w", err)
	}
	if half > 0 {
		v.halfWay.Add(1)
		v.blind.Add(1)
		if err := v.blindly(im, raw, is, rng); err != nil {
			return fmt.Errorf("opened while slots could not be erased: %w", err)
		}
	}
	return nil
}

// reading opens an image for reading only and answers in which epoch it is.
func (v *epochVerifier) reading(im *epochImage, fs vfs.FS) (*epochState, error) {
	opts := crashOptions(fs)
	opts.ReadOnly = true
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return nil, err
	}
	is, err := v.which(im, db)
	if err == nil {
		err = v.shows(im, db, is)
	}
	return is, errors.Join(err, db.Close())
}

// which answers in which of the two epochs a store is.
func (v *epochVerifier) which(im *epochImage, db *engine.DB) (*epochState, error) {
	before := v.opens(db, im.who)
	if im.whoNext == nil {
		return im.who, before
	}
	after := v.opens(db, im.whoNext)
	switch {
	case before == nil && after == nil:
		return nil, errors.New("both epochs open")
	case before == nil:
		return im.who, nil
	case after == nil:
		return im.whoNext, nil
	}
	return nil, fmt.Errorf("neither the epoch before (%w) nor the one after (%w)", before, after)
}

// opens is nil when the keys of an epoch open the index, and of all others that
// ever did none.
func (v *epochVerifier) opens(db *engine.DB, who *epochState) error {
	for _, l := range append(who.logins(), v.ever...) {
		_, err := db.LoadIndex(context.Background(), "a", l.opts()...)
		switch has := who.has(l); {
		case has && err != nil:
			return fmt.Errorf("%v is shut out: %w", l, err)
		case !has && err == nil:
			return fmt.Errorf("a key of %v that is no more opens", l)
		case !has && !errors.Is(err, engine.ErrWrongKey):
			return fmt.Errorf("a key of %v that is no more: %w", l, err)
		}
	}
	return nil
}

// shows is nil when root and everybody who may read see every item, and others
// none.
func (v *epochVerifier) shows(im *epochImage, db *engine.DB, who *epochState) error {
	items := &crashVerifier{ever: crashRoots(map[string]engine.Key{"a": who.root}), notes: v.notes}
	is, err := items.compare(&im.crashImage, db)
	if err != nil {
		return err
	}
	im.now, im.next = is, nil // from here on it is this one
	for _, l := range who.logins() {
		if err := v.sees(db, l, is.indexes["a"]); err != nil {
			return fmt.Errorf("%v: %w", l, err)
		}
	}
	return nil
}

func (v *epochVerifier) sees(db *engine.DB, l epochLogin, want map[string]int) error {
	ctx := context.Background()
	ix, err := db.LoadIndex(ctx, "a", l.opts()...)
	if err != nil {
		return err
	}
	ids := slices.Collect(maps.Keys(want))
	items, err := ix.Get(ctx, ids, engine.AllFields)
	if l.perm&engine.PermRead == 0 {
		if !errors.Is(err, engine.ErrPermission) {
			return fmt.Errorf("Get answers %d items, %w", len(items), err)
		}
		return nil
	}
	if err != nil || len(items) != len(want) {
		return fmt.Errorf("Get answers %d items of %d: %w", len(items), len(want), err)
	}
	for _, it := range items {
		if !equal(it, crashItem(it.ID, want[it.ID])) {
			return fmt.Errorf("%q is %.60s, not version %d", it.ID, it.Metadata, want[it.ID])
		}
	}
	return nil
}

// using opens an image for writing, uses it, and begins another epoch.
func (v *epochVerifier) using(im *epochImage, fs *vfs.MemFS, is *epochState, rng *rand.Rand) error {
	opts := crashOptions(fs)
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return err
	}
	err = v.use(im, db, fs, is)
	if err == nil {
		is, err = v.change(im, db, is, rng)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return v.settled(im, fs, is)
}

// use compares, writes as whoever may, purges and searches.
func (v *epochVerifier) use(im *epochImage, db *engine.DB, fs *vfs.MemFS, is *epochState) error {
	if err := v.opens(db, is); err != nil {
		return err
	}
	if err := v.shows(im, db, is); err != nil {
		return err
	}
	for _, l := range is.logins() {
		ix, err := db.LoadIndex(context.Background(), "a", l.opts()...)
		if err != nil {
			return err
		}
		_, err = ix.Delete(context.Background(), []string{"nobody"})
		if may := l.perm&engine.PermWrite != 0; may && err != nil || !may && !errors.Is(err, engine.ErrPermission) {
			return fmt.Errorf("%v deletes: %w", l, err)
		}
	}
	items := &crashVerifier{ever: crashRoots(map[string]engine.Key{"a": is.root}), notes: v.notes}
	return items.afterPurge(db, fs, im.now)
}

// epochSeconds are the changes that are made after a crash.
var epochSeconds = []func() epochChange{
	epochRotate,
	func() epochChange { return epochCreate(epochNew+1, readWrite) },
	func() epochChange { return epochDelete(epochStays) },
	func() epochChange { return epochCreate(epochBoth, engine.PermWrite) },
}

// change begins another epoch and answers it.
func (v *epochVerifier) change(im *epochImage, db *engine.DB, is *epochState, rng *rand.Rand) (*epochState, error) {
	kind := rng.IntN(len(epochSeconds))
	if im.second > 0 {
		kind = im.second - 1
	}
	c := epochSeconds[kind]()
	v.again.Add(1)
	ix, err := db.LoadIndex(context.Background(), "a", engine.WithIndexKey(is.root))
	if err != nil {
		return nil, err
	}
	next := c.next(is)
	if err := c.run(ix, is, next); err != nil {
		return nil, fmt.Errorf("second change: %s: %w", c.what, err)
	}
	if err := errors.Join(v.opens(db, next), v.shows(im, db, next)); err != nil {
		return nil, fmt.Errorf("after a second change, %s: %w", c.what, err)
	}
	return next, nil
}

// settled opens a store that has been closed once more: one slot a segment, all
// sealed to one reader key, nothing of an older one.
func (v *epochVerifier) settled(im *epochImage, fs *vfs.MemFS, is *epochState) error {
	opts := crashOptions(fs)
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return err
	}
	err = errors.Join(v.opens(db, is), v.shows(im, db, is), db.Close())
	if err == nil {
		err = v.slots.onlyOf(fs, "")
	}
	if err == nil {
		err = v.notes.residue(fs, func(n crashVersion) bool { return !im.now.lives(n) })
	}
	if err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

// blindly opens an image on a disk that takes no write to a segment until Open
// is over, so that what the first change has left is still there, and begins
// another epoch.
func (v *epochVerifier) blindly(im *epochImage, fs *vfs.MemFS, is *epochState, rng *rand.Rand) error {
	in := &faultInjector{faultPlan: faultPlan{what: "no writes to segments", part: ".seg", err: syscall.EIO, sticky: true}}
	opts := crashOptions(errorfs.Wrap(fs, in))
	db, err := engine.Open(storeDir, &opts)
	if err != nil {
		return err
	}
	in.pause(1)
	if epochHalfWay(fs) == 0 {
		return errors.Join(errors.New("Open has erased slots all the same"), db.Close())
	}
	if err = errors.Join(v.opens(db, is), v.shows(im, db, is)); err == nil {
		is, err = v.change(im, db, is, rng)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	return v.settled(im, fs, is)
}

// recovery opens an image without a key, and with one, and takes images of that.
func (v *epochVerifier) recovery(im *epochImage, want epochWant) ([]*epochImage, int, error) {
	r := &epochRecorder{mem: im.fs, want: want, seed: im.seed, on: true}
	r.expect = func(again *epochImage) {
		again.now, again.next, again.during = im.now, im.next, "recovery of: "+im.String()
		again.who, again.whoNext = im.who, im.whoNext
	}
	opts := crashOptions(r.wrap(im.fs))
	db, err := engine.Open(storeDir, &opts)
	if err == nil {
		err = untilAKey(db.Close())
	}
	if err != nil {
		return nil, 0, err
	}
	if db, err = engine.Open(storeDir, &opts); err != nil {
		return nil, 0, err
	}
	is, err := v.which(im, db)
	if err == nil {
		var ix *engine.Index
		if ix, err = db.LoadIndex(context.Background(), "a", engine.WithIndexKey(is.root)); err == nil {
			_, err = ix.Purge(context.Background())
		}
	}
	err = errors.Join(err, db.Close())
	return r.stop(), r.count(), err
}

// TestEpochsChangeWholeOrNotAtAllAcrossCrash crashes every kind of change of
// epoch at its mutations, and the calls between: what was not synced is lost,
// kept, or kept in part, torn at blocks, at sectors, and a header slot in every
// way there is. After it the epoch before or the one after is there, whole; once
// the call has returned, the one after.
//
// It takes a sample; OUBLIETTE_LONG=1 takes every mutation of a change.
func TestEpochsChangeWholeOrNotAtAllAcrossCrash(t *testing.T) {
	rng := newRand(t)
	want := func(_ int, changing bool) (blocks, sectors int, slot bool) {
		switch n := rng.IntN(40); {
		case changing && n < 1 || n == 0 && rng.IntN(10) == 0:
			return 1, 0, false
		case changing && n < 2:
			return 0, 1, true
		}
		return 0, 0, false
	}
	if crashLong() {
		want = func(_ int, changing bool) (int, int, bool) {
			if changing {
				return 6, 3, true
			}
			return 1, 0, false
		}
	}
	w := newEpochWorld(t, rng.Uint64(), want)
	v := w.verifier()
	for round, c := range epochChanges() {
		w.er.start()
		w.churn(round)
		sealed, open, err := w.ix["a"].SegmentPaths(context.Background())
		must(t, err)
		m, points := w.db.Metrics().Indexes["a"], w.er.count()
		w.change(c)
		images := w.er.stop()
		t.Logf("%s: %d sealed segments, %d open, %d deletes to apply; %d mutations, %d images",
			c.what, len(sealed), len(open), m.Tombstones, w.er.count()-points, len(images))
		v.ever = w.ever
		v.all(t, images)
		if t.Failed() {
			break
		}
	}
	must(t, w.db.Close())
	v.log(t)
}

// TestRecoveryOfAnEpochMayCrash crashes changes of epoch, and crashes the stores
// again at the mutations of their recovery, without a key and with one.
//
// It takes a sample; OUBLIETTE_LONG=1 takes every mutation of the recoveries of
// 40 images.
func TestRecoveryOfAnEpochMayCrash(t *testing.T) {
	rng := newRand(t)
	first, second := 3, func(int, bool) (int, int, bool) { return rng.IntN(24) / 23, rng.IntN(24) / 23, false }
	if crashLong() {
		first, second = 40, func(int, bool) (int, int, bool) { return 1, 1, false }
	}
	w := newEpochWorld(t, rng.Uint64(), func(_ int, changing bool) (int, int, bool) {
		if !changing {
			return 0, 0, false
		}
		return 1, 0, true
	})
	v := w.verifier()
	points, images := 0, 0
	changes := []epochChange{epochDelete(epochReader), epochRotate(), epochDelete(epochBoth)}
	for round, c := range changes {
		w.churn(round)
		w.er.start()
		w.change(c)
		taken := w.er.stop()
		v.ever = w.ever
		rng.Shuffle(len(taken), func(i, k int) { taken[i], taken[k] = taken[k], taken[i] })
		// Those with more left to do come first.
		slices.SortStableFunc(taken, func(a, b *epochImage) int { return epochHalfWay(b.fs) - epochHalfWay(a.fs) })
		n := (first + len(changes) - 1) / len(changes)
		for i := range min(n, len(taken)) {
			im := taken[i*len(taken)/n]
			again, m, err := v.recovery(im, second)
			if err != nil {
				t.Fatalf("%v: recovery: %v", im, err)
			}
			points, images = points+m, images+len(again)
			v.all(t, again)
		}
	}
	must(t, w.db.Close())
	t.Logf("%d mutations of recoveries, %d images", points, images)
	v.log(t)
}

// TestAnyChangeOfEpochMayFollowACrashedOne crashes DeleteUserKeys at every header
// slot that it writes, and begins each kind of change in what is left: with the
// slots that Open has taken away, and with those that it could not. No segment is
// lost, least of all by CreateUserKeys, which seals none anew and makes an epoch
// of the number that stands in those slots.
func TestAnyChangeOfEpochMayFollowACrashedOne(t *testing.T) {
	rng := newRand(t)
	w := newEpochWorld(t, rng.Uint64(), func(_ int, changing bool) (int, int, bool) { return 0, 0, changing })
	w.churn(0)
	w.er.start()
	w.change(epochDelete(epochReader))
	images := slices.DeleteFunc(w.er.stop(), func(im *epochImage) bool { return epochHalfWay(im.fs) == 0 })
	must(t, w.db.Close())
	v := w.verifier()
	for i, im := range images {
		if !crashLong() && i%4 != rng.IntN(4) {
			continue
		}
		for kind := range epochSeconds {
			im.second = kind + 1
			clone := *im
			clone.fs = im.fs.CrashClone(vfs.CrashCloneCfg{})
			if err := v.verify(&clone); err != nil {
				t.Fatalf("%v, then %s:\n%v", im, epochSeconds[kind]().what, err)
			}
		}
	}
	v.log(t)
}

// epochFaultBase is a store that a process has left when it died, with sealed
// segments, an open one and deletes in its log, to be opened again and again.
type epochFaultBase struct {
	*epochWorld
	fs *vfs.MemFS
}

func newEpochFaultBase(t testing.TB, seed uint64) *epochFaultBase {
	w := newEpochWorld(t, seed, epochNever)
	w.churn(1)
	b := &epochFaultBase{epochWorld: w, fs: crashKilled(w.er.mem)}
	must(t, w.db.Close())
	return b
}

// epochFault is one change of epoch on a disk on which one call fails.
type epochFault struct {
	t       testing.TB
	in      *faultInjector
	c       epochChange
	mem     *vfs.MemFS
	db      *engine.DB
	v       *epochVerifier
	items   *crashModel
	from    *epochState
	to      *epochState
	err     error // what the change answered
	changed bool  // the epoch after it is known to be there
}

func (f *epochFault) errorf(format string, args ...any) {
	f.t.Helper()
	f.t.Errorf("%s, %v, call %d (%s), answered %v: %s", f.c.what, f.in, f.in.k, f.in.hasFired(), f.err, fmt.Sprintf(format, args...))
}

func (f *epochFault) timed(what string, run func() error) (err error) {
	crashTimed(f.t, 30*time.Second, fmt.Sprintf("%s, %v, call %d (%s): %s", f.c.what, f.in, f.in.k, f.in.hasFired(), what), func() { err = run() })
	return err
}

// run opens a copy of the base, writes and deletes, and lets the change meet the
// fault.
func (b *epochFaultBase) run(t testing.TB, c epochChange, plan faultPlan, k int) *epochFault {
	in := &faultInjector{faultPlan: plan, k: k, off: 1}
	f := &epochFault{t: t, in: in, c: c, mem: b.fs.CrashClone(vfs.CrashCloneCfg{}), from: b.who, to: c.next(b.who)}
	f.v = &epochVerifier{slots: b.slots, notes: b.notes, ever: append(slices.Clone(b.ever), f.to.logins()...)}
	opts := crashOptions(failfs.New(errorfs.Wrap(f.mem, in), in.verdict))
	db, err := engine.Open(storeDir, &opts)
	must(t, err)
	f.db = db
	ctx := context.Background()
	ix, err := db.LoadIndex(ctx, "a", engine.WithIndexKey(b.who.root))
	must(t, err)
	const version = 1000
	must(t, ix.Upsert(ctx, []engine.Item{crashItem("f1", version), crashItem("L64", version)}))
	rows, err := ix.SealedRows(ctx, []string{"f1"})
	must(t, err)
	b.notes.add(crashVersion{"a", "f1", version}, rows[0].Bytes)
	_, err = ix.Delete(ctx, []string{"f1", "L65"})
	must(t, err)
	f.items = b.rec.now.toAnybody().with("a", func(m map[string]int) {
		m["L64"] = version
		delete(m, "L65")
	})
	in.pause(-1)
	f.err = f.timed("the change", func() error { return c.run(ix, f.from, f.to) })
	in.pause(1)
	return f
}

// image is the store as it is, or as a crash would leave it.
func (f *epochFault) image(how string, fs *vfs.MemFS) *epochImage {
	im := &epochImage{how: how, who: f.from, whoNext: f.to, told: f.err != nil}
	im.crashImage = crashImage{fs: fs, now: f.items, during: f.c.what, seed: uint64(f.in.k)}
	if f.err == nil || f.changed {
		im.who, im.whoNext = f.to, nil
	}
	return im
}

// holds fails the test unless the store is as it should be after a crash now,
// and after a restart.
func (f *epochFault) holds(when string) {
	f.t.Helper()
	im := f.image("nothing unsynced kept", f.mem.CrashClone(vfs.CrashCloneCfg{}))
	if f.in.k%2 == 0 && when != "after the change" {
		im = f.image("process killed", crashKilled(f.mem))
	}
	if err := f.v.verify(im); err != nil {
		f.errorf("%s, %s: %v", when, im.how, err)
	}
}

// here finds out which epoch it is, in the store as it is open. A failure of the
// log is told by every write and makes no read wrong.
func (f *epochFault) here() (is *epochState) {
	f.t.Helper()
	im := f.image("open", f.mem)
	is, err := f.v.which(im, f.db)
	if err == nil && f.err != nil { // files that could not be destroyed are no surprise until then
		err = f.purges(is)
	}
	if err == nil {
		err = f.v.shows(im, f.db, is)
	}
	switch {
	case errors.Is(f.err, engine.ErrFailed) && errors.Is(err, engine.ErrFailed):
		return nil // not before it has been opened again
	case err != nil:
		f.errorf("afterwards: %v", err)
		return nil
	}
	f.changed = is == f.to && !errors.Is(f.err, engine.ErrFailed)
	return is
}

func (f *epochFault) purges(is *epochState) error {
	ix, err := f.db.LoadIndex(context.Background(), "a", engine.WithIndexKey(is.root))
	if err == nil {
		_, err = ix.Purge(context.Background())
	}
	if err == nil {
		err = f.v.notes.residue(f.mem, func(n crashVersion) bool { return !f.items.lives(n) })
	}
	return err
}

// again does the call once more on a good disk.
func (f *epochFault) again(is *epochState) {
	f.t.Helper()
	ix, err := f.db.LoadIndex(context.Background(), "a", engine.WithIndexKey(is.root))
	if err != nil {
		f.errorf("load: %v", err)
		return
	}
	err = f.timed("the change once more", func() error { return f.c.run(ix, f.from, f.to) })
	rotated := !f.from.root.Equal(f.to.root)
	switch {
	case is == f.to && rotated:
		if !errors.Is(err, engine.ErrWrongKey) { // it has been done
			f.errorf("again, after it was done: %v", err)
		}
		return
	case err != nil:
		f.errorf("again: %v", err)
		return
	}
	f.err, f.changed = nil, true
	if err := f.v.slots.onlyOf(f.mem, ""); err != nil {
		f.errorf("a second call answers no error: %v", err)
	}
	f.here()
}

// close closes the store. Without an error no byte of what is dead is left.
func (f *epochFault) close() {
	f.t.Helper()
	err := f.timed("Close", f.db.Close)
	pending := new(engine.PendingError)
	switch {
	case err == nil:
		if err := f.v.notes.residue(f.mem, func(n crashVersion) bool { return !f.items.lives(n) }); err != nil {
			f.errorf("Close answers no error: %v", err)
		}
	case errors.Is(f.err, engine.ErrFailed) && errors.Is(err, engine.ErrFailed):
	case f.err != nil && errors.As(err, &pending):
	default:
		f.errorf("Close: %v", err)
	}
}

// epochFaultPlans are the ways in which calls to the file system fail.
func epochFaultPlans() (out []faultPlan) {
	for _, part := range []string{"/segments", "/pebble"} {
		for _, plan := range faultMutations(part) {
			plan.what += " in " + part
			out = append(out, plan)
		}
		out = append(out, faultPlan{what: "failed read or open in " + part, part: part, reads: true, err: syscall.EIO})
	}
	return append(out, faultPlan{what: "failed reads and opens from then on", part: storeDir, reads: true, err: syscall.EIO, sticky: true})
}

// TestChangesOfEpochSurviveFailures fails each call to the file system during
// each change of epoch. The change may answer an error; the epoch is the one
// before or the one after, whole; nothing is lost, hangs or panics; Close does
// not say that all is erased when it is not; and the call done once more, on the
// store as it is or opened again, succeeds.
//
// It takes a sample; OUBLIETTE_LONG=1 takes every call.
func TestChangesOfEpochSurviveFailures(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	rng := newRand(t)
	changes := []epochChange{
		epochDelete(epochBoth), epochRotate(), epochCreate(epochNew, readWrite), epochCreate(epochReader, engine.PermWrite),
	}
	bases := make([]*epochFaultBase, len(changes))
	for i := range bases {
		bases[i] = newEpochFaultBase(t, rng.Uint64())
	}
	for _, plan := range epochFaultPlans() {
		t.Run(plan.what, func(t *testing.T) {
			only := rng.IntN(len(changes))
			for i, c := range changes {
				seed := rng.Uint64()
				if !crashLong() && i != only {
					continue
				}
				t.Run(c.what, func(t *testing.T) {
					t.Parallel()
					bases[i].sweep(t, c, plan, rand.New(rand.NewPCG(seed, 5)))
				})
			}
		})
	}
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
}

// sweep fails one call after the other until none fails any more.
func (b *epochFaultBase) sweep(t *testing.T, c epochChange, plan faultPlan, rng *rand.Rand) {
	runs, errs, done := 0, 0, 0
	for k := 0; !t.Failed(); k++ {
		if !crashLong() {
			k += rng.IntN(300)
		}
		f := b.run(t, c, plan, k)
		if f.err != nil {
			errs++
		}
		fired := f.in.hasFired() != ""
		f.check(rng.IntN(2) == 0)
		if runs++; f.err == nil || f.changed {
			done++
		}
		if !fired {
			break
		}
	}
	t.Logf("%d runs, %d answered an error; known to be done in the end: %d", runs, errs, done)
}

// check holds what a change that met a fault has left against what is expected.
func (f *epochFault) check(retry bool) {
	f.t.Helper()
	if f.in.hasFired() == "" && f.err != nil {
		f.errorf("without any fault")
	}
	if f.err == nil {
		if err := f.v.slots.onlyOf(f.mem, ""); err != nil {
			f.errorf("no error, and %v", err)
		}
	}
	f.holds("after the change")
	if retry { // else Close comes at once
		is := f.here()
		if is != nil && f.err != nil && !errors.Is(f.err, engine.ErrFailed) {
			f.again(is)
			f.holds("after another")
		}
	}
	f.close()
	f.holds("after Close")
}

// epochGuest is a user who is let in and taken out again: a call that begins when
// it is out, or that ends before it is in, does nothing.
type epochGuest struct {
	login epochLogin
	ix    *engine.Index
	state atomic.Int32 // guestIn, guestLeaves, guestOut
}

const (
	guestIn, guestLeaves, guestOut = 0, 1, 2
)

// call does one call as the guest and holds its answer against what it may.
func (g *epochGuest) call(db *engine.DB, rng *rand.Rand, keyless *engine.Index) error {
	ops := operations()
	op := ops[rng.IntN(len(ops))]
	if op.name == "Compact" {
		return nil // of a segment that scans hold: others do it
	}
	before := g.state.Load()
	var err error
	switch rng.IntN(3) {
	case 0:
		err = op.run(g.ix)
	case 1:
		err = op.run(keyless, g.login.opts()...)
	case 2:
		var ix *engine.Index
		if ix, err = db.LoadIndex(context.Background(), "a", g.login.opts()...); err == nil {
			err = op.run(ix)
		}
	}
	after := g.state.Load()
	need := engine.PermRead
	switch {
	case op.name == "Check" || op.name == "Status":
		need = 0
	case op.writes:
		need = engine.PermWrite
	}
	switch {
	case before == guestOut && !errors.Is(err, engine.ErrWrongKey):
		return fmt.Errorf("%s of a user who is out: %w", op.name, err)
	case errors.Is(err, engine.ErrWrongKey) && after != guestIn:
	case g.login.perm&need != need && errors.Is(err, engine.ErrPermission):
	case g.login.perm&need == need && err == nil:
	default:
		return fmt.Errorf("%s of %v who may %d (state %d, then %d): %w", op.name, g.login, g.login.perm, before, after, err)
	}
	return nil
}

// epochRoot is root's key while it is rotated: a call with a key that was right
// when the call began, and when it ended, is not refused.
type epochRoot struct {
	mu       sync.Mutex
	key      engine.Key
	rotation int // odd while one is under way
}

func (r *epochRoot) now() (engine.Key, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.key, r.rotation
}

func (r *epochRoot) call(run func(...engine.OpOption) error) error {
	key, before := r.now()
	err := run(engine.WithIndexKey(key))
	if _, after := r.now(); errors.Is(err, engine.ErrWrongKey) && (before != after || before%2 == 1) {
		return nil
	}
	return err
}

func (r *epochRoot) rotate(ix *engine.Index) error {
	next := engine.NewKey()
	r.mu.Lock()
	r.rotation++
	old := r.key
	r.mu.Unlock()
	err := ix.RotateKey(context.Background(), old, next)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rotation++; err == nil {
		r.key = next
	}
	return err
}

// epochCrowd is root and users at work while epochs change.
type epochCrowd struct {
	*store
	t       *testing.T
	seed    *rand.Rand
	keyless *engine.Index
	root    epochRoot
	guest   atomic.Pointer[epochGuest]
	stop    atomic.Bool
	wg      sync.WaitGroup
	calls   atomic.Int64
	changes int
	living  map[string]engine.Item // throughout
	mayEnd  func(error) bool       // errors that end a worker
}

func newEpochCrowd(t *testing.T, seed *rand.Rand) *epochCrowd {
	c := &epochCrowd{store: newStore(t, small, within(50*time.Millisecond)), t: t, seed: seed, living: byID(makeItems("lives", 150)...)}
	ix := c.create("a")
	c.root.key = c.keys["a"]
	must(t, ix.Upsert(context.Background(), makeItems("lives", 150)))
	must(t, ix.Upsert(context.Background(), makeItems("k", 3))) // what operations() are about
	c.keyless = got(c.LoadIndex(context.Background(), "a"))(t)
	c.mayEnd = func(error) bool { return false }
	return c
}

// user lets a user in and answers a handle of it.
func (c *epochCrowd) user(n byte, perm engine.Permission) (*engine.Index, epochLogin) {
	c.t.Helper()
	l := epochLogin{userID(n), engine.NewKey(), perm}
	must(c.t, c.keyless.CreateUserKeys(context.Background(), l.user, l.key, perm, c.root.key))
	return got(c.LoadIndex(context.Background(), "a", l.opts()...))(c.t), l
}

// work runs one worker's steps until the crowd stops.
func (c *epochCrowd) work(who string, step func(rng *rand.Rand) error) {
	rng := rand.New(rand.NewPCG(c.seed.Uint64(), 1))
	c.wg.Go(func() {
		for !c.stop.Load() {
			err := step(rng)
			if c.calls.Add(1); err != nil {
				if !c.mayEnd(err) {
					c.t.Errorf("%s: %v", who, err)
				}
				return
			}
		}
	})
}

// scan yields every item that lives throughout exactly once, as it is.
func (c *epochCrowd) scan(ix *engine.Index, opts ...engine.OpOption) error {
	seen := make(map[string]int)
	for it, err := range ix.Items(context.Background(), engine.AllFields, opts...) {
		if err != nil {
			return err
		}
		if want, ok := c.living[it.ID]; ok && !equal(it, want) {
			return fmt.Errorf("scan: %q is %.60s", it.ID, it.Metadata)
		}
		if seen[it.ID]++; seen[it.ID] > 1 {
			return fmt.Errorf("scan: %q comes %d times", it.ID, seen[it.ID])
		}
	}
	for id := range c.living {
		if seen[id] == 0 {
			return fmt.Errorf("scan misses %q", id)
		}
	}
	return nil
}

// reader reads what lives throughout, and is refused what it may not.
func (c *epochCrowd) reader(ix *engine.Index) func(*rand.Rand) error {
	return func(rng *rand.Rand) error {
		ctx := context.Background()
		switch rng.IntN(4) {
		case 0:
			return c.scan(ix)
		case 1:
			if _, err := ix.Delete(ctx, []string{"lives0"}); !errors.Is(err, engine.ErrPermission) {
				return fmt.Errorf("a reader deletes: %w", err)
			}
			return nil
		case 2:
			n, err := ix.Count(ctx)
			if err == nil && n < len(c.living) {
				err = fmt.Errorf("count is %d", n)
			}
			return err
		}
		id := fmt.Sprint("lives", rng.IntN(len(c.living)))
		items, err := ix.Get(ctx, []string{id}, engine.AllFields)
		if err == nil && (len(items) != 1 || !equal(items[0], c.living[id])) {
			err = fmt.Errorf("get of %q: %d items", id, len(items))
		}
		return err
	}
}

// writer upserts and deletes items of its own without being able to read them;
// look, somebody else's handle, has to show none that is deleted.
func (c *epochCrowd) writer(name string, ix, look *engine.Index, notes *crashNotes, dead map[string]bool) func(*rand.Rand) error {
	version := 0
	return func(rng *rand.Rand) error {
		ctx := context.Background()
		version++
		id := fmt.Sprint(name, version)
		if err := ix.Upsert(ctx, []engine.Item{makeItem(id, 1)}); err != nil {
			return err
		}
		rows, err := look.SealedRows(ctx, []string{id})
		if err != nil {
			return nil // a rewrite has moved it between look-up and reading
		}
		notes.add(crashVersion{index: "a", id: id}, rows[0].Bytes)
		if rng.IntN(2) == 0 {
			return nil // it lives on
		}
		if _, err := ix.Delete(ctx, []string{id}); err != nil {
			return err
		}
		dead[id] = true
		if items, err := look.Get(ctx, []string{id}, engine.AllFields); err != nil || len(items) > 0 {
			return fmt.Errorf("%q is deleted, Get answers %d items: %w", id, len(items), err)
		}
		if _, err := ix.Get(ctx, []string{id}, 0); !errors.Is(err, engine.ErrPermission) {
			return fmt.Errorf("a writer reads: %w", err)
		}
		if rng.IntN(8) == 0 {
			_, err = ix.Purge(ctx)
		}
		return err
	}
}

// asRoot does what root does, with its key on each call.
func (c *epochCrowd) asRoot(rng *rand.Rand) error {
	ctx := context.Background()
	return c.root.call(func(o ...engine.OpOption) (err error) {
		switch rng.IntN(5) {
		case 0:
			_, err = c.keyless.Purge(ctx, o...)
		case 1:
			return c.scan(c.keyless, o...)
		case 2:
			err = c.keyless.Compact(ctx, o...)
		case 3:
			_, err = c.keyless.Check(ctx, o...)
		case 4:
			key, _ := c.root.now()
			_, err = c.keyless.ListUserKeys(ctx, key)
		}
		return err
	})
}

// asGuest does calls as a user who comes and goes.
func (c *epochCrowd) asGuest(rng *rand.Rand) error {
	g := c.guest.Load()
	if g == nil {
		time.Sleep(time.Millisecond)
		return nil
	}
	return g.call(c.DB, rng, c.keyless)
}

// change does one change of epoch.
func (c *epochCrowd) change(rng *rand.Rand) error {
	ctx := context.Background()
	key, _ := c.root.now()
	g := c.guest.Load()
	c.changes++
	switch {
	case rng.IntN(3) == 0:
		return c.root.rotate(c.keyless)
	case g != nil && g.state.Load() == guestIn && rng.IntN(4) > 0:
		g.state.Store(guestLeaves)
		err := c.keyless.DeleteUserKeys(ctx, g.login.user, key)
		if err == nil {
			g.state.Store(guestOut)
		}
		return err
	}
	// A new one, or one with another key in its place.
	next := &epochGuest{login: epochLogin{userID(77), engine.NewKey(), engine.Permission(1 + rng.IntN(3))}}
	if g != nil {
		g.state.CompareAndSwap(guestIn, guestLeaves)
	}
	err := c.keyless.CreateUserKeys(ctx, next.login.user, next.login.key, next.login.perm, key)
	if err != nil {
		return err
	}
	if g != nil {
		g.state.Store(guestOut)
	}
	if next.ix, err = c.LoadIndex(ctx, "a", next.login.opts()...); err == nil {
		c.guest.Store(next)
	}
	return err
}

// TestCallsGoOnWhileEpochsChange lets root and users read, write, scan and purge
// while users come and go and root's key is rotated. No call is refused what it
// may do, nothing is lost or comes back, a scan shows what lives throughout
// exactly once, and who has been taken out gets ErrWrongKey from then on.
//
// It runs for three seconds, with OUBLIETTE_LONG=1 for two minutes.
func TestCallsGoOnWhileEpochsChange(t *testing.T) {
	rng := newRand(t)
	c := newEpochCrowd(t, rng)
	r, _ := c.user(1, engine.PermRead)
	w, _ := c.user(2, engine.PermWrite)
	var owners []*owner
	for i := range 2 {
		ix, _ := c.user(byte(10+i), readWrite)
		o := &owner{t: t, ix: ix, name: i, r: rand.New(rand.NewPCG(rng.Uint64(), 1)), want: make(map[string]engine.Item)}
		owners = append(owners, o)
		c.work(fmt.Sprint("owner ", i), func(rng *rand.Rand) error {
			if rng.IntN(25) == 0 {
				return o.scan()
			}
			return o.step()
		})
	}
	notes, dead := newCrashNotes(), make(map[string]bool)
	c.work("reader", c.reader(r))
	c.work("writer", c.writer("w", w, r, notes, dead))
	c.work("root", c.asRoot)
	c.work("guest", c.asGuest)
	c.work("guest", c.asGuest)
	end := time.Now().Add(3 * time.Second)
	if crashLong() {
		end = time.Now().Add(2 * time.Minute)
	}
	for time.Now().Before(end) && !t.Failed() {
		if err := c.change(rng); err != nil {
			t.Errorf("change: %v", err)
		}
		time.Sleep(time.Duration(rng.IntN(10)) * time.Millisecond)
	}
	c.stop.Store(true)
	crashTimed(t, time.Minute, "the crowd", c.wg.Wait)
	c.keys["a"], _ = c.root.now()
	ix := c.load("a")
	all := collect(t, ix)
	for _, o := range owners {
		for k := range 60 {
			want, lives := o.want[o.id(k)]
			if have, ok := all[o.id(k)]; ok != lives || ok && !equal(have, want) {
				t.Errorf("%q: is there: %v, should be: %v", o.id(k), ok, lives)
			}
		}
	}
	for id := range dead {
		if _, ok := all[id]; ok {
			t.Errorf("%q is back", id)
		}
	}
	got(ix.Purge(context.Background()))(t)
	must(t, notes.residue(c.fs, func(v crashVersion) bool { return dead[v.id] }))
	t.Logf("%d calls, %d changes of epoch, %d items deleted and searched for", c.calls.Load(), c.changes, len(dead))
	c.reopen()
	if again := collect(t, c.load("a")); !maps.EqualFunc(all, again, equal) {
		t.Errorf("%d items, %d after the store has been opened again", len(all), len(again))
	}
}

// TestCloseAndDeleteIndexDuringAChangeOfEpoch closes the store, or deletes the
// index, while epochs change and calls are under way.
//
// It does so 12 times, with OUBLIETTE_LONG=1 300 times.
func TestCloseAndDeleteIndexDuringAChangeOfEpoch(t *testing.T) {
	rng := newRand(t)
	rounds := 12
	if crashLong() {
		rounds = 300
	}
	for round := 0; round < rounds && !t.Failed(); round++ {
		epochEnds(t, rng, round%2 == 1)
	}
}

func epochEnds(t *testing.T, rng *rand.Rand, drop bool) {
	ctx := context.Background()
	c := newEpochCrowd(t, rng)
	gone := engine.ErrClosed
	if drop {
		gone = engine.ErrIndexNotFound
	}
	c.mayEnd = func(err error) bool { return errors.Is(err, gone) }
	r, _ := c.user(1, engine.PermRead)
	w, l := c.user(2, engine.PermWrite)
	c.work("reader", c.reader(r))
	c.work("writer", c.writer("w", w, r, newCrashNotes(), make(map[string]bool)))
	c.work("root", c.asRoot)
	changing := rand.New(rand.NewPCG(rng.Uint64(), 2))
	c.wg.Go(func() {
		for {
			switch err := c.change(changing); {
			case errors.Is(err, gone):
				return
			case err != nil:
				t.Errorf("change: %v", err)
				return
			}
		}
	})
	time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
	crashTimed(t, time.Minute, "the end", func() {
		if !drop {
			c.close()
			return
		}
		err := error(engine.ErrWrongKey)
		for errors.Is(err, engine.ErrWrongKey) { // rotated meanwhile
			key, _ := c.root.now()
			err = c.DeleteIndex(ctx, "a", key)
		}
		if err != nil {
			t.Errorf("DeleteIndex: %v", err)
		}
	})
	crashTimed(t, time.Minute, "the crowd", c.wg.Wait)
	for _, ix := range []*engine.Index{r, w} {
		if _, err := ix.Check(ctx); !errors.Is(err, gone) {
			t.Errorf("a handle afterwards: %v", err)
		}
	}
	c.keys["a"], _ = c.root.now()
	if drop {
		left := crashNames(c.fs.(*vfs.MemFS), storeDir+"/segments", nil)
		if names := got(c.ListIndexes())(t); len(names)+len(left) > 0 {
			t.Errorf("indexes %v, files %v", names, left)
		}
		c.close()
		return
	}
	c.open()
	ix := c.load("a")
	must(t, c.scan(ix))
	got(got(c.LoadIndex(ctx, "a", l.opts()...))(t).Delete(ctx, []string{"nobody"}))(t)
	c.check("a", c.keys["a"])
	c.close()
}
