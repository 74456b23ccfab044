package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"oubliette/bench/store"
	"oubliette/engine"
)

// Chores are what an index's owner does now and then, beside erasing and
// compacting. Keys change only where there is a ring to keep them.
func (o *oubliette) Chores() []store.Chore {
	chores := []store.Chore{{Phase: "rewriting", Do: o.rewrite}}
	if o.ring != nil {
		chores = append(chores,
			store.Chore{Phase: "backing up", Do: o.backup},
			store.Chore{Phase: "changing users", Do: o.changeUsers},
			store.Chore{Phase: "rotating the key", Do: o.rotate})
	}
	return chores
}

func (o *oubliette) rewrite(ctx context.Context) error {
	return o.with(func(ix *engine.Index) error {
		_, err := ix.Purge(ctx, engine.WithRewrite())
		return err
	})
}

// backup makes a backup and restores it. What an earlier restore, or a crash
// within one, has left goes first.
func (o *oubliette) backup(ctx context.Context) error {
	var stream bytes.Buffer
	if err := o.db.Backup(ctx, &stream); err != nil {
		return err
	}
	if err := os.RemoveAll(o.restored); err != nil {
		return err
	}
	return engine.RestoreWith(ctx, &stream, o.restored, &engine.Options{SegmentSize: 64 << 10})
}

// rotate gives the index another key, and calls from then on a handle that is
// bound to it.
func (o *oubliette) rotate(ctx context.Context) error {
	o.rotating.Lock()
	defer o.rotating.Unlock()
	key, err := o.ring.addRoot(randomKey())
	if err != nil {
		return err
	}
	if err := o.ix.Load().RotateKey(ctx, o.root, key); err != nil {
		return err
	}
	ix, err := o.db.LoadIndex(ctx, indexName, engine.WithIndexKey(key))
	if err != nil {
		return err
	}
	o.root = key
	o.ix.Store(ix) // the old handle stays for the calls that have it, until the store is closed
	return nil
}

// changeUsers lets a user in, lets him read, then write, and takes him out.
func (o *oubliette) changeUsers(ctx context.Context) error {
	o.rotating.Lock()
	defer o.rotating.Unlock()
	drawn := randomKey()
	id := engine.UserID(drawn[:16])
	key, err := o.ring.addUser(id, randomKey())
	if err != nil {
		return err
	}
	ix, as := o.ix.Load(), []engine.OpOption{engine.WithUserID(id), engine.WithIndexKey(key)}
	if err := ix.CreateUserKeys(ctx, id, key, engine.PermRead, o.root); err != nil {
		return err
	}
	if _, err := ix.Get(ctx, []string{"nobody's"}, engine.AllFields, as...); err != nil {
		return fmt.Errorf("get by a user who may read: %w", err)
	}
	if err := ix.CreateUserKeys(ctx, id, key, engine.PermWrite, o.root); err != nil {
		return err
	}
	if _, err := ix.Delete(ctx, []string{"nobody's"}, as...); err != nil {
		return fmt.Errorf("delete by a user who may write: %w", err)
	}
	return ix.DeleteUserKeys(ctx, id, o.root)
}

// settleKeys takes out the users whom a crash has left, after which no key
// opens the index but the current one of root.
func (o *oubliette) settleKeys(ctx context.Context) error {
	ix := o.ix.Load()
	users, err := ix.ListUserKeys(ctx, o.root)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := ix.DeleteUserKeys(ctx, u.ID, o.root); err != nil {
			return err
		}
	}
	return nil
}

// checkRefused tries the keys of users who have been taken out, and those that
// root has had.
func (o *oubliette) checkRefused(ctx context.Context) error {
	for _, key := range o.ring.newest() {
		if key.Equal(o.root) {
			continue
		}
		if err := o.refused(ctx, engine.WithIndexKey(key)); err != nil {
			return fmt.Errorf("a key that is not root's any more: %w", err)
		}
	}
	for _, u := range o.ring.newestUsers() {
		if err := o.refused(ctx, engine.WithIndexKey(u.key), engine.WithUserID(u.id)); err != nil {
			return fmt.Errorf("user %v, who was taken out: %w", u.id, err)
		}
	}
	return nil
}

func (o *oubliette) refused(ctx context.Context, as ...engine.OpOption) error {
	ix, err := o.db.LoadIndex(ctx, indexName, as...)
	if err == nil {
		return errors.Join(errors.New("it opens the index"), ix.Close())
	}
	if !errors.Is(err, engine.ErrWrongKey) {
		return err
	}
	return nil
}

func randomKey() (b [32]byte) {
	rand.Read(b[:]) // never fails
	return b
}
