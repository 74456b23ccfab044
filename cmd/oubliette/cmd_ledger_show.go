package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/crypto"
	"oubliette/ledger"
)

func (a *app) ledgerShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Print the entries of a ledger",
		Long: `Print every entry of a ledger, one a line, in their order: where it stands in the
file, its size, its kind, the index, and of which group, sequence numbers and epoch it
is. --index NAME prints those of that index alone.

  begin  from here on the ledger knows an index
  group  a group of the index's log with deletes in it
  epoch  a change of users or keys: who may what from here on
  gone   the index has been deleted

It prints what stands there: whether it is whole, and signed by who may,
"ledger check" tells. Of a file with a frame that does not fit its checksum nothing is
shown, and the exit code is 8.`,
		Args:    oneArgument("a ledger's file"),
		PreRunE: ledgerFlags("store", "key-file", "user", "ledger"),
		RunE:    a.action(func(ctx context.Context, args []string) error { return a.showLedger(ctx, args[0]) }),
	}
}

// ledgerFlags refuses what the commands on a ledger's file do not heed.
func ledgerFlags(flags ...string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		return unheeded(cmd, "it reads the file that is its argument", flags...)
	}
}

// entryJSON is an entry of a ledger for machines. Numbers that an entry of its kind
// does not have are left out.
type entryJSON struct {
	Offset   int64  `json:"offset"`
	Size     int    `json:"size"` // bytes of the entry
	Kind     string `json:"kind"` // begin, group, epoch or gone
	IndexID  string `json:"index_id"`
	Index    string `json:"index,omitempty"` // its name, where the ledger has said it
	Group    uint64 `json:"group,omitempty"`
	FirstSeq uint64 `json:"first_seq,omitempty"`
	LastSeq  uint64 `json:"last_seq,omitempty"`
	Epoch    uint64 `json:"epoch,omitempty"`
}

// showLedger holds one entry at a time, and the names of the indexes.
func (a *app) showLedger(ctx context.Context, path string) error {
	a.reading = true
	file, err := a.openLedger(path)
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriter(a.stdout)
	err = a.showEntries(ctx, file, out)
	if ferr := out.Flush(); ferr != nil {
		return errors.Join(ledgerError(path, err), ferr)
	}
	return ledgerError(path, err)
}

func (a *app) showEntries(ctx context.Context, file *ledger.File, out *bufio.Writer) error {
	names := make(map[crypto.IndexID]string)
	found := false
	for s, err := range interruptible(ctx, file.Entries()) {
		if err != nil {
			return err
		}
		d, err := ledger.Describe(s.Entry)
		if err != nil {
			return fmt.Errorf("entry at offset %d: %w", s.Offset, err)
		}
		if d.Kind == "begin" {
			names[d.Index] = d.Name
		}
		name := names[d.Index]
		if a.indexGiven && name != a.index {
			continue
		}
		found = true
		if err := a.printEntry(out, d, entryJSON{s.Offset, len(s.Entry), d.Kind, d.Index.String(), name, d.Group, d.FirstSeq, d.LastSeq, d.Epoch}); err != nil {
			return err
		}
	}
	if a.indexGiven && !found {
		return fmt.Errorf("index %q in the ledger: %w", a.index, errNotFound)
	}
	return nil
}

func (a *app) printEntry(out *bufio.Writer, d ledger.Description, j entryJSON) error {
	if a.json {
		return writeJSON(out, j)
	}
	what := ""
	switch d.Kind {
	case "begin":
		what = fmt.Sprintf("behind group %d, sequence %d", d.Group, d.LastSeq)
	case "group":
		what = fmt.Sprintf("group %d, sequence %d to %d, epoch %d", d.Group, d.FirstSeq, d.LastSeq, d.Epoch)
	case "epoch":
		what = fmt.Sprintf("epoch %d, behind group %d, sequence %d", d.Epoch, d.Group, d.LastSeq)
	case "gone":
		what = fmt.Sprintf("in epoch %d", d.Epoch)
	}
	_, err := fmt.Fprintf(out, "%10d %8d  %s  %s  %s: %s\n", j.Offset, j.Size, j.IndexID, j.Kind, formatID(j.Index), what)
	return err
}
