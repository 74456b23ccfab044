package main

import (
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// opened are the ways to get a file that can be written.
var opened = map[string]func(fs vfs.FS, dir string) (vfs.File, error){
	"Create": func(fs vfs.FS, dir string) (vfs.File, error) {
		return fs.Create(filepath.Join(dir, "made"), vfs.WriteCategoryUnspecified)
	},
	"OpenReadWrite": func(fs vfs.FS, dir string) (vfs.File, error) {
		return fs.OpenReadWrite(filepath.Join(dir, "opened"), vfs.WriteCategoryUnspecified)
	},
	"ReuseForWrite": func(fs vfs.FS, dir string) (vfs.File, error) {
		f, err := vfs.Default.Create(filepath.Join(dir, "old"), vfs.WriteCategoryUnspecified)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
		return fs.ReuseForWrite(filepath.Join(dir, "old"), filepath.Join(dir, "reused"), vfs.WriteCategoryUnspecified)
	},
}

func TestCountsEveryByteWrittenAndEverySync(t *testing.T) {
	for name, open := range opened {
		t.Run(name, func(t *testing.T) {
			fs := newCountFS(vfs.Default)
			f, err := open(fs, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Write(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
			began := fs.tally()
			if _, err := f.WriteAt(make([]byte, 23), 50); err != nil {
				t.Fatal(err)
			}
			if err := f.SyncData(); err != nil {
				t.Fatal(err)
			}
			if got, want := fs.tally(), (tally{123, 2}); got != want {
				t.Errorf("counted %+v, want %+v", got, want)
			}
			if got, want := fs.since(began), (tally{23, 1}); got != want {
				t.Errorf("since the tally %+v, want %+v", got, want)
			}
		})
	}
}

func TestCountsSyncsOfFolders(t *testing.T) {
	fs := newCountFS(vfs.Default)
	d, err := fs.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := fs.tally().syncs; got != 1 {
		t.Errorf("%d syncs counted, want 1", got)
	}
}
