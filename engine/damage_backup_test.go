package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
	"oubliette/internal/archive"
)

// damageStream is a backup of a scene.
func damageStream(t testing.TB, sc *damageScene) []byte {
	t.Helper()
	opts := engine.Options{FS: sc.disk(t, nil), ReadOnly: true}
	db := got(engine.Open(storeDir, &opts))(t)
	defer db.Close()
	var b bytes.Buffer
	must(t, db.Backup(context.Background(), &b))
	return b.Bytes()
}

// restoredStream restores a stream on a disk of its own.
func restoredStream(t testing.TB, stream []byte) (*vfs.MemFS, error) {
	t.Helper()
	disk := vfs.NewMem()
	return disk, engine.RestoreWith(context.Background(), bytes.NewReader(stream), storeDir, &engine.Options{FS: disk})
}

// refused is what is wrong with how a stream was refused: the error has to say where
// in it, and nothing may be left.
func refused(disk vfs.FS, err error) error {
	var c *engine.CorruptionError
	if !errors.As(err, &c) || c.Path != archive.Name || c.Err == nil || errors.Is(err, engine.ErrFailed) {
		return fmt.Errorf("the error is %w", err)
	}
	if names, _ := disk.List("/"); len(names) > 0 {
		return fmt.Errorf("%q is left", names)
	}
	return nil
}

// Whatever bit of a backup is flipped, and wherever it is cut, Restore refuses it,
// says where, and leaves no store and nothing of one. Another file is no backup.
//
// With OUBLIETTE_LONG every byte and every length, else a sample.
func TestADamagedBackupIsRefused(t *testing.T) {
	s := newDamageSweep(t)
	sc := newDamageScenes(t, false)[1]
	stream := damageStream(t, sc)
	disk, err := restoredStream(t, stream)
	must(t, err)
	tr := sc.trialOn(t, disk, damage{op: damageCut, path: storeDir + "/FORMAT", at: 18}, damageRead)
	if len(tr.told) > 0 || tr.lost() {
		t.Errorf("undamaged: lost: %v, told: %v", tr.lost(), tr.told)
	}
	step := func(i int) int { return i + 1 }
	if !crashLong() {
		step = func(i int) int { return i + 1 + s.rng.IntN(len(stream)/100) }
	}
	flips, cuts, others := 0, 0, 0
	limited := func(what string, b []byte, counts *int) {
		before := allocated()
		crashTimed(t, damageLimit, what, func() { disk, err = restoredStream(t, b) })
		if n := allocated() - before; n > damageRoom {
			t.Errorf("%s: %d bytes were allocated", what, n)
		}
		if wrong := refused(disk, err); wrong != nil {
			t.Errorf("%s: %v", what, wrong)
		}
		*counts++
	}
	for at := step(-1); at < len(stream) && !t.Failed(); at = step(at) {
		b := bytes.Clone(stream)
		b[at] ^= 1 << s.rng.IntN(8)
		limited(fmt.Sprintf("byte %d of %d", at, len(b)), b, &flips)
		limited(fmt.Sprintf("cut at %d of %d", at, len(b)), stream[:at], &cuts)
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, engine.ErrForeign) {
			t.Errorf("cut at %d: %v", at, err)
		}
	}
	for path, b := range sc.files {
		limited(strings.TrimPrefix(path, storeDir), b, &others)
		if len(b) > 8 && !errors.Is(err, engine.ErrForeign) {
			t.Errorf("%s: %v", path, err)
		}
	}
	t.Logf("%d flips, %d cuts and %d other files in place of a backup of %d bytes, all refused", flips, cuts, others, len(stream))
}
