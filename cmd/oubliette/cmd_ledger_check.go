package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"oubliette/engine"
	"oubliette/ledger"
)

func (a *app) ledgerCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check every entry of a ledger, and hold a store against it",
		Long: `Check every checksum, hash and signature of a ledger, and that each entry has its
place behind the one before. With a store at hand (--store or $OUBLIETTE_STORE) hold
that against the ledger, too, without a key and without changing it.

What is wrong is one word, and where; then the exit code is 8:

  cut       entries are missing
  altered   an entry is not what was written, or not signed by who may
  fork      the ledger and the store, or two entries, went different ways
  not_ours  it is another store's ledger, or no ledger at all
  newer     it is of a later version than this build reads

That a store was put back to an earlier state is told, and is no fault of the
ledger's: the next command that writes takes what is missing from it. Where the store
cannot take it (there was a change of its keys since) the exit code is 8.`,
		Args:    oneArgument("a ledger's file"),
		PreRunE: ledgerFlags("index", "key-file", "user", "ledger"),
		RunE:    a.action(func(ctx context.Context, args []string) error { return a.checkLedger(ctx, args[0]) }),
	}
}

// ledgerReport is a check for machines.
type ledgerReport struct {
	OK      bool           `json:"ok"`
	Ledger  string         `json:"ledger"`
	StoreID string         `json:"store_id,omitempty"` // whose it is, as the store calls itself towards it
	Indexes []ledgerIndex  `json:"indexes"`            // that the ledger knows
	Store   string         `json:"store,omitempty"`    // that was held against it
	Behind  []ledgerBehind `json:"behind"`             // indexes of the store that were put back
	Problem string         `json:"problem,omitempty"`  // cut, altered, fork, not_ours, newer or rolled_back
	Error   string         `json:"error,omitempty"`
	Offset  *int64         `json:"offset,omitempty"`   // of the entry that is wrong
	IndexID string         `json:"index_id,omitempty"` // of it
	Group   uint64         `json:"group,omitempty"`
}

type ledgerIndex struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Groups  int    `json:"groups"`
	LastSeq uint64 `json:"last_seq"`
	Epoch   uint64 `json:"epoch"`
	Gone    bool   `json:"gone"`
}

type ledgerBehind struct {
	Index  string `json:"index"`
	ID     string `json:"id"`
	Groups int    `json:"groups"`
	Epochs int    `json:"epochs"`
}

func (a *app) checkLedger(ctx context.Context, path string) error {
	a.reading = true
	r := ledgerReport{Ledger: path, Indexes: []ledgerIndex{}, Behind: []ledgerBehind{}}
	dir := ""
	if a.store != "" || a.getenv(envStore) != "" {
		var err error
		if dir, err = a.existingStore(); err != nil {
			return err
		}
	}
	err := a.checkLedgerFile(ctx, &r)
	if err == nil && dir != "" {
		r.Store = dir
		err = a.checkAgainst(ctx, &r)
	}
	r.note(err)
	if err != nil && r.Problem == "" {
		return noSuchFile(err) // nothing has been found out
	}
	if perr := a.printLedgerReport(&r); perr != nil {
		return errors.Join(err, perr)
	}
	if r.Problem == "rolled_back" {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return ledgerError(path, err)
}

// checkLedgerFile checks the file by itself.
func (a *app) checkLedgerFile(ctx context.Context, r *ledgerReport) error {
	file, err := ledger.ReadFile(a.fs, r.Ledger)
	if err != nil {
		return err
	}
	defer file.Close()
	store := file.Store()
	r.StoreID = hex.EncodeToString(store[:])
	bar := a.spinner("ledger")
	h, err := ledger.Read(interruptible(ctx, file.Entries()), ledger.Options{ID: store, Full: true})
	bar.done()
	if err != nil {
		return err
	}
	for _, x := range h.Indexes() {
		r.Indexes = append(r.Indexes, ledgerIndex{x.Begin.Name, x.Begin.Index.String(), x.Groups, x.Last.Seq, x.Epoch, x.Gone})
	}
	return nil
}

// interruptible ends entries with the context.
func interruptible(ctx context.Context, entries iter.Seq2[ledger.Stored, error]) iter.Seq2[ledger.Stored, error] {
	return func(yield func(ledger.Stored, error) bool) {
		for s, err := range entries {
			if cerr := ctx.Err(); cerr != nil {
				yield(ledger.Stored{}, cerr)
				return
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// checkAgainst opens the store for reading with the ledger, which compares them.
func (a *app) checkAgainst(ctx context.Context, r *ledgerReport) (err error) {
	opts := engine.Options{ReadOnly: true, FS: a.fs, Ledger: engine.LedgerFile(a.fs, r.Ledger)}
	opts.EventListener = &engine.EventListener{RolledBack: func(i engine.RollbackInfo) {
		r.Behind = append(r.Behind, ledgerBehind{i.Index, i.ID.String(), i.Groups, i.Epochs})
	}}
	db, err := engine.Open(r.Store, &opts)
	if err != nil {
		return err
	}
	defer func() { err = afterClose(err, a.close(ctx, db)) }()
	for _, b := range r.Behind {
		if b.Epochs > 0 {
			return fmt.Errorf("index %q lacks %s of users or keys: %w", b.Index, count(b.Epochs, "change"), engine.ErrRolledBack)
		}
	}
	return nil
}

// note puts what is wrong into the report.
func (r *ledgerReport) note(err error) {
	r.OK = err == nil
	if err == nil {
		return
	}
	if r.Problem = ledgerProblem(err); errors.Is(err, engine.ErrRolledBack) {
		r.Problem = "rolled_back"
	}
	r.Error = err.Error()
	var at *ledger.Error
	if !errors.As(err, &at) {
		return
	}
	if at.Offset >= 0 {
		r.Offset = &at.Offset
	}
	if at.Index.String() != strings.Repeat("0", 32) {
		r.IndexID = at.Index.String()
	}
	r.Group = at.Group
}

func (a *app) printLedgerReport(r *ledgerReport) error {
	if a.json {
		return writeJSON(a.stdout, r)
	}
	var p page
	verdict := "whole: every entry is as it was written, and signed by who may"
	if r.Problem != "" {
		verdict = strings.ReplaceAll(r.Problem, "_", " ") + ": " + brief(r.Error)
	}
	p.line("ledger", "%s", verdict)
	for _, x := range r.Indexes {
		gone := ""
		if x.Gone {
			gone = "; it has been deleted"
		}
		p.line("  index", "%s (id %s): %s of deletes up to sequence number %d, epoch %d%s", formatID(x.Name), x.ID, count(x.Groups, "group"), x.LastSeq, x.Epoch, gone)
	}
	if r.Store != "" {
		p.store(r)
	}
	return a.print(&p)
}

// store adds how the store stands to the ledger.
func (p *page) store(r *ledgerReport) {
	if r.Problem == "" && len(r.Behind) == 0 {
		p.line("store", "%s goes with it", r.Store)
	}
	for _, b := range r.Behind {
		p.line("store", "%s was put back: index %s lacks %s of deletes and %s of users or keys", r.Store, formatID(b.Index), count(b.Groups, "group"), count(b.Epochs, "change"))
	}
}
