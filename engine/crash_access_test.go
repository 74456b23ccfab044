package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"oubliette/engine"
)

// What a crash leaves of who may what.

// load answers a handle bound to root's key: of all that root ever had, exactly one
// opens an index.
func (v *crashVerifier) load(db *engine.DB, name string) (ix *engine.Index, err error) {
	for _, l := range v.ever[name] {
		if l.user != (engine.UserID{}) {
			continue
		}
		handle, tried := db.LoadIndex(context.Background(), name, l.opts()...)
		switch {
		case tried == nil && ix != nil:
			return nil, errors.New("two of root's keys open it")
		case tried == nil:
			ix = handle
		case !errors.Is(tried, engine.ErrWrongKey):
			return nil, tried
		}
	}
	if ix == nil {
		err = fmt.Errorf("none of root's keys opens it: %w", engine.ErrWrongKey)
	}
	return ix, err
}

// opens is nil when the keys of an epoch open an index, and of all others that ever
// did none, and root is told who its users are.
func (v *crashVerifier) opens(db *engine.DB, name string, who *epochState) error {
	var root *engine.Index
	for _, l := range append(who.logins(), v.ever[name]...) {
		ix, err := db.LoadIndex(context.Background(), name, l.opts()...)
		switch has := who.has(l); {
		case has && err != nil:
			return fmt.Errorf("%v is shut out: %w", l, err)
		case !has && err == nil:
			return fmt.Errorf("a key of %v that is no more opens", l)
		case !has && !errors.Is(err, engine.ErrWrongKey):
			return fmt.Errorf("a key of %v that is no more: %w", l, err)
		case root == nil:
			root = ix // comes first
		}
	}
	listed, err := root.ListUserKeys(context.Background(), who.root)
	if err == nil && !slices.Equal(listed, who.listed()) {
		err = fmt.Errorf("users are %v, should be %v", listed, who.listed())
	}
	return err
}

// listed is what ListUserKeys answers of an epoch.
func (s *epochState) listed() []engine.User {
	out := make([]engine.User, 0, len(s.users))
	for _, l := range s.users {
		out = append(out, engine.User{ID: l.user, Perm: l.perm})
	}
	slices.SortFunc(out, func(a, b engine.User) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return out
}

// users lets every user of an index read and delete: each may what root lets it.
func (v *crashVerifier) users(ctx context.Context, db *engine.DB, name string, is *crashModel) error {
	who := is.who[name]
	if who == nil {
		return nil
	}
	ids := make([]string, 0, len(is.indexes[name]))
	for id := range is.indexes[name] {
		ids = append(ids, id)
	}
	for _, l := range who.users {
		ix, err := db.LoadIndex(ctx, name, l.opts()...)
		if err != nil {
			return err
		}
		have, err := ix.Get(ctx, ids, 0)
		if err := crashMay(l, engine.PermRead, err); err != nil {
			return fmt.Errorf("%v reads: %w", l, err)
		}
		if err == nil && len(have) != len(ids) {
			return fmt.Errorf("%v sees %d items of %d", l, len(have), len(ids))
		}
		_, err = ix.Delete(ctx, []string{"nobody"})
		if err := crashMay(l, engine.PermWrite, err); err != nil {
			return fmt.Errorf("%v deletes: %w", l, err)
		}
	}
	return nil
}

// crashMay holds what a call has answered against what the caller may.
func crashMay(l epochLogin, need engine.Permission, err error) error {
	if l.perm&need != 0 || errors.Is(err, engine.ErrPermission) {
		if l.perm&need == 0 {
			return nil
		}
		return err
	}
	return fmt.Errorf("is not refused: %w", err)
}
