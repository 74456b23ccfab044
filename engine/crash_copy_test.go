package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// copied holds what a crash has left of a Restore beside the store against what it
// should be: no store or a whole one; where there is none, the next Restore makes
// one, and leaves nothing beside it. It works on a copy of the image.
func (v *crashVerifier) copied(im *crashImage) error {
	c := im.now.copied
	acknowledged := c != nil
	if !acknowledged && im.next != nil {
		c = im.next.copied
	}
	if c == nil {
		return nil
	}
	fs := im.fs.CrashClone(vfs.CrashCloneCfg{})
	switch there := exists(fs, c.dir); {
	case !there && acknowledged:
		return errors.New("is acknowledged and gone")
	case !there:
		if err := c.again(fs); err != nil {
			return fmt.Errorf("made again: %w", err)
		}
	}
	w := &crashVerifier{ever: v.ever, notes: v.notes, dir: c.dir, clock: v.clock}
	return w.writer(&crashImage{now: c.is}, fs)
}

// again restores once more.
func (c *crashCopy) again(fs vfs.FS) error {
	if err := engine.RestoreWith(context.Background(), bytes.NewReader(c.stream), c.dir, &engine.Options{FS: fs}); err != nil {
		return err
	}
	if exists(fs, c.dir+".restoring") {
		return errors.New("its folder is left")
	}
	return nil
}
