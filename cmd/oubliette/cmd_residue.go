package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const residueHelp = `The evidence that an erasure has happened is a search of every byte of every file:

  oubliette residue note ID... >notes       before the delete
  oubliette residue scan notes              finds them all
  oubliette delete ID...
  oubliette residue scan notes              finds none

Notes are the sealed bytes of items as they stand in the store's files, and hold
neither an id nor anything in the clear. They are lines of JSON:

  {"notes": "oubliette residue", "version": 1, "index_id": "..."}
  {"item": 1, "part": 1, "sealed": "base64"}
  {"end": true, "items": 2, "parts": 5, "bytes": 1234, "sha256": "..."}

item is the place of the id among those that were given, from 1 on; part the first,
second, third of the item's sealed fields: its vector, its contents, and its head,
with the id and the metadata. The last line says how much there is, and its SHA-256:
notes that were cut or changed are refused.

Whoever has the notes has ciphertext that is meant to be gone: take them away when
they have been searched for.`

func (a *app) residueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "residue",
		Short: "Note sealed bytes, and search every byte of the store for them",
		Long:  residueHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for residue: it has note and scan", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				return errors.New("no command: residue has note and scan")
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(a.residueNoteCommand(), a.residueScanCommand())
	return cmd
}
