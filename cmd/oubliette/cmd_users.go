package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const usersHelp = `The index key is root's, who may everything. With it root lets users in: each has
an id of 16 bytes, a key of its own, and permission to read, to write, or both.
A command says with --user ID whose key --key-file (or $OUBLIETTE_KEY) brings.

  read   get, ls, stat, residue note
  write  upsert, delete, purge, and status --certificate
  both   these, compact and purge --rewrite
  root   these, users and rotate-key

check, status, root-key and verify --ids are for all: with a key that does not read
check leaves the rows unread. stat needs no key for what is not the index's own.
Whose key lacks the permission gets exit code 4, and so does a wrong key or an unknown
user: these are not told apart.

A permission is no flag that somebody could set. Who may not read is given no key
that opens a row, and cannot read back what the same key has put in; who may not
write has none whose signature the store accepts. Ids and permissions of users are
not sealed: who has the files can see them.

Letting a user in, taking one out and changing root's key begin a new epoch: what
has been deleted is erased first, and keys are drawn anew. No row is moved.`

func (a *app) usersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "users",
		Short: "Let users into an index, take them out, list them",
		Long:  usersHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for users: it has add, rm and ls", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				return errors.New("no command: users has add, rm and ls")
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.usersAddCommand(), a.usersRmCommand(), a.usersLsCommand())
	return cmd
}
