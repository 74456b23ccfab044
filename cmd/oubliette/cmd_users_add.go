package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) usersAddCommand() *cobra.Command {
	u := newUser{key: newKey{readFlag: "user-key-file", drawFlag: "generate-user-key"}}
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Let a user into an index",
		Long: `Let a user in, with root's key: from then on the user's key opens what --perm
allows ("oubliette users --help" says what that is). Give the user the key file and
the id, for --key-file and --user. Without --user-id an id is drawn at random; it
is printed either way, and "users ls" shows it.

With --generate-user-key FILE a key is drawn and written to FILE before anything
else, readable by its owner only; a file that is there is not overwritten. When
the user has surely not been let in, the file is taken away again. The store does
not hold the key: whoever loses it needs another.

A user who is there already gets this key and these permissions in place of the
old ones, and the old key opens nothing any more: that is how a user gets another
key. Who could read and now may only write has been revoked as by "users rm".`,
		Args: noArguments,
	}
	f := cmd.Flags()
	f.StringVar(&u.perm, "perm", "", "what the user may do: read, write or both")
	f.StringVar(&u.id, "user-id", "", "the user's id, 32 hexadecimal digits (default: a random one)")
	u.key.flags(cmd, "the user's key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a.started = true
		u.named = cmd.Flags().Changed("user-id")
		return a.addUser(cmd.Context(), &u)
	}
	return cmd
}

// newUser is who is to be let in.
type newUser struct {
	id, perm string
	named    bool // the id was given, empty or not
	key      newKey
}

// parse reads the id, or draws one, and the permission.
func (u *newUser) parse() (who engine.User, err error) {
	if who.Perm, err = parsePermission(u.perm); err != nil {
		return who, err
	}
	if !u.named {
		_, err = rand.Read(who.ID[:])
		return who, err
	}
	if who.ID, err = parseUserID(u.id); err != nil {
		err = fmt.Errorf("%w: --user-id: %w", errUsage, err)
	}
	return who, err
}

// addUser looks at everything that it was given before it writes the key file,
// and writes that before it opens the store.
//
// Order: a drawn key into its file, S · its folder, S · the epoch in which the
// user is listed, S. A crash before the last S leaves a key that opens nothing,
// or no key; after it, a user whose key is there.
func (a *app) addUser(ctx context.Context, u *newUser) error {
	who, err := u.parse()
	if err != nil {
		return err
	}
	if err := u.key.validate(); err != nil {
		return err
	}
	t, err := a.rootTarget(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	key, err := u.key.take(ctx, a)
	if err != nil {
		return err
	}
	defer key.Wipe()
	o := unchanged
	err = a.withTarget(ctx, t, engine.Options{}, func(db *engine.DB, ix *engine.Index) (err error) {
		o, err = a.letIn(ctx, db, ix, who, u, key, t.key)
		return err
	})
	return u.key.settle(o, err)
}

// letIn lets the user into the index and prints it.
func (a *app) letIn(ctx context.Context, db *engine.DB, ix *engine.Index, who engine.User, u *newUser, key, rootKey engine.Key) (outcome, error) {
	replaced, err := hasUser(ctx, ix, who.ID, rootKey)
	if err != nil {
		return unchanged, err
	}
	bar := a.spinner("users")
	o, err := attempt(func() (bool, error) {
		own, err := db.LoadIndex(patient(ctx), ix.Name(), engine.WithIndexKey(key), engine.WithUserID(who.ID))
		if err == nil {
			err = own.Close()
		}
		return opens(err)
	}, func() error { return ix.CreateUserKeys(ctx, who.ID, key, who.Perm, rootKey) })
	bar.done()
	switch o {
	case unchanged:
		return o, err
	case unknown:
		return o, &unknownError{err, fmt.Sprintf("it is not known whether user %s has the key of %s now: keep that file; "+
			"the same again with --user-id %s --%s %s makes sure of it", who.ID, u.key.file(), who.ID, u.key.readFlag, u.key.file())}
	}
	if perr := a.printAdded(ix, who, replaced, u.key.file()); perr != nil {
		err = errors.Join(fmt.Errorf("user %s has been let in, but that is not printed: %w", who.ID, perr), err)
	}
	return o, err
}

// hasUser tells whether the index has the user.
func hasUser(ctx context.Context, ix *engine.Index, id engine.UserID, rootKey engine.Key) (bool, error) {
	users, err := ix.ListUserKeys(ctx, rootKey)
	return slices.ContainsFunc(users, func(u engine.User) bool { return u.ID == id }), err
}

func (a *app) printAdded(ix *engine.Index, who engine.User, replaced bool, file string) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Index    string `json:"index"`
			UserID   string `json:"user_id"`
			Perm     string `json:"perm"`
			Replaced bool   `json:"replaced"` // the user was there, with another key or permission
			KeyFile  string `json:"key_file"`
		}{ix.Name(), who.ID.String(), formatPermission(who.Perm), replaced, file})
	}
	was := ""
	if replaced {
		was = " (who was there: the old key opens nothing any more)"
	}
	var p page
	p.line("user", "%s%s", who.ID, was)
	p.line("index", "%s", formatID(ix.Name()))
	p.line("permission", "%s", formatPermission(who.Perm))
	p.line("key", "%s (the user's: --user %s --key-file %s)", file, who.ID, file)
	return a.print(&p)
}
