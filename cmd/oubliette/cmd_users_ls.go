package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) usersLsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the users of an index",
		Long: `Print the id and the permission of every user, one a line, sorted by id, with
root's key. Root is not among them. It changes nothing.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.listUsers(ctx) }),
	}
}

func (a *app) listUsers(ctx context.Context) error {
	t, err := a.rootTarget(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	return a.withTarget(ctx, t, reading, func(_ *engine.DB, ix *engine.Index) error {
		users, err := ix.ListUserKeys(ctx, t.key)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(a.stdout)
		for _, u := range users {
			if err := a.printUser(out, u); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

// userJSON is a user for machines.
type userJSON struct {
	UserID string `json:"user_id"`
	Perm   string `json:"perm"`
}

func (a *app) printUser(out *bufio.Writer, u engine.User) error {
	l := userJSON{u.ID.String(), formatPermission(u.Perm)}
	if a.json {
		return writeJSON(out, l)
	}
	_, err := fmt.Fprintf(out, "%s  %s\n", l.UserID, l.Perm)
	return err
}
