package engine_test

import (
	"bytes"
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// gateWatch is a file system that tells of every change in place of a segment file:
// zeros written, and the file's removal.
type gateWatch struct {
	vfs.FS
	changed func(what string)
}

func (w *gateWatch) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := w.FS.OpenReadWrite(name, c, opts...)
	if err != nil || !strings.HasSuffix(name, ".seg") {
		return f, err
	}
	return &gateWatchFile{f, w, name}, nil
}

func (w *gateWatch) Remove(name string) error {
	if strings.HasSuffix(name, ".seg") {
		w.changed("removal of " + name)
	}
	return w.FS.Remove(name)
}

type gateWatchFile struct {
	vfs.File
	fs   *gateWatch
	path string
}

func (f *gateWatchFile) WriteAt(p []byte, off int64) (int, error) {
	if len(bytes.Trim(p, "\x00")) == 0 {
		f.fs.changed("zeros into " + f.path)
	}
	return f.File.WriteAt(p, off)
}

// Whatever is overwritten in place, or destroyed, holds the gate that a backup's last
// step closes: the rows of a purge, the files of a rewrite, the header slots of an
// epoch that is over, and the files of an index that is deleted.
func TestEveryChangeInPlaceHoldsTheGate(t *testing.T) {
	ctx := context.Background()
	var db atomic.Pointer[engine.DB]
	var changes atomic.Int64
	s := newStore(t, func(o *engine.Options) {
		o.FS = &gateWatch{FS: o.FS, changed: func(what string) {
			if db := db.Load(); db != nil {
				if changes.Add(1); engine.GateIsFree(db) {
					t.Errorf("the gate is free at %s", what)
				}
			}
		}}
	})
	some := func(what string) {
		t.Helper()
		if changes.Swap(0) == 0 {
			t.Errorf("%s changes nothing in place", what)
		}
	}
	ix := s.create("a")
	must(t, ix.Upsert(ctx, makeItems("k", 20)))
	must(t, ix.Roll(ctx))
	must(t, ix.SealNow(ctx))
	db.Store(s.DB) // Open finishes erasures before there can be a backup
	got(ix.Delete(ctx, []string{"k1", "k2"}))(t)
	got(ix.Purge(ctx))(t)
	some("Purge")
	must(t, ix.Compact(ctx))
	some("Compact")
	key := engine.NewKey()
	must(t, ix.RotateKey(ctx, s.keys["a"], key))
	s.keys["a"] = key
	some("RotateKey")
	must(t, s.DeleteIndex(ctx, "a", key))
	some("DeleteIndex")
}
