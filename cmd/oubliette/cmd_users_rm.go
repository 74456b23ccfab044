package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) usersRmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rm ID",
		Short: "Take a user out of an index",
		Long: `Revoke a user, with root's key; one who is not there is none to revoke, and that
is said. When the command ends with exit code 0:

  - The user's key opens nothing in the store's files. If the user could read,
    every segment's data key is sealed to a new reader key, and what was sealed to
    the old one has been overwritten. It costs two small writes a segment.
  - Nothing that the user signs is accepted. What the user has put in before
    stays, and so do deletes.

What it does not do:

  - It takes nothing back. Who kept a segment's data key, or a copy of a file's
    header, opens the rows from before in that segment until they are rewritten;
    "oubliette compact" rewrites segments with dead space, and small ones.
  - It does not reach copies of the store: backups, snapshots. There the user's
    key opens what it did; and who can write the files can put a whole older state
    back, in which the user is listed.

Exit code 7 says that the user is out, but that something of the old keys could
not be overwritten; the next command that writes tries again.`,
		Args: userArgument,
		RunE: a.action(func(ctx context.Context, args []string) error {
			id, err := parseUserID(args[0])
			if err != nil {
				return err
			}
			return a.removeUser(ctx, id)
		}),
	}
}

func (a *app) removeUser(ctx context.Context, id engine.UserID) error {
	t, err := a.rootTarget(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	return a.withTarget(ctx, t, engine.Options{}, func(_ *engine.DB, ix *engine.Index) error {
		return a.takeOut(ctx, ix, id, t.key)
	})
}

// takeOut takes the user out of the index and prints it.
func (a *app) takeOut(ctx context.Context, ix *engine.Index, id engine.UserID, rootKey engine.Key) error {
	there, err := hasUser(ctx, ix, id, rootKey)
	if err != nil {
		return err
	}
	bar := a.spinner("users")
	o, err := attempt(func() (bool, error) {
		still, err := hasUser(patient(ctx), ix, id, rootKey)
		return !still, err
	}, func() error { return ix.DeleteUserKeys(ctx, id, rootKey) })
	bar.done()
	switch o {
	case unchanged:
		return err
	case unknown:
		return &unknownError{err, fmt.Sprintf("it is not known whether user %s is out: the same again makes sure of it", id)}
	}
	if perr := a.printRemoved(ix, id, there); perr != nil {
		err = errors.Join(fmt.Errorf("user %s has been taken out, but that is not printed: %w", id, perr), err)
	}
	return err
}

func (a *app) printRemoved(ix *engine.Index, id engine.UserID, there bool) error {
	if a.json {
		return writeJSON(a.stdout, struct {
			Index    string `json:"index"`
			UserID   string `json:"user_id"`
			WasThere bool   `json:"was_there"`
		}{ix.Name(), id.String(), there})
	}
	if !there {
		return a.printLine("user", "%s was not there: nothing has changed", id)
	}
	return a.printLine("user", "%s was there and is out: the key opens nothing any more", id)
}
